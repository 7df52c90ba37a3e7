"""Made-up candles without end: a candle is a pure function of seed, symbol and open time.

The rule: every price is a whole number of cents and every volume of 1e-5, made by integer hashing and plain arithmetic,
so that all machines make the same ones; a candle opens where the one before closed. Nothing is drawn, nothing
remembered but the months made last.
"""

import hashlib

import numpy as np

from app.candles.month_file import CandleColumns, FloatArray, Int64Array
from app.candles.resample import resample
from app.errors import ConfigError
from app.testnet.market import ROWS_KEPT, SymbolFilters, between, joined, made_of, months_between, rows_in
from app.testnet.recent import Recent
from app.times import TIME_MAX_MS, month_bounds_ms

_MINUTE_MS = 60_000
# Noise of growing period and, like a random walk, of the root of that as its height.
_PERIODS_MINUTES = tuple(4**power for power in range(1, 11))
_HEIGHT = 0.0007  # of the finest, as a part of the price
_WICK = 0.0005
_HASH_STEP = 0x9E3779B97F4A7C15


class GeneratorSource:
    """Candles of made-up symbols from 1970 on: prices with 2 decimals, volumes with 5, of every timeframe from 1m.

    ConfigError if a name is none like BTC/USDT.
    """

    def __init__(self, seed: int, symbols: tuple[str, ...] | list[str]) -> None:
        for symbol in symbols:
            if not all(part.isalnum() and part.isupper() for part in symbol.split("/")) or symbol.count("/") != 1:
                raise ConfigError(f"--symbols: {symbol!r} is no symbol; write BTC/USDT")
        self.symbols = tuple(sorted(symbols))
        self._keys = {symbol: _key(seed, symbol) for symbol in symbols}
        self._recent: Recent[tuple[str, str, str], CandleColumns] = Recent(ROWS_KEPT, rows_in)

    def made_of(self, symbol: str, timeframe: str) -> str | None:
        """As CandleSource says."""
        return made_of(("1m",), timeframe) if symbol in self._keys else None

    def span_ms(self, symbol: str) -> tuple[int, int]:
        """As CandleSource says: all times."""
        return 0, TIME_MAX_MS

    def candles(self, symbol: str, timeframe: str, start_ms: int, end_ms: int) -> CandleColumns:
        """As CandleSource says."""
        if self.made_of(symbol, timeframe) is None:
            return joined([])
        months = months_between(max(0, start_ms), min(TIME_MAX_MS, end_ms))
        return joined(between(self._month(symbol, timeframe, month), start_ms, end_ms) for month in months)

    def filters(self, symbol: str) -> SymbolFilters:
        """As CandleSource says: what the made-up numbers keep to."""
        return SymbolFilters(quantity_step=0.00001, min_notional=10.0, price_tick=0.01)

    def _month(self, symbol: str, timeframe: str, month: str) -> CandleColumns:
        def make() -> CandleColumns:
            if timeframe != "1m":
                return resample(self._month(symbol, "1m", month), "1m", timeframe)
            first_ms, end_ms = month_bounds_ms(month)
            return _minutes(self._keys[symbol], first_ms // _MINUTE_MS, end_ms // _MINUTE_MS)

        return self._recent.get((symbol, timeframe, month), make)


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
