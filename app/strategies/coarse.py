"""Coarser candles for strategies, built from the session's candles that exist (RULES.md, Candles and slices).

Aligned to the epoch; one closes with the first slice whose close time is at or after its end, whether its symbol
is in that slice or not. Nothing is invented: no candle if there was none, and an unfinished one never closes.
"""

from collections.abc import Sequence

from app.models.market import Candle, Slice
from app.times import timeframe_ms

Bucket = dict[str, list[float]]  # open, high, low, close, volume of each symbol


class CoarseCandles:
    """One coarser timeframe of all symbols. Candles of one slice open together, so they share a bucket."""

    def __init__(self, symbols: Sequence[str], timeframe: str, session_timeframe: str) -> None:
        self.timeframe = timeframe
        self._length_ms = timeframe_ms(timeframe)
        self._session_ms = timeframe_ms(session_timeframe)
        self._order = {symbol: index for index, symbol in enumerate(symbols)}
        self._closed_ms = 0  # close time of the newest slice: a bucket that ends no later has closed
        self._end_ms = 0  # of the newest slice's bucket
        self._building: Bucket = {}  # that bucket
        self._open: dict[int, Bucket] = {}  # each that has not closed, by its end

    def absorb(self, slice_: Slice) -> list[Candle]:
        """Add a slice; the coarse candles that close with it, symbols in config order, then oldest first."""
        close_ms = self._closed_ms = slice_.close_time_ms
        end_ms = (close_ms - self._session_ms) // self._length_ms * self._length_ms + self._length_ms
        if end_ms != self._end_ms:
            self._end_ms = end_ms
            self._building = self._open.setdefault(end_ms, {})
        for candle in slice_.candles:
            _add(self._building, candle)
        if close_ms < end_ms and len(self._open) == 1:
            return []
        closed = [candle for end_ms in sorted(self._open) if end_ms <= close_ms for candle in self._close(end_ms)]
        if len(closed) > 1:
            closed.sort(key=lambda candle: self._order[candle.symbol])
        return closed

    def absorb_late(self, candle: Candle) -> None:
        """Add a candle whose slice has gone without it; a coarse candle that has closed stays as it went out."""
        end_ms = candle.open_time_ms // self._length_ms * self._length_ms + self._length_ms
        if end_ms > self._closed_ms:
            _add(self._open.setdefault(end_ms, {}), candle)

    def _close(self, end_ms: int) -> list[Candle]:
        begin_ms = end_ms - self._length_ms
        return [Candle(s, self.timeframe, begin_ms, *values) for s, values in self._open.pop(end_ms).items()]


def _add(bucket: Bucket, candle: Candle) -> None:
    values = bucket.get(candle.symbol)
    if values is None:
        bucket[candle.symbol] = [candle.open, candle.high, candle.low, candle.close, candle.volume]
        return
    values[1] = max(values[1], candle.high)
    values[2] = min(values[2], candle.low)
    values[3] = candle.close
    values[4] += candle.volume
