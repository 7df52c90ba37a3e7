"""Pages of klines: which rows a request gets, exactly as Binance chooses them.

With a start it is the first rows at or after it, without one the last rows; the end is inclusive, on open times; no row
opens after now, and the last may still be forming. Rows are formatted in blocks, and the blocks used last are kept, so
that a page costs a join.
"""

from bisect import bisect_left, bisect_right
from functools import lru_cache

from app.testnet.spot import SpotMarket
from app.testnet.wire import kline_row, kline_rows
from app.times import timeframe_ms

_BLOCK_ROWS = 720
_BLOCKS_KEPT = 256

Row = tuple[int, str]  # open time, and the row as JSON


class KlinePages:
    """Formatted rows of a market."""

    def __init__(self, market: SpotMarket) -> None:
        self._market = market
        self._block = lru_cache(_BLOCKS_KEPT)(self._formatted)

    def forget(self) -> None:
        """The market has changed."""
        self._block.cache_clear()

    def page(
        self, symbol: str, timeframe: str, now_ms: int, *, start_ms: int | None, end_ms: int | None, limit: int
    ) -> list[Row]:
        """At most `limit` rows, ascending."""
        first_ms, last_ms = self._market.span_ms(symbol)
        length_ms = timeframe_ms(timeframe)
        # A coarse candle that began before the first candle is made of what there is of it.
        from_ms = max(first_ms - first_ms % length_ms, 0 if start_ms is None else start_ms)
        until_ms = min(now_ms, last_ms - 1, now_ms if end_ms is None else end_ms)
        if from_ms > until_ms or not self._market.has(symbol, timeframe):
            return []
        rows = self._rows(symbol, timeframe, from_ms, until_ms, limit, from_the_end=start_ms is None)
        if rows and now_ms < rows[-1][0] + length_ms:
            forming = self.forming_row(symbol, timeframe, now_ms)
            rows[-1:] = [] if forming is None else [forming]
        return rows

    def forming_row(self, symbol: str, timeframe: str, now_ms: int) -> Row | None:
        """The row of the candle that has not closed yet."""
        length_ms = timeframe_ms(timeframe)
        open_time_ms = now_ms - now_ms % length_ms
        kline = self._market.kline(symbol, timeframe, open_time_ms, now_ms)
        return None if kline is None else (open_time_ms, kline_row(kline, length_ms))

    def _rows(
        self, symbol: str, timeframe: str, from_ms: int, until_ms: int, limit: int, *, from_the_end: bool
    ) -> list[Row]:
        span_ms = timeframe_ms(timeframe) * _BLOCK_ROWS
        blocks = range(from_ms // span_ms, until_ms // span_ms + 1)
        found: list[Row] = []
        for number in reversed(blocks) if from_the_end else blocks:
            times, rows = self._block(symbol, timeframe, number)
            inside = slice(bisect_left(times, from_ms), bisect_right(times, until_ms))
            block = zip(times[inside], rows[inside], strict=True)
            found = [*block, *found][-limit:] if from_the_end else [*found, *block][:limit]
            if len(found) >= limit:
                break
        return found

    def _formatted(self, symbol: str, timeframe: str, number: int) -> tuple[list[int], list[str]]:
        length_ms = timeframe_ms(timeframe)
        start_ms, end_ms = (one * length_ms * _BLOCK_ROWS for one in (number, number + 1))
        columns = self._market.columns(symbol, timeframe, start_ms, end_ms)
        return columns.open_time_ms.tolist(), kline_rows(columns, length_ms)
