"""What each line should have at the exchange, and what it has: the intents that bring the two together.

Every position is to rest there in OCO orders with its stop and target. A close order first takes these away, then
sells. `tend` compares and sends what is missing; it is called after everything that may have changed a line.
"""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from app.models.intents import CLOSE, ENTRY, LIST, STOP, TARGET, Cancel, ClientId, Intent, PlaceOco, PlaceOrder
from app.models.orders import CloseOrder, EntryOrder, Line, Position, Reason
from app.trading.brackets import Bracket, wanted_brackets
from app.trading.ledger import Ledger
from app.trading.order_book import OrderBook, OrderRecord, legs_of_intent

_RETRY_MS, _RETRY_MOST_MS = 10_000, 600_000  # after a refusal, until it is tried again
_TOLD_TIMES = 3
_MOST_OCOS = 2  # of a position without legs: an exchange allows few stops a symbol (Binance five)
_TRIGGERS, _MATCHES = "trigger immediately", "immediately match"  # why an OCO is refused, in the exchange's words


class OrderLimits(msgspec.Struct, frozen=True):
    """The operator's limits on what is sent; None for none. Notional in quote currency."""

    max_order_notional: float | None = 50.0
    max_daily_orders: int | None = 20
    refusals_in_a_row: int = 5


class Refusals(NamedTuple):
    """How many in a row, and until when the next try waits."""

    times: int
    until_ms: int


class StopPlace(StrEnum):
    """Where a position's stop is."""

    EXCHANGE = "on the exchange"
    PLACING = "being placed on the exchange"
    PROCESS = "in this process only"
    CLOSING = "the position is being closed"


class ExchangeLines:
    """The orders of all lines at the exchange. `now_ms` is the newest time that an event has told."""

    def __init__(self, ledger: Ledger, tag: str, epoch: int) -> None:
        self.book = OrderBook()
        self.outbox: list[Intent] = []
        self.refusals: dict[Line, Refusals] = {}  # in a row, of what is to be tried again
        self.now_ms = 0
        self._ledger = ledger
        self._account = ledger.account
        self._tag, self._epoch = tag, epoch

    def enter(self, order: EntryOrder) -> None:
        """Sends an entry."""
        self._account.pending[order.line] = order
        intent = PlaceOrder(
            self._client_id(order.order_id, ENTRY), order.order_id, order.symbol, True, order.quantity,
            self._account.time_ms, order.limit,
        )  # fmt: skip
        self._place(OrderRecord(intent, order.line, legs_of_intent(intent, is_entry=True), entry=order))

    def cancel_entry(self, line: Line, why: str) -> bool:
        """Asks for it, once; False if the line has no entry that is open."""
        record = self.book.entry_of(line)
        if record is None:
            return False
        record.cancel_why = record.cancel_why or why
        self.cancel(record)
        return True

    def close(self, line: Line, reason: Reason) -> None:
        """The line's position is to be closed at the market, as far as that is not under way."""
        if line not in self._account.closing:
            self._account.closing[line] = self._close_order(line, reason)
        self.tend(line)

    def close_unprotected(self, record: OrderRecord, why: str) -> None:
        """An OCO was refused for what it is: what it was to protect is sold, of a leg that is past only the leg."""
        line = record.line
        position = self._account.positions.get(line)
        if position is None or self.stop_place(position) is StopPlace.EXCHANGE:
            return
        if _TRIGGERS in why:
            self.close(line, record.stop_reason)
        elif _MATCHES not in why:
            self.close(line, Reason.UNPROTECTED)
        elif record.target_reason is Reason.PARTIAL_TARGET:
            quantity = min(record.intent.quantity, position.quantity)
            self._sell(position, self._close_order(line, Reason.PARTIAL_TARGET), quantity)
        else:
            self.close(line, Reason.TAKE_PROFIT)

    def tend(self, line: Line) -> None:
        """Sends what is missing between what the line should have at the exchange and what it has there."""
        position = self._account.positions.get(line)
        brackets = self.book.brackets(line)
        if position is None:
            for bracket in brackets:
                self.cancel(bracket)
        elif line in self._account.closing:
            self._tend_close(position, self._account.closing[line], brackets)
        elif not self._is_market_entry_open(line):
            self._tend_protection(position, brackets)

    def _is_market_entry_open(self, line: Line) -> bool:
        # Its parts come within one answer: one protection for all of them. A limit order may take hours.
        record = self.book.entry_of(line)
        return record is not None and record.entry is not None and record.entry.limit is None

    def _tend_close(self, position: Position, order: CloseOrder, brackets: list[OrderRecord]) -> None:
        """First no entry that could still be filled, then no OCO that locks the quantity, then the sale."""
        line = position.line
        if self.book.entry_of(line) is not None:
            self.cancel_entry(line, "session_end")
            return
        for bracket in brackets:
            self.cancel(bracket)
        if brackets or self.book.close_of(line) is not None or self._must_wait(line):
            return
        instrument = self._ledger.instrument(position.symbol)
        quantity = instrument.round_quantity(position.quantity)
        if not instrument.is_enough(quantity, self._account.marks[position.symbol]):
            self._ledger.write_off(position)
            return
        if self.book.find(order.order_id) is not None:  # what was sold under this number has left something
            order = msgspec.structs.replace(order, order_id=self._account.next_order_id())
            self._account.closing[line] = order
        self._sell(position, order, quantity)

    def _close_order(self, line: Line, reason: Reason) -> CloseOrder:
        account = self._account
        return CloseOrder(account.next_order_id(), line.symbol, reason, account.time_ms, "", line.strategy)

    def _sell(self, position: Position, order: CloseOrder, quantity: float) -> None:
        intent = PlaceOrder(
            self._client_id(order.order_id, CLOSE), order.order_id, order.symbol, False, quantity,
            self._account.time_ms,
        )  # fmt: skip
        legs = legs_of_intent(intent, is_entry=False)
        self._place(OrderRecord(intent, position.line, legs, close=order, trade_id=position.trade_id))

    def _tend_protection(self, position: Position, brackets: list[OrderRecord]) -> None:
        """Every part of the position in an OCO with the stop and a target as they should be."""
        line, instrument = position.line, self._ledger.instrument(position.symbol)
        wanted = wanted_brackets(position, instrument)
        resting: dict[float, OrderRecord] = {}
        making_room: set[float] = set()
        for bracket in sorted(brackets, key=lambda one: not one.rests):
            if bracket.remaining <= 0.0:
                continue
            intent = bracket.oco
            fits = intent.stop == position.stop and not bracket.has_lost_its_stop
            if bracket.cancel is not None:
                if fits:
                    making_room.add(intent.target)  # for one that is larger, or smaller: not before it is gone
                continue
            asked = wanted.get(intent.target)
            if not fits or asked is None or bracket.remaining > asked.quantity * (1.0 + 1e-9):
                self.cancel(bracket)
            else:
                resting[intent.target] = bracket
                asked.quantity = instrument.round_quantity(asked.quantity - bracket.remaining)
        free = instrument.round_quantity(position.quantity - self.book.to_be_sold(line))
        if free <= 0.0 or self._must_wait(line):
            return
        for asked in wanted.values():
            if asked.target in making_room:
                continue
            quantity = min(free, asked.quantity)
            is_enough = instrument.is_enough(quantity, position.stop)
            joins = resting.get(asked.target) if len(brackets) >= _MOST_OCOS or not is_enough else None
            if joins is None and is_enough:
                free = instrument.round_quantity(free - quantity)
                self._protect(position, asked, quantity)
            elif joins is not None and quantity > 0.0 and all(one.cancel is None for one in brackets):
                self.cancel(joins)  # once it is gone, both are placed as one

    def _protect(self, position: Position, asked: Bracket, quantity: float) -> None:
        order_id = self._account.next_order_id()
        list_id, target_id, stop_id = (self._client_id(order_id, leg) for leg in (LIST, TARGET, STOP))
        intent = PlaceOco(
            list_id, target_id, stop_id, order_id, position.symbol, quantity, asked.target, position.stop,
            self._account.time_ms,
        )  # fmt: skip
        self._place(
            OrderRecord(
                intent, position.line, legs_of_intent(intent, is_entry=False), trade_id=position.trade_id,
                target_reason=asked.reason, stop_reason=position.moved_by or Reason.STOP_LOSS,
            )
        )  # fmt: skip

    def wait_after_refusal(self, line: Line, *, is_passing: bool) -> None:
        """The same is tried again; where it was refused for good after waits that grow, so that it floods nobody."""
        times = self.refusals[line].times if line in self.refusals and not is_passing else 0
        self.refusals[line] = Refusals(times + 1, self.now_ms + min(_RETRY_MOST_MS, _RETRY_MS << min(times, 6)))

    def try_again(self, line: Line) -> None:
        """It was said that the first waits are over, whatever the exchange's clock shows."""
        if line in self.refusals and self.refusals[line].times < _TOLD_TIMES:
            self.refusals[line] = Refusals(self.refusals[line].times, 0)

    def _must_wait(self, line: Line) -> bool:
        return line in self.refusals and self.now_ms < self.refusals[line].until_ms

    def stop_place(self, position: Position) -> StopPlace:
        """Where the stop of a position is."""
        line, instrument = position.line, self._ledger.instrument(position.symbol)
        if line in self._account.closing:
            return StopPlace.CLOSING
        brackets = self.book.brackets(line)
        if any(one.has_triggered for one in brackets):
            return StopPlace.PROCESS  # what of a triggered stop is not filled may lie where nobody buys any more
        resting = [one for one in brackets if one.rests and one.cancel is None]
        if instrument.round_quantity(position.quantity - sum(one.remaining for one in resting)) <= 0.0:
            return StopPlace.EXCHANGE
        if len(resting) < len(brackets) or self._is_market_entry_open(line):
            return StopPlace.PLACING
        return StopPlace.PROCESS

    def _client_id(self, order_id: int, leg: str) -> str:
        return str(ClientId(self._tag, self._epoch, order_id, leg))

    def _place(self, record: OrderRecord) -> None:
        self.book.add(record)
        self.outbox.append(record.intent)

    def cancel(self, record: OrderRecord) -> None:
        """Once; whoever sends it goes on until the order has ended. What is filled ends by itself."""
        if record.cancel is None and record.remaining > 0.0:
            intent = record.intent
            record.cancel = Cancel(
                intent.client_id, intent.order_id, intent.symbol, self._account.time_ms, isinstance(intent, PlaceOco)
            )
            self.outbox.append(record.cancel)
