"""How much of a series is there, from footers where they can answer."""

from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.candles.candle_checks import Gap
from app.candles.coverage import Coverage, missing_ranges, record_faults, series_coverage, series_gaps
from app.candles.market_data import Market, merge_markets
from app.candles.ranges import Ranges
from app.errors import DataError
from tests.candle_columns import MINUTE_MS, START_MS, make_candles, minutes

SERIES = ("BTC/USDT", "1m")


def coverage(folder: Path, times_ms: list[int]) -> Coverage:
    cache = CandleCache(folder)
    cache.merge(*SERIES, make_candles(times_ms))
    return series_coverage(cache, *SERIES)


def test_a_series_without_gaps_over_a_months_end(tmp_path: Path) -> None:
    times_ms = list(minutes(120))
    assert coverage(tmp_path, times_ms) == Coverage(times_ms[0], times_ms[-1], 120, 0, 0)


def test_a_gap_in_a_month_and_one_between_months(tmp_path: Path) -> None:
    times_ms = list(minutes(120))
    kept = times_ms[:10] + times_ms[13:58] + times_ms[62:]
    assert coverage(tmp_path, kept) == Coverage(START_MS, times_ms[-1], 113, 2, 7)


def test_a_single_candle(tmp_path: Path) -> None:
    assert coverage(tmp_path, [START_MS]) == Coverage(START_MS, START_MS, 1, 0, 0)


def test_a_month_without_gaps_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CandleCache, "read", None)
    assert coverage(tmp_path, list(minutes(60))).candles == 60
    assert coverage(tmp_path, list(minutes(60, START_MS + 60 * MINUTE_MS))).candles == 120


def test_no_candles_are_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no candles of BTC/USDT 1m in "):
        series_coverage(CandleCache(tmp_path), *SERIES)


def at(number: int) -> int:
    return START_MS + number * MINUTE_MS


def with_gaps(folder: Path) -> CandleCache:
    """Two hours over a month's end without 10 to 13, 40 to 49 and 58 to 61."""
    cache = CandleCache(folder)
    times_ms = list(minutes(120))
    cache.merge(*SERIES, make_candles(times_ms[:10] + times_ms[14:40] + times_ms[50:58] + times_ms[62:]))
    return cache


def test_missing_candles_are_confirmed_by_any_exchange_that_has_none(tmp_path: Path) -> None:
    cache = with_gaps(tmp_path)
    assert (series_coverage(cache, *SERIES).missing, series_coverage(cache, *SERIES).confirmed) == (18, 0)
    cache.add_absent(*SERIES, "binanceus", ((at(-30), at(0)), (at(8), at(12)), (at(40), at(45))))
    cache.add_absent(*SERIES, "kraken", ((at(43), at(47)), (at(200), at(300))))
    assert series_coverage(cache, *SERIES) == Coverage(START_MS, at(119), 102, 3, 18, confirmed=2 + 7)


def test_gaps_are_told_by_who_has_nothing_there(tmp_path: Path) -> None:
    cache = with_gaps(tmp_path)
    assert series_gaps(cache, *SERIES) == [
        Gap(at(10), at(13), 4, ()),
        Gap(at(40), at(49), 10, ()),
        Gap(at(58), at(61), 4, ()),
    ]
    cache.add_absent(*SERIES, "kraken", ((at(40), at(50)), (at(10), at(14))))
    cache.add_absent(*SERIES, "binanceus", ((at(43), at(47)), (at(58), at(60))))
    assert series_gaps(cache, *SERIES) == [
        Gap(at(10), at(13), 4, ("kraken",)),
        Gap(at(40), at(42), 3, ("kraken",)),
        Gap(at(43), at(46), 4, ("binanceus", "kraken")),
        Gap(at(47), at(49), 3, ("kraken",)),
        Gap(at(58), at(59), 2, ("binanceus",)),
        Gap(at(60), at(61), 2, ()),
    ]


def test_a_series_without_gaps_has_none(tmp_path: Path) -> None:
    cache = CandleCache(tmp_path)
    cache.merge(*SERIES, make_candles(minutes(120)))
    assert series_gaps(cache, *SERIES) == []


def test_missing_is_what_is_neither_stored_nor_known_to_be_absent_there(tmp_path: Path) -> None:
    cache = with_gaps(tmp_path)
    cache.add_absent(*SERIES, "binanceus", ((at(40), at(45)), (at(118), at(125))))

    def missing(exchange: str, start_ms: int, end_ms: int) -> Ranges:
        return missing_ranges(cache, *SERIES, exchange, start_ms, end_ms)

    assert missing("binanceus", at(-2), at(127)) == (
        (at(-2), at(0)), (at(10), at(14)), (at(45), at(50)), (at(58), at(62)), (at(125), at(127)),
    )  # fmt: skip
    assert missing("kraken", at(38), at(45)) == ((at(40), at(45)),)
    assert missing("binanceus", at(14), at(40)) == ()
    assert missing("binanceus", at(45), at(45)) == ()
    assert missing("binanceus", at(47), at(43)) == ()


def test_bounds_between_candles_ask_for_those_that_open_within(tmp_path: Path) -> None:
    cache = CandleCache(tmp_path / "none")
    one = (at(1), at(2))
    assert missing_ranges(cache, *SERIES, "binanceus", at(0) + 1, at(1) + 1) == (one,)
    assert missing_ranges(cache, *SERIES, "binanceus", at(1), at(2)) == (one,)
    assert missing_ranges(cache, *SERIES, "binanceus", at(1) + 1, at(2)) == ()
    assert not cache.root.exists()


def test_a_damaged_record_of_absences_is_said(tmp_path: Path) -> None:
    cache = with_gaps(tmp_path)
    cache.add_absent(*SERIES, "binanceus", ((at(40), at(45)),))
    record = tmp_path / "BTC_USDT" / "1m" / "absent.json"
    record.write_bytes(record.read_bytes()[:-9])
    for ask in (series_coverage, series_gaps):
        with pytest.raises(DataError, match=r"absent\.json is damaged"):
            ask(cache, *SERIES)
    assert missing_ranges(cache, *SERIES, "binanceus", at(40), at(45)) == ((at(40), at(45)),), "so it is asked again"


def test_the_small_files_are_checked_too(tmp_path: Path) -> None:
    cache = with_gaps(tmp_path)
    assert record_faults(cache) == []
    cache.add_absent(*SERIES, "binanceus", ((at(40), at(45)),))
    merge_markets(tmp_path, "binanceus", {"BTC/USDT": Market()})
    merge_markets(tmp_path, "kraken", {"BTC/USDT": Market()})
    assert record_faults(cache) == []
    for path in (tmp_path / "BTC_USDT" / "1m" / "absent.json", tmp_path / "markets.kraken.json"):
        path.write_bytes(path.read_bytes()[:-9])
    absent, market = record_faults(cache)
    assert absent.startswith(f"{tmp_path}/BTC_USDT/1m/absent.json is damaged")
    assert market.startswith(f"{tmp_path}/markets.kraken.json is damaged")
