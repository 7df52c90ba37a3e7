"""A second broker behind the seam: an exchange that answers late, in parts, twice and out of order.

`LateBroker` is the runtime's side: it books orders and sends them. `SlowExchange` is the other side: what it fills it
knows for certain, and what it says of it comes when the test says so. Both are seeded; nothing else decides.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import floor
from random import Random

from app.models.events import Execution
from app.models.market import Candle, Slice
from app.models.orders import CloseOrder, EntryOrder, Line, Order, OrderState, Reason
from app.trading.exit_rules import FillRules, exits_of
from app.trading.ledger import Ledger
from app.trading.order_book import OrderBook

FEE_RATE = 0.001
DIGITS, SCALE = 4, 10_000  # of quantities: fills lie on the step, as an exchange's do


@dataclass
class SlowExchange:
    """Executes what it is sent, at once and for certain; tells of it in `outbox`, in an order of its own."""

    random: Random
    held: dict[Line, float] = field(default_factory=dict)  # signed quantity that it knows of
    cash: float = 0.0
    outbox: list[Execution] = field(default_factory=list)
    working: dict[int, tuple[EntryOrder, float]] = field(default_factory=dict)  # entries with what is unfilled
    fills: dict[str, float] = field(default_factory=dict)

    def take(self, order: Order, quantity: float, price: float, time_ms: int) -> None:
        """A new order."""
        random, told = self.random, [self._told(order, OrderState.ACCEPTED, time_ms)]
        if random.random() < 0.1:
            told.append(self._told(order, OrderState.UNKNOWN, time_ms))
        kind = random.random()
        if isinstance(order, EntryOrder) and kind < 0.1:
            told = [self._told(order, OrderState.REFUSED, time_ms, filled=0.0)]
        elif isinstance(order, EntryOrder) and kind < 0.4:
            part = _part(quantity, random.choice((0.0, 0.25, 0.5)))
            told += self._filled(order, part, price, time_ms)
            self.working[order.order_id] = order, round(quantity - part, DIGITS)
        elif isinstance(order, EntryOrder) and kind < 0.5:
            part = _part(quantity, random.choice((0.0, 0.5)))
            told += self._filled(order, part, price, time_ms)
            told.append(self._told(order, OrderState.EXPIRED, time_ms, filled=part))
        else:
            rest = quantity
            for share in random.choice(((), (0.5,), (0.25, 0.5))):
                told += self._filled(order, part := _part(quantity, share), price, time_ms)
                rest = round(rest - part, DIGITS)
            told += self._filled(order, rest, price, time_ms)
            told.append(self._told(order, OrderState.FILLED, time_ms, filled=quantity))
        self._tell(told)

    def go_on(self, price: float, time_ms: int) -> None:
        """What works is filled, or a part of it."""
        for order_id, (order, rest) in list(self.working.items()):
            if self.random.random() < 0.5:
                continue
            is_whole = self.random.random() < 0.6
            part = rest if is_whole else _part(rest, 0.5)
            told = self._filled(order, part, price, time_ms)
            if is_whole:
                del self.working[order_id]
                told.append(self._told(order, OrderState.FILLED, time_ms, filled=order.quantity))
            else:
                self.working[order_id] = order, round(rest - part, DIGITS)
            self._tell(told)

    def cancel(self, order: EntryOrder, time_ms: int) -> None:
        """A cancellation comes too late for what is filled."""
        if order.order_id in self.working:
            rest = self.working.pop(order.order_id)[1]
            self._tell([self._told(order, OrderState.CANCELLED, time_ms, filled=order.quantity - rest)])

    def _filled(self, order: Order, quantity: float, price: float, time_ms: int) -> list[Execution]:
        if quantity <= 0.0:
            return []
        name = f"{order.order_id}-{len(self.fills)}"
        side = order.side if isinstance(order, EntryOrder) else -(1 if self.held[order.line] > 0.0 else -1)
        commission = FEE_RATE * price * quantity
        self.held[order.line] = self.held.get(order.line, 0.0) + side * quantity
        self.cash -= side * quantity * price + commission
        self.fills[name] = quantity
        return [Execution(order.order_id, OrderState.PARTLY_FILLED, time_ms, name, quantity, price, commission)]

    def _told(self, order: Order, state: OrderState, time_ms: int, filled: float | None = None) -> Execution:
        return Execution(order.order_id, state, time_ms, filled=filled)

    def _tell(self, told: list[Execution]) -> None:
        if self.random.random() < 0.4:
            self.random.shuffle(told)
        for one in told:
            for _ in range(2 if self.random.random() < 0.2 else 1):
                place = len(self.outbox) if self.random.random() < 0.7 else self.random.randint(0, len(self.outbox))
                self.outbox.insert(place, one)


def _part(quantity: float, share: float) -> float:
    steps: int = floor(quantity * share * SCALE)
    return round(steps / SCALE, DIGITS)


class LateBroker:
    """Implements the Broker protocol; `send` and `recall` reach the exchange, and nothing while a tape is replayed."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.book = OrderBook(ledger)
        self._account = ledger.account
        self.send: Callable[[Order, float, float, int], None] | None = None
        self.recall: Callable[[EntryOrder, int], None] | None = None

    async def on_slice(self, slice_: Slice) -> None:
        """Marks; a stop or a target that a candle meets becomes a close order."""
        self._account.time_ms = slice_.close_time_ms
        for candle in slice_.candles:
            self.update_positions(candle)

    def update_positions(self, candle: Candle) -> None:
        """One candle."""
        account = self._account
        account.marks[candle.symbol] = candle.close
        for line in account.lines[candle.symbol]:
            position = account.positions.get(line)
            if position is None or line in account.closing or position.entry_time_ms > candle.open_time_ms:
                continue
            for out in exits_of(position, candle, FillRules())[:1]:
                self._close(line, out.reason)

    async def submit(self, order: Order) -> None:
        """Booked, then sent."""
        self._place(order)

    async def on_execution(self, execution: Execution) -> None:
        """An answer; what a close order has left is closed again."""
        self.book.apply(execution)
        for order in self.book.close_again():
            self._place(order)

    async def cancel_entry(self, line: Line, why: str) -> bool:
        """Asked for once; the answer comes later, or a fill instead."""
        record = self.book.entry_of(line)
        if record is None:
            return False
        if record.cancel_why is None:
            record.cancel_why = why
            if self.recall is not None and isinstance(record.order, EntryOrder):
                self.recall(record.order, self._account.time_ms)
        return True

    async def close_all_positions(self, reason: Reason) -> None:
        """As far as it is not under way."""
        for line in list(self._account.pending):
            await self.cancel_entry(line, "session_end")
        for line in list(self._account.positions):
            if line not in self._account.closing:
                self._close(line, reason)

    def _close(self, line: Line, reason: Reason) -> None:
        account = self._account
        self._place(CloseOrder(account.next_order_id(), line.symbol, reason, account.time_ms, "", line.strategy))

    def _place(self, order: Order) -> None:
        record = self.book.place(order)
        if self.send is not None:
            self.send(order, record.quantity, self._account.marks[order.symbol], self._account.time_ms)
