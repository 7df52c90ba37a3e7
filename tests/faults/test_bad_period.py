"""Dates that are none, ranges that hold nothing: what is there instead, and what to do next."""

import pytest

from app.times import TIMEFRAMES_MS
from tests.faults.conftest import Place

THERE = (
    "the cache data/backtest_cache holds BTC/USDT 1m from 2025-03-31 to 2025-04-02: add candles with "
    "`python -m app data fetch` or `data import`, or run `python -m app demo` for the shipped sample"
)


@pytest.mark.parametrize("option", ["--start", "--end"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("soon", "'soon' is not a date or time; write 2025-12-01 or 2025-12-01T06:30 (UTC)"),
        ("2025-13-01", "'2025-13-01' is not a date or time; write 2025-12-01 or 2025-12-01T06:30 (UTC)"),
        ("2025-02-30", "'2025-02-30' is not a date or time; write 2025-12-01 or 2025-12-01T06:30 (UTC)"),
        ("1743379200000", "'1743379200000' is not a date or time; write 2025-12-01 or 2025-12-01T06:30 (UTC)"),
        ("", "'' is not a date or time; write 2025-12-01 or 2025-12-01T06:30 (UTC)"),
        ("0001-01-01", "'0001-01-01' is not a time between 1970 and 9999"),
        ("9999-12-31T23:59-01:00", "'9999-12-31T23:59-01:00' is not a time between 1970 and 9999"),
    ],
)
def test_a_date_that_is_none(place: Place, option: str, text: str, said: str) -> None:
    assert place.refused(option, text) == said


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("2025-04-01", "2025-03-31", "--start 2025-04-01 is not before --end 2025-03-31"),
        ("2025-04-01", "2025-04-01", "--start 2025-04-01 is not before --end 2025-04-01"),
    ],
)
def test_start_before_end(place: Place, start: str, end: str, said: str) -> None:
    assert place.refused("--start", start, "--end", end) == said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--start", "2030-01-01", "--end", "2030-01-02"), "no candle of BTC/USDT 1m from 2030-01-01 to 2030-01-02"),
        (("--start", "2020-01-01", "--end", "2025-03-31"), "no candle of BTC/USDT 1m from 2020-01-01 to 2025-03-31"),
        (("--symbols", "BTC/USDT,ETH/USDT"), "no candle of ETH/USDT 1m from 2025-03-31 12:00 to 2025-04-01 12:00"),
        (("--interval", "1s"), "no candle of BTC/USDT 1s from 2025-03-31 12:00 to 2025-04-01 12:00"),
    ],
)
def test_no_candle_inside_the_range_says_what_is_there(place: Place, words: tuple[str, ...], said: str) -> None:
    assert place.refused(*words, "--offline") == f"{said}; {THERE}"


def test_one_bound_only(place: Place) -> None:
    command = ("--mode", "backtest", "--out", "run", "--offline")
    said = place.refused(*command, "--start", "2030-01-01", backtest=False)
    assert said == f"no candle of BTC/USDT 1m from --start 2030-01-01 on; {THERE}"
    said = place.refused(*command, "--end", "2020-01-01", backtest=False)
    assert said == f"no candle of BTC/USDT 1m from 2019-12-31 to 2020-01-01; {THERE}"


def test_an_empty_cache_and_one_that_is_a_file(place: Place) -> None:
    said = place.refused("--cache", "nowhere", "--offline")
    assert said.startswith("no candle of BTC/USDT 1m from 2025-03-31 12:00 to 2025-04-01 12:00; the cache nowhere is ")
    assert said.endswith(
        "empty: add candles with `python -m app data fetch` or `data import`, "
        "or run `python -m app demo` for the shipped sample"
    )
    place.write("file", "")
    assert place.refused("--cache", "file") == "the cache folder file/BTC_USDT/1m cannot be listed: Not a directory"


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "inf", "fast", ""])
def test_a_speed_that_is_none(place: Place, speed: str) -> None:
    said = f"--speed {speed}: write max, or how many times real time, for example 60"
    assert place.refused(f"--speed={speed}") == said


def test_real_orders_have_no_past(place: Place) -> None:
    assert place.refused("--mode", "live") == "--mode live starts now; --start belongs to a backtest"


@pytest.mark.parametrize("timeframe", ["7m", "60", "", "1M"])
def test_every_refused_timeframe_names_the_known_ones(place: Place, timeframe: str) -> None:
    assert place.refused(f"--interval={timeframe}").count(", ".join(TIMEFRAMES_MS)) == 1
