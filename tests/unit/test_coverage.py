"""How much of a series is there, from footers where they can answer."""

from pathlib import Path

import pytest

from app.errors import DataError
from app.feeds.cache import CandleCache
from app.feeds.coverage import Coverage, series_coverage
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
