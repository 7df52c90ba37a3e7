"""The candle cache as it was at a moment: a copy of its month files that grows with the run, made when it is opened.

The rule: no candle that closes after `now_ms` is in it, or, with a scrambled future, another one in its place. A file
that nobody opens is never made, so that a strategy which reads no cache costs nothing.
"""

from pathlib import Path

import numpy as np

from app.candles.cache import CandleCache, CandleColumns
from app.candles.month_file import encode_month
from app.research.checks.scramble import scrambled
from app.times import month_bounds_ms, timeframe_ms

_KEPT_MONTHS = 8
_ALL = 1 << 62  # rows of a month that is over


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
