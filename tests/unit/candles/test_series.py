"""One symbol's candles front to back: all of the range, nothing else, and an honest count."""

from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.candles.series import SeriesCoverage, SeriesReader
from tests.candle_columns import MINUTE_MS, START_MS, make_candles, minutes

BTC = "BTC/USDT"
ALL = list(minutes(120))  # two months: the next begins with minute 60


@pytest.fixture
def cache(tmp_path: Path) -> CandleCache:
    return CandleCache(tmp_path)


def minute(number: int) -> int:
    return START_MS + number * MINUTE_MS


def reader(cache: CandleCache, kept: list[int], begin: int, start: int, end: int) -> SeriesReader:
    cache.merge(BTC, "1m", make_candles(kept))
    return SeriesReader(cache, BTC, "1m", minute(begin), minute(start), minute(end))


def everything(series: SeriesReader, step: int, end: int = 120) -> list[int]:
    times_ms: list[int] = []
    while series.next_open_ms < minute(end):
        rows = series.take(min(series.next_open_ms + step * MINUTE_MS, minute(end)))
        assert len({len(column) for column in rows}) == 1
        times_ms += rows[0]
    return times_ms


@pytest.mark.parametrize("step", [1, 7, 60, 500])
@pytest.mark.parametrize(("begin", "end"), [(0, 120), (10, 110), (58, 62), (60, 61), (-30, 200)])
def test_all_candles_of_the_range_in_any_steps(cache: CandleCache, step: int, begin: int, end: int) -> None:
    series = reader(cache, ALL, begin, begin, end)
    assert everything(series, step, end) == [at for at in ALL if minute(begin) <= at < minute(end)]
    assert series.take(minute(end)) == ([], [], [], [], [], [])


def test_the_numbers_are_the_stored_ones_as_python_numbers(cache: CandleCache) -> None:
    series = reader(cache, ALL, 5, 5, 8)
    rows = series.take(minute(8))
    expected = make_candles(ALL[5:8])
    assert rows == tuple(column.tolist() for column in expected)
    assert {type(number) for column in rows[1:] for number in column} == {float}
    assert {type(number) for number in rows[0]} == {int}


def test_coverage_counts_warm_up_candles_and_gaps(cache: CandleCache) -> None:
    kept = ALL[:3] + ALL[5:20] + ALL[22:59] + ALL[61:100]  # the last gap lies between the months
    series = reader(cache, kept, 0, 10, 110)
    everything(series, 500, 110)
    assert series.coverage == SeriesCoverage(BTC, 8, 10 + 37 + 39, 2, ALL[10], ALL[99])


def test_a_gap_of_the_warm_up_is_none_of_the_run(cache: CandleCache) -> None:
    series = reader(cache, ALL[:5] + ALL[8:30], 0, 10, 30)
    everything(series, 500, 30)
    assert (series.coverage.gaps, series.coverage.warmup_candles, series.coverage.candles) == (0, 7, 20)


def test_a_series_that_lies_elsewhere_has_nothing(cache: CandleCache) -> None:
    series = reader(cache, ALL, 500, 510, 520)
    assert series.next_open_ms == minute(520)
    assert series.coverage == SeriesCoverage(BTC)
    assert SeriesReader(cache, "ETH/USDT", "1m", 0, 0, minute(9)).next_open_ms == minute(9)


def test_one_month_is_in_memory(cache: CandleCache, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    read = CandleCache.read

    def noting(self: CandleCache, symbol: str, timeframe: str, month: str) -> object:
        opened.append(month)
        return read(self, symbol, timeframe, month)

    monkeypatch.setattr(CandleCache, "read", noting)
    series = reader(cache, ALL, 0, 0, 120)
    series.take(minute(30))
    assert opened == ["2025-10"]
    series.take(minute(120))
    assert opened == ["2025-10", "2025-11"]
