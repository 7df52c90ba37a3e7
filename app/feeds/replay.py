"""ReplayFeed: history from the candle cache as a feed, at full speed or paced.

Streams month by month, so memory does not grow with the length of the tape. It aligns the symbols' candles into
slices and marks the warm-up; it reads nothing outside its range, invents no candle and decides nothing.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat

from app import times
from app.candles.series import CandleSource, Rows, SeriesCoverage, SeriesReader
from app.feeds.base import EventQueue
from app.models.market import Candle, Slice
from app.times import timeframe_ms

BURST_SLICES = 256  # long enough that the queue costs nothing, short enough that a stop is heard in milliseconds


class ReplayFeed:
    """Candles with `warmup_start_ms <= open time < end_ms`; those before `start_ms` are warm-up.

    `speed` is a multiple of real time; None is as fast as the consumer takes them.
    """

    def __init__(
        self,
        cache: CandleSource,
        symbols: Sequence[str],
        timeframe: str,
        *,
        warmup_start_ms: int,
        start_ms: int,
        end_ms: int,
        speed: float | None = None,
    ) -> None:
        self._timeframe = timeframe
        self._timeframe_ms = timeframe_ms(timeframe)
        self._start_ms = start_ms
        self._end_ms = end_ms
        self._speed = speed
        self._series = [SeriesReader(cache, symbol, timeframe, warmup_start_ms, start_ms, end_ms) for symbol in symbols]

    async def run(self, queue: EventQueue) -> None:
        """Put all slices, as fast as the queue takes them or at the given pace."""
        if self._speed is None:
            for burst in self.bursts():
                await queue.put(burst)
        else:
            await self._run_paced(queue, self._speed)

    def coverage(self) -> list[SeriesCoverage]:
        """What was read so far of each symbol, config order."""
        return [series.coverage for series in self._series]

    def bursts(self) -> Iterator[Sequence[Slice]]:
        """The slices of the range in order, some hundred at a time."""
        window_ms = BURST_SLICES * self._timeframe_ms
        while (begin_ms := min(series.next_open_ms for series in self._series)) < self._end_ms:
            warmup = begin_ms < self._start_ms
            stop_ms = min(begin_ms + window_ms, self._start_ms if warmup else self._end_ms)
            rows = [series.take(stop_ms) for series in self._series]
            times_ms, candles = align([self._candles(r, s.symbol) for r, s in zip(rows, self._series, strict=True)])
            length_ms = self._timeframe_ms
            close_times_ms = [time_ms + length_ms for time_ms in times_ms]
            yield list(map(Slice, close_times_ms, candles, repeat(warmup)))

    async def _run_paced(self, queue: EventQueue, speed: float) -> None:
        began_s = times.monotonic_s()
        first_close_ms: int | None = None
        for burst in self.bursts():
            for slice_ in burst:
                if slice_.warmup:
                    await queue.put((slice_,))
                    continue
                if first_close_ms is None:
                    first_close_ms = slice_.close_time_ms
                due_s = began_s + (slice_.close_time_ms - first_close_ms) / 1000.0 / speed
                await asyncio.sleep(max(0.0, due_s - times.monotonic_s()))
                await queue.put((slice_,))

    def _candles(self, rows: Rows, symbol: str) -> tuple[list[int], list[Candle]]:
        return rows[0], list(map(Candle, repeat(symbol), repeat(self._timeframe), *rows))


def align(
    series: Sequence[tuple[Sequence[int], Sequence[Candle]]],
) -> tuple[Sequence[int], Iterable[tuple[Candle, ...]]]:
    """Open times and candles of each symbol (config order), put together by time, rising; absent ones are absent."""
    first_times_ms = series[0][0]
    if all(times_ms == first_times_ms for times_ms, _ in series):
        return first_times_ms, zip(*(candles for _, candles in series), strict=True)
    together: dict[int, list[Candle]] = {}
    for times_ms, candles in series:
        for time_ms, candle in zip(times_ms, candles, strict=True):
            together.setdefault(time_ms, []).append(candle)
    rising = sorted(together)
    return rising, (tuple(together[time_ms]) for time_ms in rising)
