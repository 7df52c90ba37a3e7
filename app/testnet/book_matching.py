"""Matching against a made-up order book around the candle's path: spread, depth by level, a queue, latency.

A market order walks the levels, and what they do not hold is not filled; a limit order waits behind a queue and is
filled in parts, or whole once the price has gone through it. All of it is a function of the seed, the candles and the
times.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from app.testnet.amounts import ZERO, exact, floor_to, is_multiple, minus, plus
from app.testnet.matching import Part, Step
from app.testnet.order_parts import unit
from app.testnet.spot import Kline, forming_kline
from app.testnet.spot_orders import ALGO_TYPES, STOP_TYPES, Order, OrderGroup
from app.testnet.traded_candles import TradedCandles

_CHECKS = 20  # of what rests, for each candle


@dataclass(frozen=True)
class Book:
    """The rates are parts of the price; `depth` is a level's quantity as a part of the usual volume,
    `participation` what of the volume at its price a resting order shares with its queue.
    """

    spread_rate: float = 0.0002
    level_rate: float = 0.0001
    levels: int = 20
    depth: float = 0.02
    latency_ms: int = 50
    participation: float = 0.5


class BookMatching:
    """`tick_of` and `step_of` are those of a symbol like `BTC/USDT`; 0 is none."""

    def __init__(
        self,
        candles: TradedCandles,
        book: Book,
        seed: int,
        tick_of: Callable[[str], Decimal],
        step_of: Callable[[str], Decimal],
    ) -> None:
        self._candles, self._book, self._seed = candles, book, seed
        self._tick_of, self._step_of = tick_of, step_of
        self._queues: dict[int, Decimal] = {}  # by order id: what is filled before it

    def reference(self, symbol: str, now_ms: int) -> float | None:
        """Where the candle's path stands."""
        return self._candles.price_now(symbol, now_ms)

    def takes(self, symbol: str, order: Order, now_ms: int) -> list[Part]:
        """Level by level, as the book stands when the order has travelled."""
        at_ms = now_ms + self._book.latency_ms
        middle, left, found = self._candles.price_now(symbol, at_ms), order.left, []
        if middle is None:
            return []
        volume = self._candles.usual_volume(symbol, at_ms)
        for level in range(self._book.levels):
            price = self._level(symbol, order.sign, middle, level)
            if price <= 0 or (order.has_limit and order.sign * (order.price - price) < 0):
                break
            quantity = min(left, self._depth(symbol, volume, f"{order.sign}:{at_ms}:{level}"))
            if quantity > 0:
                found.append((price, quantity))
                left = minus(left, quantity)
            if not left:
                break
        return found

    def first_check_ms(self, symbol: str, group: OrderGroup, now_ms: int) -> int | None:
        """A twentieth of a candle later."""
        return self.next_check_ms(symbol, group, now_ms)

    def next_check_ms(self, symbol: str, group: OrderGroup, at_ms: int) -> int | None:
        """Every twentieth of a candle, of those that there are."""
        step_ms = self._candles.length_ms(symbol) // _CHECKS
        next_ms = at_ms - at_ms % step_ms + step_ms
        if self._candles.at(symbol, next_ms - 1) is not None:
            return next_ms
        candle = self._candles.next(symbol, next_ms)
        return None if candle is None else candle.open_time_ms + step_ms

    def check(self, symbol: str, group: OrderGroup, at_ms: int) -> list[Step]:
        """What the path did in the twentieth that ends now; a stop comes before a target."""
        length_ms = self._candles.length_ms(symbol)
        candle = self._candles.at(symbol, at_ms - 1)
        if candle is None or candle.volume <= 0:
            return []
        low, high = _range(candle, length_ms, at_ms - length_ms // _CHECKS, at_ms)
        orders = sorted(group.open_orders, key=lambda one: one.type not in STOP_TYPES)
        for order in orders:
            step = self._step(symbol, order, low, high, candle, at_ms)
            if step is not None:
                return [step]
        return []

    def _step(self, symbol: str, order: Order, low: float, high: float, candle: Kline, at_ms: int) -> Step | None:
        if order.type in ALGO_TYPES and not order.is_working:
            stop = float(order.stop_price)
            waits_above = (order.sign > 0) == (order.type in STOP_TYPES)
            if (high >= stop) if waits_above else (low <= stop):
                return Step(order, self.takes(symbol, order, at_ms), is_maker=False, triggers=True)
            return None
        half, limit = self._book.spread_rate / 2.0, float(order.price)
        far = high if order.sign < 0 else low
        # The opposite side of the book went through it; or its own side stood at it.
        if order.sign * (limit - far * (1.0 + order.sign * half)) > 0.0:
            return Step(order, [(order.price, order.left)], is_maker=True)
        if order.sign * (limit - far * (1.0 - order.sign * half)) < 0.0:
            return None
        shared = exact(
            candle.volume / _CHECKS * self._book.participation * unit(self._seed, f"{order.order_id}:{at_ms}")
        )
        queue = self._queues.get(order.order_id)
        if queue is None:
            queue = self._depth(symbol, self._candles.usual_volume(symbol, at_ms), f"queue:{order.order_id}")
        self._queues[order.order_id] = max(ZERO, minus(queue, shared))
        quantity = min(order.left, floor_to(max(ZERO, minus(shared, queue)), self._step_of(symbol)))
        return Step(order, [(order.price, quantity)], is_maker=True) if quantity > 0 else None

    def _level(self, symbol: str, sign: int, middle: float, level: int) -> Decimal:
        """A price of the side that an order of this sign takes from, on the tick, away from the middle."""
        away = self._book.spread_rate / 2.0 + level * self._book.level_rate
        tick = self._tick_of(symbol)
        if not tick:
            return exact(middle * (1.0 + sign * away))
        price = exact(middle * (1.0 + sign * away))
        below = floor_to(price, tick)
        return below if sign < 0 or is_multiple(price, tick) else plus(below, tick)

    def _depth(self, symbol: str, volume: float, what: str) -> Decimal:
        """What one level holds: a share of the usual volume, at least one step."""
        share, step = self._book.depth * (0.5 + unit(self._seed, f"{symbol}:{what}")), self._step_of(symbol)
        return max(step, floor_to(exact(volume * share), step))


def _range(candle: Kline, length_ms: int, from_ms: int, until_ms: int) -> tuple[float, float]:
    """The lowest and the highest price of the candle's path between two times inside it."""
    corners = [candle.open_time_ms + length_ms * third // 3 for third in (1, 2)]
    moments = [from_ms, *(one for one in corners if from_ms < one < until_ms), until_ms]
    seen = [forming_kline(candle, length_ms, max(one, candle.open_time_ms)).close for one in moments]
    return min(seen), max(seen)
