"""The candle cache as it was at a moment: a copy of its month files that grows with the run.

No candle that closes after `now_ms` is in it, or, with a scrambled future, another one in its place. A file is made
when it is opened, so a strategy that reads no cache costs nothing.
"""

from pathlib import Path

import numpy as np

from app.candles.cache import CandleCache, CandleColumns
from app.candles.month_file import FloatArray, Int64Array, encode_month
from app.times import month_bounds_ms, timeframe_ms

_KEPT_MONTHS = 8
_ALL = 1 << 62  # rows of a month that is over
_PRICE, _VOLUME = 1, 2


class PastCache:
    """A copy of `cache` below `folder`; `now_ms` is the close time of the newest slice that was handed out."""

    def __init__(self, cache: CandleCache, folder: Path, now_ms: int, *, scrambled_future: bool) -> None:
        self.folder = folder
        self.now_ms = now_ms
        self._cache = cache
        self._scrambled = scrambled_future
        self._made: dict[Path, int] = {}
        self._real: dict[Path, CandleColumns] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._series: dict[tuple[str, ...], tuple[str, str]] = {}
        for symbol, timeframe in cache.series():
            parts = cache.path(symbol, timeframe, "2000-01").parent.relative_to(cache.root).parts
            self._series[parts] = symbol, timeframe
            folder.joinpath(*parts).mkdir(parents=True, exist_ok=True)

    def place(self, relative: Path) -> Path:
        """Where a file or folder of the cache lies in the copy, brought up to this moment. Only candles are in it."""
        parts = relative.parts
        series = self._series.get(parts[:2])
        if series is not None:
            months = self._cache.months(*series)
            for month in months if len(parts) == 2 else [one for one in months if parts[2] == f"{one}.parquet"]:
                self._make(*series, month)
        return self.folder / relative

    def _make(self, symbol: str, timeframe: str, month: str) -> None:
        real = self._cache.path(symbol, timeframe, month)
        path = self.folder / real.relative_to(self._cache.root)
        begin_ms, end_ms = month_bounds_ms(month)
        if begin_ms < self.now_ms < end_ms:
            columns = self._columns(real, symbol, timeframe, month)
            known = int((columns.open_time_ms + timeframe_ms(timeframe)).searchsorted(self.now_ms, side="right"))
        else:
            known = 0 if self.now_ms <= begin_ms else _ALL
        if self._made.get(path) == known:
            return
        self._made[path] = known
        columns = self._columns(real, symbol, timeframe, month)
        if self._scrambled:
            floats = zip(columns.floats(), scrambled(columns).floats(), strict=True)
            joined = [np.concatenate((ours[:known], others[known:])) for ours, others in floats]
            columns = CandleColumns(columns.open_time_ms, *joined)
        elif known == 0:
            return  # it is not there yet
        else:
            columns = columns.take(slice(known))
        path.write_bytes(encode_month(symbol, timeframe, month, columns))

    def _columns(self, path: Path, symbol: str, timeframe: str, month: str) -> CandleColumns:
        if path not in self._real:
            while len(self._real) >= _KEPT_MONTHS:
                del self._real[next(iter(self._real))]
            self._real[path] = self._cache.read(symbol, timeframe, month)
        return self._real[path]


def scrambled(columns: CandleColumns) -> CandleColumns:
    """Other candles of the same times: prices 0.6 to 1.4 times, volumes so too and 1 more; the same ones every time."""
    price, volume = factors(columns.open_time_ms, _PRICE), factors(columns.open_time_ms, _VOLUME)
    open_, high, low, close = (column * price for column in (columns.open, columns.high, columns.low, columns.close))
    return CandleColumns(columns.open_time_ms, open_, high, low, close, columns.volume * volume + 1.0)


def factors(times_ms: Int64Array, which: int) -> FloatArray:
    """One for each time, in [0.6, 1.4) and never within 0.05 of 1: splitmix64 (Steele, Lea, Flood 2014) of the time."""
    mixed = times_ms.astype(np.uint64) + np.uint64(which * 0x9E3779B97F4A7C15 % (1 << 64))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    share: FloatArray = (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53
    return np.where(share < 0.5, 0.6 + 0.7 * share, 0.7 + 0.7 * share)
