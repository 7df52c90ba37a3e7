"""The market as the exchange shows it: the source's candles without the holes that a fault cut, closed or forming.

REST and websocket ask here, so both show the same candle at the same time. A candle that has not begun does not exist.
While it forms, its volume and high only grow and its low only falls, and at its end it is the final candle; a coarser
one is made of the finer ones that happened.
"""

from typing import NamedTuple

from app.candles.market_data import Market
from app.candles.month_file import CandleColumns, concatenated
from app.candles.ranges import Ranges, union
from app.candles.resample import resample
from app.errors import DataError
from app.testnet.market import MarketSource
from app.times import timeframe_ms


class Kline(NamedTuple):
    """One candle's numbers, final or not; time in ms UTC, volume in base units."""

    open_time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class SpotMarket:
    """The source under its names on the wire; DataError if two symbols would have one name."""

    def __init__(self, source: MarketSource) -> None:
        self._source = source
        self.symbols = source.symbols
        self._symbol_of = {wire_name(symbol): symbol for symbol in source.symbols}
        if len(self._symbol_of) != len(source.symbols):
            raise DataError(f"two of {', '.join(source.symbols)} would have one name on the wire")
        self._spans_ms = {symbol: source.span_ms(symbol) for symbol in source.symbols}
        self._holes: dict[str, Ranges] = {}
        self.changes = 0  # how often holes were added; who keeps candles forgets them when it grows

    def symbol_of(self, name: str) -> str | None:
        """`BTC/USDT` of `BTCUSDT`."""
        return self._symbol_of.get(name)

    def filters(self, symbol: str) -> Market:
        """Limits on orders."""
        return self._source.filters(symbol)

    def span_ms(self, symbol: str) -> tuple[int, int]:
        """First open and last close time, whatever the timeframe."""
        return self._spans_ms[symbol]

    def has(self, symbol: str, timeframe: str) -> bool:
        """Whether there are candles of this timeframe at all."""
        return self._source.made_of(symbol, timeframe) is not None

    def add_hole(self, symbol: str, start_ms: int, end_ms: int) -> None:
        """From now on candles that open from `start_ms` to before `end_ms` do not exist."""
        self._holes[symbol] = union(self._holes.get(symbol, ()), [(start_ms, end_ms)])
        self.changes += 1

    def columns(self, symbol: str, timeframe: str, start_ms: int, end_ms: int) -> CandleColumns:
        """The final candles that open from `start_ms` to before `end_ms`, whole buckets of `timeframe`."""
        base = self._source.made_of(symbol, timeframe)
        if base is None:
            return concatenated([])
        if symbol not in self._holes:
            return self._source.candles(symbol, timeframe, start_ms, end_ms)
        return resample(self._base(symbol, base, start_ms, end_ms), base, timeframe)

    def kline(self, symbol: str, timeframe: str, open_time_ms: int, now_ms: int) -> Kline | None:
        """The candle as it is at `now_ms`: final once it has closed; None if there is none (yet)."""
        base = self._source.made_of(symbol, timeframe)
        end_ms = open_time_ms + timeframe_ms(timeframe)
        if base is None or now_ms < open_time_ms:
            return None
        if now_ms >= end_ms:
            found = klines_of(self.columns(symbol, timeframe, open_time_ms, end_ms))
            return found[0] if found else None
        parts = klines_of(self._base(symbol, base, open_time_ms, now_ms + 1))
        if not parts:
            return None
        if now_ms < parts[-1].open_time_ms + timeframe_ms(base):
            parts[-1] = forming_kline(parts[-1], timeframe_ms(base), now_ms)
        high, low = max(part.high for part in parts), min(part.low for part in parts)
        # Of the sum of volumes only what is printed counts.
        volume = parts[0].volume if len(parts) == 1 else round(sum(part.volume for part in parts), 8)
        return Kline(open_time_ms, parts[0].open, high, low, parts[-1].close, volume)

    def _base(self, symbol: str, base: str, start_ms: int, end_ms: int) -> CandleColumns:
        columns = self._source.candles(symbol, base, start_ms, end_ms)
        for first_ms, stop_ms in self._holes.get(symbol, ()):
            times = columns.open_time_ms
            columns = columns.take((times < first_ms) | (times >= stop_ms))
        return columns


def wire_name(symbol: str) -> str:
    """`BTCUSDT` of `BTC/USDT`."""
    return symbol.replace("/", "")


def klines_of(columns: CandleColumns) -> list[Kline]:
    """Columns as candles."""
    return [Kline(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def forming_kline(final: Kline, length_ms: int, now_ms: int) -> Kline:
    """`final` as it is at `now_ms`, which lies inside it: the price goes from the open to the nearer extreme, to the
    other one and to the close, a third of the time each; volume comes evenly."""
    part = min(max((now_ms - final.open_time_ms) / length_ms, 0.0), 1.0)
    up_first = final.high - final.open <= final.open - final.low
    turns = (final.high, final.low) if up_first else (final.low, final.high)
    corners = (final.open, *turns, final.close)
    leg = min(int(part * 3), 2)
    price = corners[leg] + (corners[leg + 1] - corners[leg]) * (part * 3 - leg)
    # As many decimals as the candle's own prices have; rounding may step over an extreme that has more than 8.
    places = min(8, max(_decimals(one) for one in final[1:5]))
    price = min(max(round(price, places), final.low), final.high)
    seen = (*corners[: leg + 1], price)
    volume = min(round(final.volume * part, 8), final.volume)
    return Kline(final.open_time_ms, final.open, max(seen), min(seen), price, volume)


def _decimals(price: float) -> int:
    text = repr(price)
    return 8 if "e" in text else len(text.rpartition(".")[2])
