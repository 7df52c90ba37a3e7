"""Seeded 1m candles for the bench: a random walk with volumes, a year of one symbol, a month of seven more.

For the bench of the page (`--report`): ten years of one symbol, a week of 200, a month of 50.

The same seed gives the same candles; the cache that holds them is kept between runs of the bench.
"""

import sys
from pathlib import Path

import numpy as np

from app.candles.cache import CandleCache, CandleColumns
from tests.bench.series import MANY_SYMBOLS, MONTH_SYMBOLS, SYMBOLS, WARMUP_CANDLES, YEAR_START_MS

_MINUTE_MS = 60_000
_TEN_YEARS, _YEAR, _MONTH, _WEEK, _WARMUP = 3_652 * 1_440, 525_600, 43_200, 10_080, WARMUP_CANDLES


def make_cache(root: Path) -> CandleCache:
    """The cache below `root`, filled if it is not yet."""
    cache = CandleCache(root)
    for number, symbol in enumerate(SYMBOLS):
        if not cache.months(symbol, "1m"):
            count = (_YEAR if number == 0 else _MONTH) + _WARMUP
            cache.merge(symbol, "1m", random_walk(number, count))
    return cache


def make_report_cache(root: Path) -> CandleCache:
    """The same for the bench of the page."""
    cache = CandleCache(root)
    if not cache.months(SYMBOLS[0], "1m"):
        cache.merge(SYMBOLS[0], "1m", random_walk(0, _TEN_YEARS + _WARMUP))
    for symbols, count in ((MANY_SYMBOLS, _WEEK), (MONTH_SYMBOLS, _MONTH)):
        for number, symbol in enumerate(symbols):
            if not cache.months(symbol, "1m"):
                cache.merge(symbol, "1m", random_walk(1_000 + number, count + _WARMUP))
    return cache


def random_walk(seed: int, count: int) -> CandleColumns:
    """`count` candles from 240 minutes before 2024; about 0.05 % a minute, two decimals."""
    random = np.random.default_rng(seed)
    close = np.round(30_000.0 * np.exp(np.cumsum(random.normal(0.0, 5e-4, count))), 2)
    open_ = np.concatenate((close[:1], close[:-1]))
    high = np.round(np.maximum(open_, close) * (1.0 + random.exponential(1e-4, count)), 2)
    low = np.round(np.minimum(open_, close) * (1.0 - random.exponential(1e-4, count)), 2)
    volume = np.round(random.exponential(5.0, count) + 1e-5, 5)
    times_ms = YEAR_START_MS + _MINUTE_MS * np.arange(-_WARMUP, count - _WARMUP)
    return CandleColumns(times_ms, open_, high, low, close, volume)


if __name__ == "__main__":
    (make_report_cache if "--report" in sys.argv else make_cache)(Path(sys.argv[1]))
