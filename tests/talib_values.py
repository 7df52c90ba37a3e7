"""TA-Lib's whole-array values beside series on which arithmetic goes wrong first.

The rule: TA-Lib 0.6.8 is the judge, bit by bit; `bits` is how two columns are compared, NaN where there is no value.
Series are seeded: the same name gives the same numbers.
"""

import math
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
import talib

from app.candles.cache import CandleCache, CandleColumns
from app.models.market import Candle

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "sample"
FloatArray = np.ndarray[tuple[int], np.dtype[np.float64]]
NAMES = ("sample", "walk", "tiny", "dust", "flat", "steps", "jumps", "huge", "rounded")


@cache
def series(name: str) -> CandleColumns:
    """Candles of a kind: real ones, or 4,000 made ones."""
    if name == "sample":
        return _sample()
    rng = np.random.default_rng(NAMES.index(name))
    moves = rng.standard_normal(4_000)
    close = {
        "walk": 100.0 * np.exp(np.cumsum(moves * 1e-3)),
        "tiny": 1.3e-7 * np.exp(np.cumsum(moves * 1e-3)),
        "dust": 1e-13 + np.abs(moves) * 1e-15,  # changes around TA_EPSILON, 1e-14
        "flat": 100.0 + np.where(np.arange(4_000) // 200 % 2 == 0, 0.0, np.cumsum(moves) * 0.01),
        "steps": 100.0 + np.repeat(rng.integers(-3, 4, 400), 10) * 0.5,
        "jumps": 100.0 * np.exp(np.cumsum(np.where(rng.random(4_000) < 0.01, moves, 0.0))),
        "huge": 1e12 * np.exp(np.cumsum(moves * 1e-2)),
        "rounded": np.round(100.0 * np.exp(np.cumsum(moves * 1e-3)), 2),
    }[name]
    opens = np.concatenate((close[:1], close[:-1]))
    spread = np.abs(rng.standard_normal(4_000)) * 1e-3 * close * (0.0 if name in ("flat", "steps") else 1.0)
    high, low = np.maximum(opens, close) + spread, np.maximum(np.minimum(opens, close) - spread, 1e-300)
    volume = np.where(rng.random(4_000) < 0.1, 0.0, rng.exponential(10.0, 4_000))
    return CandleColumns(np.arange(4_000, dtype=np.int64) * 60_000, opens, high, low, close, volume)


def _sample() -> CandleColumns:
    cache_ = CandleCache(SAMPLE)
    months = [cache_.read("BTC/USDT", "1h", month) for month in cache_.months("BTC/USDT", "1h")]
    return CandleColumns(*(np.concatenate(parts) for parts in zip(*months, strict=True)))


def candles_of(columns: CandleColumns, count: int | None = None) -> list[Candle]:
    """The first `count` candles, all without it."""
    rows = zip(*(column[:count].tolist() for column in columns), strict=True)
    return [Candle("BTC/USDT", "1h", *row) for row in rows]


def bits(values: Iterable[float | None]) -> list[int]:
    """The 64 bits of each value as a number; whatever is absent, None or any NaN, as one and the same."""
    array = np.array([math.nan if value is None else value for value in values], dtype=np.float64)
    array[np.isnan(array)] = math.nan
    numbers: list[int] = array.view(np.int64).tolist()
    return numbers


def talib_columns(columns: CandleColumns, ema_fast: int, ema_slow: int, wilder: int, sma: int) -> dict[str, FloatArray]:
    """TA-Lib's columns by the names of ScalpingEMARSI."""
    _, _, high, low, close, volume = columns
    return {
        "ema_fast": talib.EMA(close, ema_fast),
        "ema_slow": talib.EMA(close, ema_slow),
        "rsi": talib.RSI(close, wilder),
        "atr": talib.ATR(high, low, close, wilder),
        "volume_sma": talib.SMA(volume, sma),
    }
