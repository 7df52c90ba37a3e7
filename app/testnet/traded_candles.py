"""The candles that orders are matched against: those of a minute, or the finest above it that the source has.

They are final ones, also where they have not closed yet: the exchange knows its market. What shows of them to a client
is the market's, not this.
"""

from bisect import bisect_left, bisect_right

from app.testnet.spot import Kline, SpotMarket, forming_kline, klines_of
from app.times import TIMEFRAMES_MS

_BLOCK = 512
_BLOCKS_KEPT = 64
_AVERAGE_MINUTES = 5
_USUAL_CANDLES = 30


class TradedCandles:
    """By symbol, like `BTC/USDT`; blocks of candles are kept until the market changes."""

    def __init__(self, market: SpotMarket) -> None:
        self._market = market
        self._changes = market.changes
        self._blocks: dict[tuple[str, int], tuple[list[int], list[Kline]]] = {}
        from_a_minute = [name for name, length_ms in TIMEFRAMES_MS.items() if length_ms >= TIMEFRAMES_MS["1m"]]
        self._timeframe = {
            symbol: next((one for one in from_a_minute if market.has(symbol, one)), "1m") for symbol in market.symbols
        }

    def length_ms(self, symbol: str) -> int:
        """Of one candle."""
        return TIMEFRAMES_MS[self._timeframe[symbol]]

    def at(self, symbol: str, now_ms: int) -> Kline | None:
        """The candle that forms now, final; None if there is none."""
        open_ms = now_ms - now_ms % self.length_ms(symbol)
        times, candles = self._block(symbol, open_ms)
        place = bisect_left(times, open_ms)
        return candles[place] if place < len(times) and times[place] == open_ms else None

    def next(self, symbol: str, from_ms: int) -> Kline | None:
        """The first candle that opens then or later."""
        last_ms = self._market.span_ms(symbol)[1]
        open_ms = max(from_ms, self._market.span_ms(symbol)[0])
        while open_ms < last_ms:
            times, candles = self._block(symbol, open_ms)
            place = bisect_left(times, open_ms)
            if place < len(times):
                return candles[place]
            open_ms = self._next_block_ms(symbol, open_ms)
        return None

    def next_traded(self, symbol: str, now_ms: int) -> Kline | None:
        """The candle that forms now if anybody trades in it, else the first later one with a trade."""
        length_ms = self.length_ms(symbol)
        candle = self.next(symbol, now_ms - now_ms % length_ms)
        while candle is not None and candle.volume <= 0:
            candle = self.next(symbol, candle.open_time_ms + length_ms)
        return candle

    def last_traded(self, symbol: str, now_ms: int) -> Kline | None:
        """The last candle with a trade that opened at or before now."""
        first_ms, last_ms = self._market.span_ms(symbol)
        open_ms = min(now_ms, last_ms - 1)
        while open_ms >= first_ms:
            times, candles = self._block(symbol, open_ms)
            for candle in reversed(candles[: bisect_right(times, open_ms)]):
                if candle.volume > 0:
                    return candle
            span_ms = self.length_ms(symbol) * _BLOCK
            open_ms = open_ms // span_ms * span_ms - 1
        return None

    def price_now(self, symbol: str, now_ms: int) -> float | None:
        """Where the forming candle stands, or the last close."""
        candle = self.at(symbol, now_ms)
        if candle is not None and candle.volume > 0:
            return forming_kline(candle, self.length_ms(symbol), now_ms).close
        last = self.last_traded(symbol, now_ms)
        return None if last is None else last.close

    def average(self, symbol: str, now_ms: int) -> tuple[float, int] | None:
        """The volume-weighted price of the last five minutes that have closed, and when the last of them did; the last
        price where nothing was traded in them.
        """
        length_ms = self.length_ms(symbol)
        count = max(1, _AVERAGE_MINUTES * TIMEFRAMES_MS["1m"] // length_ms)
        end_ms = now_ms - now_ms % length_ms
        seen = [self.at(symbol, end_ms - place * length_ms) for place in range(count, 0, -1)]
        traded = [one for one in seen if one is not None and one.volume > 0]
        if not traded:
            price = self.price_now(symbol, now_ms)
            return None if price is None else (price, now_ms)
        worth = sum((one.open + one.high + one.low + one.close) / 4.0 * one.volume for one in traded)
        return worth / sum(one.volume for one in traded), traded[-1].open_time_ms + length_ms - 1

    def usual_volume(self, symbol: str, now_ms: int) -> float:
        """The mean volume of the last 30 candles, of those that there are."""
        length_ms = self.length_ms(symbol)
        found = [self.at(symbol, now_ms - place * length_ms) for place in range(_USUAL_CANDLES)]
        volumes = [one.volume for one in found if one is not None]
        return sum(volumes) / len(volumes) if volumes else 0.0

    def _next_block_ms(self, symbol: str, open_ms: int) -> int:
        span_ms = self.length_ms(symbol) * _BLOCK
        return (open_ms // span_ms + 1) * span_ms

    def _block(self, symbol: str, open_ms: int) -> tuple[list[int], list[Kline]]:
        if self._changes != self._market.changes:
            self._changes = self._market.changes
            self._blocks.clear()
        span_ms = self.length_ms(symbol) * _BLOCK
        key = (symbol, open_ms // span_ms)
        found = self._blocks.get(key)
        if found is None:
            start_ms = key[1] * span_ms
            candles = klines_of(self._market.columns(symbol, self._timeframe[symbol], start_ms, start_ms + span_ms))
            if len(self._blocks) >= _BLOCKS_KEPT:
                self._blocks.clear()
            found = self._blocks[key] = ([one.open_time_ms for one in candles], candles)
        return found
