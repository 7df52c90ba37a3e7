"""Candles for the parity tests, and the real cache that they are merged into.

Real ones lie in the sibling folder `shared/data` of the checkout (a test skips where it is absent) and in the
shipped sample. Made-up ones depend on their seed alone: zero volumes, gaps, gap opens, symbols that begin late.
"""

import random
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from app.candles.cache import CandleCache
from app.candles.importing import read_candles
from app.candles.month_file import CandleColumns
from tests.candle_columns import MINUTE_MS, SHARED_DATA
from tests.reference.candles import Row

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"
SPOT = "binance_spot_1m_2025-10-29_2025-11-01_MIT"
PERP = "binance_usdm_perp_1m_2025-05-09_2025-06-03_MIT"
RAGGED = "lean_coinbase_spot_1m_201804_Apache2"
Market = dict[str, list[Row]]


def shared(folder: str, files: Iterable[str]) -> Market:
    """1m candles of `shared/data`; `BTCUSDT` becomes BTC/USDT."""
    path = SHARED_DATA / folder
    if not path.is_dir():
        pytest.skip(f"{folder} is not beside this checkout")
    return {symbol_of(name): _rows_of_file(path / f"{name}-1m.csv.gz") for name in files}


def sample() -> Market:
    """The shipped sample: BTC/USDT 1h."""
    cache_of_sample = CandleCache(SAMPLE)
    months = cache_of_sample.months("BTC/USDT", "1h")
    return {"BTC/USDT": [row for month in months for row in rows(cache_of_sample.read("BTC/USDT", "1h", month))]}


def symbol_of(name: str) -> str:
    """BTCUSDT, BTCUSD, BTCEUR ... as the config writes them."""
    return f"{name[:3]}/{name[3:]}" if len(name) in (6, 7) else f"{name[:4]}/{name[4:]}"


def made_up(seed: int, symbols: Iterable[str], start_ms: int, count: int, grid: float = 0.5) -> Market:
    """Random walks on a price grid, so that levels are often touched exactly."""
    return {
        symbol: _walk(random.Random(f"{seed} {symbol}"), start_ms, count, grid, index)
        for index, symbol in enumerate(symbols)
    }


def fill_cache(folder: Path, market: Market, timeframe: str = "1m") -> CandleCache:
    """A candle cache with this market in it."""
    filled = CandleCache(folder)
    for symbol, candles in market.items():
        filled.merge(symbol, timeframe, columns(candles))
    return filled


def between(market: Market, begin_ms: int, end_ms: int) -> Market:
    """The candles that open in `begin <= t < end`."""
    return {symbol: [row for row in candles if begin_ms <= row[0] < end_ms] for symbol, candles in market.items()}


def columns(candles: list[Row]) -> CandleColumns:
    """Rows as the cache takes them."""
    times = np.array([row[0] for row in candles], dtype=np.int64)
    numbers = [np.array([row[i] for row in candles], dtype=np.float64) for i in range(1, 6)]
    return CandleColumns(times, *numbers)


def rows(candles: CandleColumns) -> list[Row]:
    """Columns as the reference takes them."""
    return list(zip(*(column.tolist() for column in candles), strict=True))


@cache
def _rows_of_file(path: Path) -> list[Row]:
    return rows(read_candles(path, "1m"))


def _walk(rng: random.Random, start_ms: int, count: int, grid: float, index: int) -> list[Row]:
    price = rng.choice((60.0, 100.0, 900.0))
    skip_until = index * rng.randrange(40)  # the first symbol begins on time, the others late
    candles: list[Row] = []
    for i in range(count):
        if rng.random() < 0.01:
            skip_until = i + rng.randrange(1, 12)
        if i < skip_until:
            continue
        step = rng.choice((1, 2, 8)) * grid
        first = max(10 * grid, price + (round(rng.gauss(0, 4)) * grid if rng.random() < 0.2 else 0.0))
        last = max(10 * grid, first + round(rng.gauss(0.02, 2)) * step)
        high = max(first, last) + rng.randrange(4) * step
        low = max(grid, min(first, last) - rng.randrange(4) * step)
        volume = 0.0 if rng.random() < 0.08 else round(rng.expovariate(0.1), 3)
        candles.append((start_ms + i * MINUTE_MS, first, high, low, last, volume))
        price = last
    return candles
