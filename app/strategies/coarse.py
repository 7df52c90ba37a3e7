"""Coarser candles for strategies, built from the session's candles that exist (RULES.md, Candles and slices).

Aligned to the epoch; one closes with the first slice whose close time is at or after its end, whether its symbol
is in that slice or not. Nothing is invented: no candle if there was none, and an unfinished one never closes.
"""

from collections.abc import Sequence

from app.models.market import Candle, Slice
from app.times import timeframe_ms


class CoarseCandles:
    """One coarser timeframe of all symbols. Candles of one slice open together, so they share a bucket."""

    def __init__(self, symbols: Sequence[str], timeframe: str, session_timeframe: str) -> None:
        self.timeframe = timeframe
        self._length_ms = timeframe_ms(timeframe)
        self._session_ms = timeframe_ms(session_timeframe)
        self._order = {symbol: index for index, symbol in enumerate(symbols)}
        self._end_ms = 0
        self._building: dict[str, list[float]] = {}  # open, high, low, close, volume

    def absorb(self, slice_: Slice) -> list[Candle]:
        """Add a slice; the coarse candles that close with it, symbols in config order, then oldest first."""
        open_ms = slice_.close_time_ms - self._session_ms
        end_ms = open_ms // self._length_ms * self._length_ms + self._length_ms
        closed: list[Candle] = []
        if end_ms != self._end_ms:
            closed = self._close()  # no slice closed at the last bucket's end: this is the first one after it
            self._end_ms = end_ms
        for candle in slice_.candles:
            self._add(candle)
        if slice_.close_time_ms >= end_ms:
            closed += self._close()
        if len(closed) > 1:
            closed.sort(key=lambda candle: self._order[candle.symbol])
        return closed

    def absorb_late(self, candle: Candle) -> None:
        """Add a candle whose slice has gone already, if its coarse candle is the one being built."""
        if self._end_ms - self._length_ms <= candle.open_time_ms < self._end_ms:
            self._add(candle)

    def _add(self, candle: Candle) -> None:
        bucket = self._building.get(candle.symbol)
        if bucket is None:
            self._building[candle.symbol] = [
                candle.open,
                candle.high,
                candle.low,
                candle.close,
                candle.volume,
            ]
            return
        bucket[1] = max(bucket[1], candle.high)
        bucket[2] = min(bucket[2], candle.low)
        bucket[3] = candle.close
        bucket[4] += candle.volume

    def _close(self) -> list[Candle]:
        begin_ms = self._end_ms - self._length_ms
        closed = [Candle(s, self.timeframe, begin_ms, *bucket) for s, bucket in self._building.items()]
        self._building.clear()
        return closed
