"""Which candles a backtest replays, and what is said when there are none."""

from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.errors import ConfigError, DataError
from app.session.period import Period, grid_candles, months_of_run, resolve_period, what_is_there
from app.times import DAY_MS, parse_time_ms
from tests.candle_columns import MINUTE_MS, START_MS, make_candles, minutes

BTC, ETH = "BTC/USDT", "ETH/USDT"
END_MS = START_MS + 120 * MINUTE_MS


@pytest.fixture
def cache(tmp_path: Path) -> CandleCache:
    made = CandleCache(tmp_path / "cache")
    made.merge(BTC, "1m", make_candles(minutes(120)))
    made.merge(ETH, "1m", make_candles(minutes(30)))
    return made


def resolve(cache: CandleCache, start_ms: int | None, end_ms: int | None, now_ms: int = END_MS + DAY_MS) -> Period:
    return resolve_period(cache, [BTC, ETH], "1m", start_ms, end_ms, now_ms)


def test_as_given(cache: CandleCache) -> None:
    assert resolve(cache, 5, 6) == Period(5, 6, "the period of --start and --end")


def test_one_bound_and_the_other_follows(cache: CandleCache) -> None:
    assert resolve(cache, START_MS, None) == Period(START_MS, END_MS, "from --start to the end of the cache")
    assert resolve(cache, None, END_MS) == Period(END_MS - DAY_MS, END_MS, "the 24 hours before --end")


def test_without_bounds_the_last_24_hours_of_the_clock_or_else_of_the_cache(cache: CandleCache) -> None:
    fresh = resolve(cache, None, None, END_MS + MINUTE_MS + 59_999)
    assert fresh == Period(END_MS + MINUTE_MS - DAY_MS, END_MS + MINUTE_MS, "the last 24 hours")
    old = resolve(cache, None, None, END_MS + 4 * MINUTE_MS)
    assert old == Period(END_MS - DAY_MS, END_MS, "the last 24 hours in the cache")


@pytest.mark.parametrize(("start_ms", "end_ms"), [(7, 7), (8, 7)])
def test_start_before_end(cache: CandleCache, start_ms: int, end_ms: int) -> None:
    with pytest.raises(ConfigError, match=r"--start 1970-01-01 .* is not before --end 1970-01-01"):
        resolve(cache, start_ms, end_ms)


def test_a_start_behind_the_cache_says_what_is_there(cache: CandleCache) -> None:
    with pytest.raises(DataError, match="no candle of BTC/USDT, ETH/USDT 1m from --start 2030-01-01 on; the cache"):
        resolve(cache, parse_time_ms("2030-01-01"), None)


def test_a_cache_without_the_symbols_says_what_is_there(cache: CandleCache, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"no candle of SOL/USDT 1m; the cache .* holds BTC/USDT 1m from .*`python -m app demo`"
    ):
        resolve_period(cache, ["SOL/USDT"], "1m", None, None, 0)
    with pytest.raises(
        DataError, match=r"the cache .*none is empty: add candles with .*data import.*`python -m app demo`"
    ):
        resolve_period(CandleCache(tmp_path / "none"), [BTC], "1m", None, None, 0)


def test_the_months_of_a_run_warm_up_included(cache: CandleCache) -> None:
    period = Period(START_MS + 70 * MINUTE_MS, END_MS, "")
    assert [month.month for month in months_of_run(cache, [BTC], "1m", START_MS, period)] == ["2025-10", "2025-11"]
    only = months_of_run(cache, [BTC], "1m", period.start_ms, period)
    assert [month.month for month in only] == ["2025-11"]


def test_each_symbol_needs_a_candle_inside_the_run(cache: CandleCache) -> None:
    period = Period(START_MS + 30 * MINUTE_MS, END_MS, "")
    with pytest.raises(DataError, match=r"no candle of ETH/USDT 1m from 2025-10-31 23:30 to 2025-11-01 01:00; the"):
        months_of_run(cache, [BTC, ETH], "1m", START_MS, period)
    earlier = Period(START_MS + 29 * MINUTE_MS, END_MS, "")
    assert len(months_of_run(cache, [BTC, ETH], "1m", START_MS, earlier)) == 3


def test_a_run_inside_a_gap_has_none(tmp_path: Path) -> None:
    cache = CandleCache(tmp_path)
    times_ms = list(minutes(60))
    cache.merge(BTC, "1m", make_candles(times_ms[:10] + times_ms[40:]))
    inside = Period(times_ms[12], times_ms[30], "")
    with pytest.raises(DataError, match="no candle of BTC/USDT 1m from"):
        months_of_run(cache, [BTC], "1m", times_ms[0], inside)
    assert months_of_run(cache, [BTC], "1m", times_ms[0], Period(times_ms[12], times_ms[41], ""))


def test_what_is_there_does_not_list_a_whole_exchange(cache: CandleCache) -> None:
    for number in range(9):
        cache.merge(f"C{number}/USDT", "1m", make_candles(minutes(1)))
    text = what_is_there(cache)
    assert "BTC/USDT 1m from 2025-10-31 23:00 to 2025-11-01 01:00" in text
    assert " and 5 more: " in text


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "length_ms", "count"),
    [
        (0, 60, 60, 1),
        (0, 61, 60, 2),
        (1, 60, 60, 0),
        (1, 61, 60, 1),
        (60, 60, 60, 0),
        (90, 30, 60, 0),
        (-60, 60, 60, 2),
    ],
)
def test_candles_of_a_grid(start_ms: int, end_ms: int, length_ms: int, count: int) -> None:
    grid = [at for at in range(-600, 600, length_ms) if start_ms <= at < end_ms]
    assert grid_candles(start_ms, end_ms, length_ms) == count == len(grid)
