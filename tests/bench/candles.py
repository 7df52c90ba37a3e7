"""Seeded 1m candles for the bench: a random walk with volumes, a year of one symbol, a month of seven more.

The same seed gives the same candles; the cache that holds them is kept between runs of the bench.
"""

import sys
from pathlib import Path

import numpy as np

from app.candles.cache import CandleCache, CandleColumns
from tests.bench.series import SYMBOLS, YEAR_START_MS

_MINUTE_MS = 60_000
_YEAR, _MONTH, _WARMUP = 525_600, 43_200, 240


def make_cache(root: Path) -> CandleCache:
    """The cache below `root`, filled if it is not yet."""
    cache = CandleCache(root)
    for number, symbol in enumerate(SYMBOLS):
        if not cache.months(symbol, "1m"):
            count = (_YEAR if number == 0 else _MONTH) + _WARMUP
            cache.merge(symbol, "1m", random_walk(number, count))
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
    make_cache(Path(sys.argv[1]))
