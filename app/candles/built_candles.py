"""Candles of a timeframe that the cache does not hold, built from finer ones that it does, while they are read.

The rule: RULES.md's coarser candles (first open, highest high, lowest low, last close, summed volume of those that
exist; none if there was none); one that the finer candles do not reach the end of is left out. Nothing is stored: the
cache keeps only what an exchange or a file said.
"""

from collections.abc import Mapping
from dataclasses import replace

from app.candles.cache import CandleCache, CandleColumns, MonthFile
from app.candles.resample import resample
from app.times import TIMEFRAMES_MS, month_of, timeframe_ms


class BuiltCandles(CandleCache):
    """`cache`, in which `finer` says for symbols of which timeframe their `timeframe` candles are made.

    Months after that of `end_ms` count for nothing, so that the months of a run alone give the same candles.
    """

    def __init__(self, cache: CandleCache, timeframe: str, finer: Mapping[str, str], end_ms: int | None = None) -> None:
        super().__init__(cache.root)
        self._cache, self._timeframe, self._finer = cache, timeframe, finer
        self._last_month = None if end_ms is None else month_of(end_ms - 1)
        self._known_ms: int | None = None

    def months(self, symbol: str, timeframe: str) -> list[str]:
        """Those of the series that is read."""
        return self._cache.months(symbol, self._source(symbol, timeframe))

    def describe(self, symbol: str, timeframe: str, month: str) -> MonthFile:
        """The file that is read, with the open times of the candles that are built."""
        source = self._source(symbol, timeframe)
        about = self._cache.describe(symbol, source, month)
        if source == timeframe:
            return about
        length_ms = timeframe_ms(timeframe)
        first_ms, last_ms = (time_ms // length_ms * length_ms for time_ms in (about.first_open_ms, about.last_open_ms))
        if last_ms + length_ms > self._end_known_ms():
            times_ms = self.read(symbol, timeframe, month).open_time_ms
            first_ms, last_ms = (int(times_ms[0]), int(times_ms[-1])) if len(times_ms) else (-1, -1)
        return replace(about, rows=0, first_open_ms=first_ms, last_open_ms=last_ms)

    def read(self, symbol: str, timeframe: str, month: str) -> CandleColumns:
        """The month's candles, as they are or built."""
        source = self._source(symbol, timeframe)
        columns = self._cache.read(symbol, source, month)
        if source == timeframe:
            return columns
        built = resample(columns, source, timeframe)
        ends_ms = built.open_time_ms + timeframe_ms(timeframe)
        return built.take(slice(int(ends_ms.searchsorted(self._end_known_ms(), side="right"))))

    def _source(self, symbol: str, timeframe: str) -> str:
        return self._finer.get(symbol, timeframe) if timeframe == self._timeframe else timeframe

    def _end_known_ms(self) -> int:
        # Up to when all candles of these series are known: a candle of one of them, or that an exchange has none.
        if self._known_ms is None:
            ends_ms = [0]
            for symbol, finer in self._finer.items():
                months = [m for m in self._cache.months(symbol, finer) if not self._last_month or m <= self._last_month]
                if months:
                    last_ms = self._cache.describe(symbol, finer, months[-1]).last_open_ms
                    ends_ms.append(last_ms + timeframe_ms(finer))
                ends_ms += [ranges[-1][1] for ranges in self._cache.absences(symbol, finer).values() if ranges]
            self._known_ms = max(ends_ms)
        return self._known_ms


def built_cache(cache: CandleCache, timeframe: str, finer: Mapping[str, str], end_ms: int | None = None) -> CandleCache:
    """The cache, with `timeframe` candles built from finer ones where `finer` says so."""
    return BuiltCandles(cache, timeframe, finer, end_ms) if finer else cache


def finer_series(cache: CandleCache, symbol: str, timeframe: str, start_ms: int, end_ms: int) -> str | None:
    """The timeframe in the cache that `timeframe` is a multiple of and that covers most of a span, then the longest."""
    length_ms = timeframe_ms(timeframe)
    covered: list[tuple[int, int, str]] = []
    for name, finer in cache.series():
        finer_ms = TIMEFRAMES_MS[finer]
        if name == symbol and finer_ms < length_ms and length_ms % finer_ms == 0:
            covered_ms = sum(stop - begin for begin, stop in cache.present(symbol, finer, start_ms, end_ms))
            covered.append((covered_ms, finer_ms, finer))
    most_ms, _, found = max(covered, default=(0, 0, ""))
    return found if most_ms else None
