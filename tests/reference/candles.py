"""Candles, slices and coarser candles of the independent reference (RULES.md, 'Candles and slices')."""

from collections.abc import Iterator

Row = tuple[int, float, float, float, float, float]  # open_time_ms, open, high, low, close, volume


def slices_of(
    candles: dict[str, list[Row]], symbols: list[str], begin_ms: int, end_ms: int
) -> Iterator[tuple[int, list[tuple[str, Row]]]]:
    """Candles that close together, in config order; rising close time."""
    by_time: dict[int, list[tuple[str, Row]]] = {}
    for symbol in symbols:
        for row in candles.get(symbol, []):
            if begin_ms <= row[0] < end_ms:
                by_time.setdefault(row[0], []).append((symbol, row))
    for open_time in sorted(by_time):
        yield open_time, by_time[open_time]


class Coarser:
    """Rules, 'Coarser candles': one symbol's candles of a multiple of the session's timeframe."""

    def __init__(self, timeframe_ms: int) -> None:
        self.timeframe_ms = timeframe_ms
        self.forming: list[Row] = []  # unfinished, oldest first; sometimes two

    def add(self, row: Row) -> None:
        # Aligned to the epoch. Decision: a session candle belongs where its open time lies.
        begin = row[0] // self.timeframe_ms * self.timeframe_ms
        if self.forming and self.forming[-1][0] == begin:
            _, first, high, low, _, volume = self.forming[-1]
            self.forming[-1] = (begin, first, max(high, row[2]), min(low, row[3]), row[4], volume + row[5])
        else:
            self.forming.append((begin, *row[1:]))

    def close(self, close_time: int) -> list[Row]:
        # "close with the first slice whose close time is at or after their end"
        closed = []
        while self.forming and self.forming[0][0] + self.timeframe_ms <= close_time:
            closed.append(self.forming.pop(0))
        return closed
