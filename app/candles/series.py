"""One symbol's candles from the cache, front to back, one month in memory.

What it passes is counted: candles of the warm-up and of the run, and gaps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from app.candles.month_file import CandleColumns, Int64Array
from app.times import month_of, timeframe_ms

Rows = tuple[list[int], list[float], list[float], list[float], list[float], list[float]]


class CandleSource(Protocol):
    """Where months of candles are read from: the cache, or what was loaded from it before."""

    def months(self, symbol: str, timeframe: str) -> Sequence[str]:
        """The months that there are, ascending."""

    def read(self, symbol: str, timeframe: str, month: str) -> CandleColumns:
        """The candles of one of them, ascending."""


@dataclass(slots=True)
class SeriesCoverage:
    """Which candles of a symbol there were: of the warm-up, and of the run with its gaps."""

    symbol: str
    warmup_candles: int = 0
    candles: int = 0
    gaps: int = 0
    first_open_ms: int | None = None
    last_open_ms: int | None = None
    late_candles: int = 0  # of a live session: they came after their slice


class SeriesReader:
    """The candles that open from `warmup_start_ms` to before `end_ms`; the run begins at `start_ms`."""

    def __init__(
        self, cache: CandleSource, symbol: str, timeframe: str, warmup_start_ms: int, start_ms: int, end_ms: int
    ) -> None:
        self.symbol = symbol
        self.coverage = SeriesCoverage(symbol)
        self._cache = cache
        self._timeframe = timeframe
        self._begin_ms, self._start_ms, self._end_ms = warmup_start_ms, start_ms, end_ms
        first, last = month_of(warmup_start_ms), month_of(end_ms - 1)
        self._months = iter([month for month in cache.months(symbol, timeframe) if first <= month <= last])
        self._columns: CandleColumns | None = None
        self._position = 0
        self.next_open_ms = warmup_start_ms  # of the next candle; at or after end_ms when there are no more
        self._advance()

    def take(self, stop_ms: int) -> Rows:
        """The candles that open before `stop_ms` and have not been taken, as columns of Python numbers."""
        taken: Rows = ([], [], [], [], [], [])
        while self._columns is not None and self.next_open_ms < stop_ms:
            columns, begin = self._columns, self._position
            self._position = int(columns.open_time_ms.searchsorted(stop_ms))
            for which, column in enumerate(columns):
                taken[which].extend(column[begin : self._position].tolist())
            self._advance()
        return taken

    def _advance(self) -> None:
        # On to the next candle, opening the next month where this one is used up.
        while self._columns is None or self._position >= len(self._columns.open_time_ms):
            month = next(self._months, None)
            if month is None:
                self._columns, self.next_open_ms = None, self._end_ms
                return
            self._columns = self._cache.read(self.symbol, self._timeframe, month)
            self._position = int(self._columns.open_time_ms.searchsorted(self._begin_ms))
            self._note(self._columns.open_time_ms)
        self.next_open_ms = int(self._columns.open_time_ms[self._position])

    def _note(self, times_ms: Int64Array) -> None:
        begin, start, end = times_ms.searchsorted((self._begin_ms, self._start_ms, self._end_ms)).tolist()
        self.coverage.warmup_candles += start - begin
        if start == end:
            return
        length_ms = timeframe_ms(self._timeframe)
        in_run = times_ms[start:end]
        coverage = self.coverage
        coverage.candles += len(in_run)
        coverage.gaps += int(np.count_nonzero(np.diff(in_run) != length_ms))
        if coverage.last_open_ms is not None and in_run[0] != coverage.last_open_ms + length_ms:
            coverage.gaps += 1
        if coverage.first_open_ms is None:
            coverage.first_open_ms = int(in_run[0])
        coverage.last_open_ms = int(in_run[-1])
