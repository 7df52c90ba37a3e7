"""Made-up candles without end: a candle is a pure function of seed, symbol and open time.

Prices are whole numbers of cents and volumes of 1e-5, made by integer hashing and plain arithmetic, so all machines
make the same ones; a candle opens where the one before closed.
"""

import hashlib
from collections.abc import Iterable

import numpy as np

from app.candles.market_data import Market
from app.candles.month_file import CandleColumns, FloatArray, Int64Array
from app.errors import ConfigError
from app.testnet.market import SPOT_SYMBOL, MarketSource
from app.times import TIME_MAX_MS, month_bounds_ms

_MINUTE_MS = 60_000
# Noise of growing period and, like a random walk, of the root of that as its height.
_PERIODS_MINUTES = tuple(4**power for power in range(1, 11))
_HEIGHT = 0.0007  # of the finest, as a part of the price
_WICK = 0.0005
_HASH_STEP = 0x9E3779B97F4A7C15


class GeneratorSource(MarketSource):
    """Candles of made-up symbols from 1970 on: prices with 2 decimals, volumes with 5, of every timeframe from 1m.

    ConfigError if a name is none like BTC/USDT.
    """

    def __init__(self, seed: int, symbols: Iterable[str]) -> None:
        self._keys = {symbol: _key(seed, symbol) for symbol in symbols}
        for symbol in self._keys:
            if not SPOT_SYMBOL.fullmatch(symbol):
                raise ConfigError(f"--symbols: {symbol!r} is no symbol; write BTC/USDT")
        super().__init__((symbol, "1m") for symbol in self._keys)

    def span_ms(self, symbol: str) -> tuple[int, int]:
        return 0, TIME_MAX_MS

    def filters(self, symbol: str) -> Market:
        """What the made-up numbers keep to."""
        return Market(quantity_step=0.00001, min_notional=10.0, price_tick=0.01)

    def _read(self, symbol: str, base: str, month: str) -> CandleColumns:
        first_ms, end_ms = month_bounds_ms(month)
        return _minutes(self._keys[symbol], first_ms // _MINUTE_MS, end_ms // _MINUTE_MS)


def _key(seed: int, symbol: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}:{symbol}".encode(), digest_size=8).digest(), "little")


def _minutes(key: int, first: int, end: int) -> CandleColumns:
    """Minutes `first` to `end` (exclusive), counted from the epoch."""
    minute = np.arange(first, end + 1, dtype=np.int64)
    cents = _price_cents(key, minute)
    opens, closes = cents[:-1], cents[1:]
    minute = minute[:-1]
    top, bottom = np.maximum(opens, closes), np.minimum(opens, closes)
    up = np.floor(top * (_WICK * _unit(key + 1, minute) ** 2))
    down = np.floor(bottom * (_WICK * _unit(key + 2, minute) ** 2))
    # Most minutes are quiet, a few are not.
    volume_units = np.floor(2_000_000.0 * _unit(key + 3, minute) ** 4) + 1.0
    return CandleColumns(
        minute * _MINUTE_MS,
        opens / 100.0,
        (top + up) / 100.0,
        np.maximum(bottom - down, 1.0) / 100.0,
        closes / 100.0,
        volume_units / 100_000.0,
    )


def _price_cents(key: int, minute: Int64Array) -> FloatArray:
    base_cents = 5_000 * (1 + key % 1_000)
    height = np.zeros(len(minute))
    for octave, period in enumerate(_PERIODS_MINUTES):
        at = minute // period
        part = (minute - at * period) / period
        smooth = part * part * (3.0 - 2.0 * part)
        salt = key + 17 * (octave + 1)
        left, right = _unit(salt, at) - 0.5, _unit(salt, at + 1) - 0.5
        height += (left + (right - left) * smooth) * (2.0 * _HEIGHT * float(period) ** 0.5)
    # A jitter of its own for every minute, or the finest noise would be four minutes of one direction.
    height += (_unit(key + 7, minute) - 0.5) * _HEIGHT
    # The first terms of exp(height): above 0 everywhere, and no two machines differ about it.
    return np.rint(base_cents * (1.0 + height + height * height / 2.0))


def _unit(salt: int, at: Int64Array) -> FloatArray:
    """splitmix64 of integers, as numbers from 0 to below 1."""
    state = (at.astype(np.uint64) + np.uint64(1)) * np.uint64(_HASH_STEP) + np.uint64(salt * _HASH_STEP % 2**64)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    return (state >> np.uint64(11)).astype(np.float64) / 2.0**53
