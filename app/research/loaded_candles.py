"""LoadedCandles: months of candles read once from the cache and held as columns, for as many runs as are wanted.

A run over them reads the same candles, in the same months, as one over the cache. A candle takes 48 bytes; the slices
of short runs are kept, too, up to a fixed number. A month that is known and was not loaded is an error.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from app.candles.cache import CandleCache
from app.candles.month_file import CandleColumns
from app.candles.series import SeriesCoverage
from app.errors import DataError
from app.feeds.base import EventQueue
from app.feeds.replay import ReplayFeed
from app.models.market import Slice
from app.times import month_bounds_ms, month_of

KEPT_CANDLES_MAX = 150_000  # some 300 bytes each as slices: 45 MB a process
Span = tuple[int, int, int]  # start of the warm-up, start, end; ms


class LoadedCandles:
    """Candles of symbols x timeframe; what a trial reads instead of the cache."""

    def __init__(
        self,
        timeframe: str,
        months: Mapping[str, Mapping[str, CandleColumns]],
        known: Mapping[str, Sequence[str]] | None = None,
        cache: CandleCache | None = None,
    ) -> None:
        """`months`: columns by symbol and month; `known`: all months of the cache; `cache`: more is read from it."""
        self.timeframe = timeframe
        self.symbols = tuple(months)
        self._months = {symbol: dict(own) for symbol, own in months.items()}
        self._known = {symbol: list((known or months)[symbol]) for symbol in months}
        self._cache = cache
        self._feed: TrialFeed | None = None

    @classmethod
    def load(
        cls, cache: CandleCache, symbols: Sequence[str], timeframe: str, start_ms: int, end_ms: int
    ) -> "LoadedCandles":
        """The months that touch `[start_ms, end_ms)`; an earlier or later one is read when a run asks for it."""
        first, last = month_of(start_ms), month_of(end_ms - 1)
        known = {symbol: cache.months(symbol, timeframe) for symbol in symbols}
        months = {
            symbol: {month: cache.read(symbol, timeframe, month) for month in known[symbol] if first <= month <= last}
            for symbol in symbols
        }
        return cls(timeframe, months, known, cache)

    @classmethod
    def of(cls, timeframe: str, series: Mapping[str, CandleColumns]) -> "LoadedCandles":
        """Candles that lie in no cache, one run of ascending columns a symbol."""
        return cls(timeframe, {symbol: dict(_by_month(columns)) for symbol, columns in series.items()})

    def months(self, symbol: str, timeframe: str) -> Sequence[str]:
        """As CandleCache has it."""
        return self._known.get(symbol, []) if timeframe == self.timeframe else []

    def read(self, symbol: str, timeframe: str, month: str) -> CandleColumns:
        """As CandleCache has it; DataError for a month that was not loaded and cannot be had."""
        held = self._months[symbol].get(month)
        if held is None:
            if self._cache is None:
                raise DataError(f"the candles of {symbol} {timeframe} of {month} were not loaded with the others")
            held = self._months[symbol][month] = self._cache.read(symbol, timeframe, month)
        return held

    def detached(self) -> "LoadedCandles":
        """The same without the way back to the cache: to be sent to where that is not."""
        return LoadedCandles(self.timeframe, self._months, self._known)

    def feed(self, symbols: Sequence[str], span: Span) -> "TrialFeed":
        """A feed over a span: that of the run before, if it was the same."""
        if self._feed is None or (self._feed.symbols, self._feed.span) != (tuple(symbols), span):
            self._feed = TrialFeed(self, tuple(symbols), span)
        return self._feed


class TrialFeed:
    """The replay feed's own slices of loaded candles; they are immutable, so a few are kept for the next run."""

    def __init__(self, candles: LoadedCandles, symbols: tuple[str, ...], span: Span) -> None:
        self.symbols, self.span = symbols, span
        self._candles = candles
        self._coverage: list[SeriesCoverage] = []
        self._kept: list[Sequence[Slice]] | None = None  # all bursts of the span, or None

    async def run(self, queue: EventQueue) -> None:
        """Put all slices, as fast as the queue takes them."""
        for burst in self.bursts():
            await queue.put(burst)

    def coverage(self) -> list[SeriesCoverage]:
        """What was read of each symbol, config order."""
        return self._coverage

    def bursts(self) -> Iterator[Sequence[Slice]]:
        """The slices of the span in order."""
        if self._kept is not None:
            yield from self._kept
            return
        warmup_start_ms, start_ms, end_ms = self.span
        span = {"warmup_start_ms": warmup_start_ms, "start_ms": start_ms, "end_ms": end_ms}
        feed = ReplayFeed(self._candles, self.symbols, self._candles.timeframe, **span)
        self._coverage = feed.coverage()
        bursts: list[Sequence[Slice]] = []
        count = 0
        for burst in feed.bursts():
            count += len(burst) * len(self.symbols)
            if count <= KEPT_CANDLES_MAX:
                bursts.append(burst)
            else:
                bursts.clear()
            yield burst
        self._coverage = feed.coverage()
        if count <= KEPT_CANDLES_MAX:
            self._kept = bursts


def _by_month(columns: CandleColumns) -> Iterator[tuple[str, CandleColumns]]:
    begin, times_ms = 0, columns.open_time_ms
    while begin < len(times_ms):
        month = month_of(int(times_ms[begin]))
        end = int(np.searchsorted(times_ms, month_bounds_ms(month)[1]))
        yield month, columns.take(slice(begin, end))
        begin = end
