"""Matching by the trading rules (RULES.md), so that a live session equals a paper session of the same candles.

A market order fills at once at the open of the candle that forms, or of the symbol's next traded one. What rests is
looked at once for each candle, when nine tenths of it are over, against the final candle: what sells by the exit check
of a long, what buys by the rule of limit entries. Where a candle cannot tell what came first, the stop did.
"""

from decimal import Decimal
from typing import Literal

from app.testnet.amounts import exact
from app.testnet.exchange_variants import Variants
from app.testnet.matching import Part, Step
from app.testnet.spot import Kline
from app.testnet.spot_orders import ALGO_TYPES, STOP_TYPES, Order, OrderGroup
from app.testnet.traded_candles import TradedCandles

_CHECKED_AT = 0.9


class RulesMatching:
    """Keeps what a candle filled inside, since an exit on that candle sees only its stop; nothing else."""

    def __init__(
        self,
        candles: TradedCandles,
        *,
        slippage_rate: float,
        limit_fill: Literal["through", "touch"],
        variants: Variants,
    ) -> None:
        self._candles, self._slippage_rate, self._variants = candles, slippage_rate, variants
        self._on_touch = limit_fill == "touch"
        self._inside: dict[tuple[str, str], tuple[int, int]] = {}  # account, symbol: candle's open, time of the fill
        self._filled_inside: dict[str, tuple[int, float]] = {}  # symbol: candle's open, price

    def reference(self, symbol: str, now_ms: int) -> float | None:
        """The open of the candle that forms; once something was filled inside it, where that was."""
        length_ms = self._candles.length_ms(symbol)
        filled = self._filled_inside.get(symbol)
        if filled is not None and filled[0] == now_ms - now_ms % length_ms:
            return filled[1]
        return self._market_price(symbol, now_ms)

    def _market_price(self, symbol: str, now_ms: int) -> float | None:
        """The open of the candle that a market order fills in; after the last candle, its close."""
        candle = self._candles.next_traded(symbol, now_ms)
        if candle is not None:
            return candle.open
        last = self._candles.last_traded(symbol, now_ms)
        return None if last is None else last.close

    def takes(self, symbol: str, order: Order, now_ms: int) -> list[Part]:
        """A market order all of it; a limit order only while a candle with trades forms that opened at its price."""
        if not order.has_limit:
            last = self._market_price(symbol, now_ms)
            return [] if last is None else [(self._slipped(order, last), order.left)]
        candle = self._candles.at(symbol, now_ms)
        if candle is None or candle.volume <= 0:
            return []
        price = self._taken(order, candle)
        return [] if price is None else [(price, order.left)]

    def first_check_ms(self, symbol: str, group: OrderGroup, now_ms: int) -> int | None:
        """On the candle that forms, also where most of it is over."""
        candle, length_ms = self._candles.at(symbol, now_ms), self._candles.length_ms(symbol)
        if candle is None:
            group.arrived_in_gap = True
            return self.next_check_ms(symbol, group, now_ms)
        last_ms = candle.open_time_ms + length_ms - 1
        return max(candle.open_time_ms + int(length_ms * _CHECKED_AT), min(now_ms + 1, last_ms))

    def next_check_ms(self, symbol: str, group: OrderGroup, at_ms: int) -> int | None:
        """On the next candle that there is."""
        length_ms = self._candles.length_ms(symbol)
        candle = self._candles.next(symbol, at_ms - at_ms % length_ms + length_ms)
        return None if candle is None else candle.open_time_ms + int(length_ms * _CHECKED_AT)

    def check(self, symbol: str, group: OrderGroup, at_ms: int) -> list[Step]:
        """The first that holds: stop at the open, target at the open, stop, target."""
        candle = self._candles.at(symbol, at_ms)
        if candle is None:
            return []
        is_first, group.arrived_in_gap = group.arrived_in_gap, False
        if candle.volume <= 0:
            return []
        orders = group.open_orders
        if is_first and (steps := self._arrived(orders, candle)):
            return steps
        stops = [one for one in orders if one.type in STOP_TYPES and not one.is_working]
        others = [one for one in orders if one not in stops]
        inside = self._inside.get((group.account, symbol))
        if inside is not None and inside[0] == candle.open_time_ms and group.created_ms >= inside[1]:
            others = []
        opened = (candle.open, candle.open)
        for found in (
            self._stopped(stops, *opened, at=candle.open),
            self._reached(others, *opened, at=candle.open),
            self._stopped(stops, candle.low, candle.high),
            self._reached(others, candle.low, candle.high),
        ):
            if found is not None:
                if found.is_maker and found.order.side == "BUY":
                    self._inside[group.account, symbol] = (candle.open_time_ms, at_ms)
                    self._filled_inside[symbol] = (candle.open_time_ms, float(found.order.price))
                return [found]
        return []

    def _arrived(self, orders: list[Order], candle: Kline) -> list[Step]:
        """The first candle of an order that came while there was none."""
        for order in orders:
            if order.has_limit and order.is_working and order.type != "LIMIT_MAKER":
                price = self._taken(order, candle)
                if price is not None:
                    return [Step(order, [(price, order.left)], is_maker=False)]
        return []

    def _taken(self, order: Order, candle: Kline) -> Decimal | None:
        """At what price a limit order trades as it arrives; None if the market does not stand at it."""
        if order.sign * (float(order.price) - candle.open) < 0.0:
            return None
        slipped = self._slipped(order, candle.open)
        return min(slipped, order.price) if order.sign > 0 else max(slipped, order.price)

    def _stopped(self, stops: list[Order], low: float, high: float, *, at: float | None = None) -> Step | None:
        """A stop that the price reached; `at` is the open, where the candle began there."""
        for order in stops:
            stop, near = float(order.stop_price), low if order.sign < 0 else high
            if order.sign * (near - stop) >= 0.0:
                return self._triggered(order, stop if at is None else at)
        return None

    def _reached(self, others: list[Order], low: float, high: float, *, at: float | None = None) -> Step | None:
        """A target or limit that the price went beyond."""
        for order in others:
            far = high if order.sign < 0 else low
            if order.type in ALGO_TYPES and not order.is_working:
                stop = float(order.stop_price)
                if order.sign * (stop - far) >= 0.0:
                    return self._triggered(order, stop if at is None else at)
            elif self._is_past(order.sign * (float(order.price) - far)):
                at_open = at is not None and order.sign < 0 and self._variants.gap_target == "open"
                price = exact(at) if at is not None and at_open else order.price
                return Step(order, [(price, order.left)], is_maker=True)
        return None

    def _triggered(self, order: Order, price: float) -> Step:
        """It becomes a market order at that price, or a limit order that takes there if its own price allows."""
        slipped = self._slipped(order, price)
        if order.has_limit:
            if order.sign * (order.price - exact(price)) < 0:
                return Step(order, [], is_maker=False, triggers=True)
            slipped = min(slipped, order.price) if order.sign > 0 else max(slipped, order.price)
        return Step(order, [(slipped, order.left)], is_maker=False, triggers=True)

    def _slipped(self, order: Order, price: float) -> Decimal:
        return exact(price * (1.0 + order.sign * self._slippage_rate))

    def _is_past(self, distance: float) -> bool:
        return distance >= 0.0 if self._on_touch else distance > 0.0
