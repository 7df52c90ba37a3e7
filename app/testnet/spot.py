"""The market as the exchange shows it: the source's candles without the holes that a fault cut, closed or forming.

The rule: REST and websocket ask here, so that both show the same candle at the same time; a coarser candle is made of
the finer ones that happened. What has not begun at an instant does not exist. It formats nothing and counts nothing.
"""

from dataclasses import dataclass

from app.candles.month_file import CandleColumns
from app.candles.resample import resample
from app.errors import DataError
from app.testnet.forming import Kline, forming_kline, rows_of
from app.testnet.market import CandleSource, SymbolFilters, joined
from app.testnet.wire import wire_name
from app.times import timeframe_ms


@dataclass(frozen=True)
class Hole:
    """Candles of `symbol` that open from `start_ms` to before `end_ms` do not exist."""

    symbol: str
    start_ms: int
    end_ms: int


class SpotMarket:
    """The source under its names on the wire; DataError if two symbols would have one name."""

    def __init__(self, source: CandleSource) -> None:
        self._source = source
        self.symbols = source.symbols
        self._symbol_of = {wire_name(symbol): symbol for symbol in source.symbols}
        if len(self._symbol_of) != len(source.symbols):
            raise DataError(f"two of {', '.join(source.symbols)} would have one name on the wire")
        self._spans_ms = {symbol: source.span_ms(symbol) for symbol in source.symbols}
        self.holes: list[Hole] = []

    def symbol_of(self, name: str) -> str | None:
        """`BTC/USDT` of `BTCUSDT`."""
        return self._symbol_of.get(name)

    def filters(self, symbol: str) -> SymbolFilters:
        """Limits on orders."""
        return self._source.filters(symbol)

    def span_ms(self, symbol: str) -> tuple[int, int]:
        """First open and last close time, whatever the timeframe."""
        return self._spans_ms[symbol]

    def add_hole(self, hole: Hole) -> None:
        """From now on these candles do not exist."""
        self.holes.append(hole)

    def columns(self, symbol: str, timeframe: str, start_ms: int, end_ms: int) -> CandleColumns:
        """The final candles that open from `start_ms` to before `end_ms`, whole buckets of `timeframe`."""
        base = self._source.made_of(symbol, timeframe)
        if base is None:
            return joined([])
        if not any(hole.symbol == symbol for hole in self.holes):
            return self._source.candles(symbol, timeframe, start_ms, end_ms)
        return resample(self._base(symbol, base, start_ms, end_ms), base, timeframe)

    def kline(self, symbol: str, timeframe: str, open_time_ms: int, now_ms: int) -> Kline | None:
        """The candle as it is at `now_ms`: final once it has closed; None if there is none (yet)."""
        base = self._source.made_of(symbol, timeframe)
        length_ms = timeframe_ms(timeframe)
        if base is None or now_ms < open_time_ms:
            return None
        if now_ms >= open_time_ms + length_ms:
            found = rows_of(self.columns(symbol, timeframe, open_time_ms, open_time_ms + length_ms))
            return found[0] if found else None
        parts = rows_of(self._base(symbol, base, open_time_ms, now_ms + 1))
        if parts and now_ms < parts[-1].open_time_ms + timeframe_ms(base):
            parts[-1] = forming_kline(parts[-1], timeframe_ms(base), now_ms)
        return _one_of(parts, open_time_ms)

    def _base(self, symbol: str, base: str, start_ms: int, end_ms: int) -> CandleColumns:
        columns = self._source.candles(symbol, base, start_ms, end_ms)
        for hole in self.holes:
            if hole.symbol == symbol:
                times = columns.open_time_ms
                columns = columns.take((times < hole.start_ms) | (times >= hole.end_ms))
        return columns


def _one_of(parts: list[Kline], open_time_ms: int) -> Kline | None:
    """The parts of one candle, put together; of the volume only what is printed counts."""
    if not parts:
        return None
    return Kline(
        open_time_ms,
        parts[0].open,
        max(part.high for part in parts),
        min(part.low for part in parts),
        parts[-1].close,
        parts[0].volume if len(parts) == 1 else round(sum(part.volume for part in parts), 8),
    )
