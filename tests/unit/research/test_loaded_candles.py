"""Loaded candles: read once, months as in the cache, slices kept for short spans only, nothing silently absent."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.candles.cache import CandleCache
from app.candles.month_file import CandleColumns
from app.errors import DataError
from app.feeds.replay import ReplayFeed
from app.research import loaded_candles
from app.research.loaded_candles import LoadedCandles
from app.times import parse_time_ms
from tests.searches import CACHE, END_MS, START_MS

SYMBOL = "BTC/USDT"
SPAN = (parse_time_ms("2022-12-20"), START_MS, END_MS)


def load() -> LoadedCandles:
    return LoadedCandles.load(CandleCache(CACHE), [SYMBOL], "1h", START_MS, END_MS)


def slices(candles: LoadedCandles) -> list[object]:
    feed = candles.feed([SYMBOL], SPAN)
    return [slice_ for burst in feed.bursts() for slice_ in burst]


def from_cache() -> tuple[list[object], object]:
    times = {"warmup_start_ms": SPAN[0], "start_ms": SPAN[1], "end_ms": SPAN[2]}
    feed = ReplayFeed(CandleCache(CACHE), [SYMBOL], "1h", **times)
    return [slice_ for burst in feed.bursts() for slice_ in burst], feed.coverage()


@pytest.mark.parametrize("kept_max", [0, 150_000])
def test_the_slices_are_those_of_the_cache(monkeypatch: pytest.MonkeyPatch, kept_max: int) -> None:
    monkeypatch.setattr(loaded_candles, "KEPT_CANDLES_MAX", kept_max)
    candles = load()
    expected, coverage = from_cache()
    assert slices(candles) == expected
    assert slices(candles) == expected
    feed = candles.feed([SYMBOL], SPAN)
    list(feed.bursts())
    assert feed.coverage() == coverage
    assert bool(candles.feed([SYMBOL], SPAN)._kept) == (kept_max > 0)


def test_a_span_that_was_left_half_way_is_not_taken_for_whole() -> None:
    candles = load()
    feed = candles.feed([SYMBOL], SPAN)
    next(iter(feed.bursts()))
    assert slices(candles) == from_cache()[0]


def test_months_are_read_once_and_more_when_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = CandleCache.read

    def counting(self: CandleCache, symbol: str, timeframe: str, month: str) -> object:
        read.append(month)
        return original(self, symbol, timeframe, month)

    monkeypatch.setattr(CandleCache, "read", counting)
    candles = load()
    assert read == ["2023-01", "2023-02"]
    for _ in range(3):
        slices(candles)
    assert read == ["2023-01", "2023-02", "2022-12"]
    assert candles.months(SYMBOL, "1m") == []


def test_without_the_cache_an_absent_month_is_an_error() -> None:
    alone = pickle.loads(pickle.dumps(load().detached()))
    assert "2022-12" in alone.months(SYMBOL, "1h")
    with pytest.raises(DataError, match="candles of BTC/USDT 1h of 2022-12 were not loaded"):
        slices(alone)


def test_candles_that_lie_in_no_cache(tmp_path: Path) -> None:
    whole = load()
    january, february = (whole.read(SYMBOL, "1h", month) for month in ("2023-01", "2023-02"))
    columns: Any = [np.concatenate(pair) for pair in zip(january, february, strict=True)]
    joined = CandleColumns(*columns)
    own = LoadedCandles.of("1h", {SYMBOL: joined})
    assert own.months(SYMBOL, "1h") == ["2023-01", "2023-02"]
    feed = own.feed([SYMBOL], (START_MS, START_MS, END_MS))
    other = load().feed([SYMBOL], (START_MS, START_MS, END_MS))
    assert list(feed.bursts()) == list(other.bursts())
