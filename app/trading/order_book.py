"""The orders at an exchange: what was sent, what is known of each leg, and which fills were counted.

Answers may come late, twice, in parts and in any order. A fill counts once, by its id; a state never goes back; an
order is over when each of its legs has ended and all fills that the exchange told of have come.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from app.models.events import Execution
from app.models.intents import CLOSE, ENTRY, LIST, STOP, TARGET, Cancel, Intent, PlaceOco, PlaceOrder
from app.models.orders import OVER, RESTING, CloseOrder, EntryOrder, Line, OrderState, Reason

_CANCELLING: Final = (OrderState.CANCEL_SENT, OrderState.CANCEL_UNKNOWN)
_EXISTS: Final = (*RESTING, OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED)
_OF_A_LIST: Final = (OrderState.SENT, OrderState.UNKNOWN, OrderState.ACCEPTED, OrderState.REFUSED)
_RANK: Final = {state: rank for rank, state in enumerate(OrderState)}
_REST: Final = 1e-9  # of a quantity: what sums of parts may differ by
_KEPT: Final = 500  # orders that are over, newest last, so that a fill told again is known


class Leg(msgspec.Struct):
    """One order at the exchange; `filled_at_end` as it told it with the last state."""

    state: OrderState = OrderState.INTENT
    filled: float = 0.0
    filled_at_end: float | None = None
    fill_ids: set[str] = msgspec.field(default_factory=set)


class OrderRecord(msgspec.Struct):
    """What was asked for, and what became of it: an entry, a close order, or an OCO that protects a trade."""

    intent: PlaceOrder | PlaceOco
    line: Line
    legs: dict[str, Leg]
    entry: EntryOrder | None = None
    close: CloseOrder | None = None
    trade_id: int | None = None  # that it opened, or closes
    target_reason: Reason = Reason.TAKE_PROFIT
    stop_reason: Reason = Reason.STOP_LOSS
    cancel: Cancel | None = None
    cancel_why: str = ""

    @property
    def oco(self) -> PlaceOco:
        """The intent of a bracket; TypeError for another order."""
        if not isinstance(self.intent, PlaceOco):
            raise TypeError(f"order {self.intent.order_id} is no OCO")
        return self.intent

    @property
    def is_over(self) -> bool:
        """Whether nothing more can come of it."""
        return all(self._is_leg_over(leg) for leg in self.legs.values())

    def _is_leg_over(self, leg: Leg) -> bool:
        whole = leg.filled_at_end
        if whole is None:
            whole = self.intent.quantity if leg.state is OrderState.FILLED else 0.0
        return leg.state in OVER and leg.filled >= whole * (1.0 - _REST)

    @property
    def filled(self) -> float:
        """The base quantity that was traded, over its legs."""
        return sum(leg.filled for leg in self.legs.values())

    @property
    def remaining(self) -> float:
        """What it may still trade."""
        return max(0.0, self.intent.quantity - self.filled)

    @property
    def is_unknown(self) -> bool:
        """Whether nobody knows if the exchange has it."""
        return any(leg.state is OrderState.UNKNOWN for leg in self.legs.values())

    @property
    def rests(self) -> bool:
        """Whether the exchange has it, as far as is known; of an OCO, its stop."""
        leg = self.legs.get(STOP) or next(iter(self.legs.values()))
        return leg.state in RESTING

    @property
    def has_lost_its_stop(self) -> bool:
        """An OCO whose target may still be filled although its stop has ended (a target that was filled in part)."""
        stop, target = self.legs[STOP], self.legs[TARGET]
        return stop.state in OVER and target.state not in OVER and self.remaining > 0.0

    @property
    def has_triggered(self) -> bool:
        """An OCO whose target has ended although its stop has not: what is left of it is a sale under way."""
        stop, target = self.legs[STOP], self.legs[TARGET]
        return stop.state not in OVER and target.state in OVER and self.remaining > 0.0 and self.cancel is None

    @property
    def state(self) -> OrderState:
        """Of an entry or a sale; of an OCO, that of its target."""
        return next(iter(self.legs.values())).state

    @property
    def is_refused(self) -> bool:
        """Whether nothing of it was ever at the exchange."""
        return all(leg.state is OrderState.REFUSED for leg in self.legs.values())

    def note(self, execution: Execution) -> bool:
        """What the exchange says of it; whether it is a fill that was not known."""
        is_new = False
        for name, leg in self.legs.items():
            if name == execution.leg:
                is_new = self._note(leg, execution)
            elif execution.leg == LIST and execution.state in _OF_A_LIST:
                self._note(leg, execution)
        return is_new

    def _note(self, leg: Leg, execution: Execution) -> bool:
        is_new = execution.quantity > 0.0 and execution.fill_id not in leg.fill_ids
        if is_new:
            leg.fill_ids.add(execution.fill_id)
            leg.filled += execution.quantity
        if leg.state is OrderState.REFUSED:
            goes_on = execution.state in _EXISTS  # the proof that it never arrived was wrong
        elif leg.state is OrderState.UNKNOWN and execution.state in _CANCELLING:
            goes_on = False  # that it is being cancelled does not say that it is there
        else:
            goes_on = leg.state not in OVER and _RANK[execution.state] >= _RANK[leg.state]
        if goes_on:
            leg.state = execution.state
        if execution.state in OVER and execution.filled is not None:
            leg.filled_at_end = max(execution.filled, leg.filled_at_end or 0.0)
        return is_new


class OrderBook:
    """Records by order id: those that are open, and those that are over as far back as a fill may be told again."""

    def __init__(self) -> None:
        self.open: dict[int, OrderRecord] = {}
        self.over: dict[int, OrderRecord] = {}
        self.forgotten = 0  # the highest number among those that were over and are not kept any more

    def add(self, record: OrderRecord) -> None:
        """An order that is about to be sent."""
        self.open[record.intent.order_id] = record

    def find(self, order_id: int) -> OrderRecord | None:
        """Open or over."""
        return self.open.get(order_id) or self.over.get(order_id)

    def settle(self, record: OrderRecord) -> bool:
        """Moves one that is over; whether it has just become so."""
        order_id = record.intent.order_id
        if order_id not in self.open or not record.is_over:
            return False
        self.over[order_id] = self.open.pop(order_id)
        while len(self.over) > _KEPT:
            oldest = next(iter(self.over))
            del self.over[oldest]
            self.forgotten = max(self.forgotten, oldest)
        return True

    def has_forgotten(self, order_id: int) -> bool:
        """Whether it was over long ago, with all its fills counted."""
        return order_id <= self.forgotten and self.find(order_id) is None

    def has_counted(self, order_id: int, leg: str, fill_id: str) -> bool:
        """Whether a fill was heard of."""
        record = self.find(order_id)
        if record is None:
            return self.has_forgotten(order_id)
        return leg in record.legs and fill_id in record.legs[leg].fill_ids

    def reopen(self, record: OrderRecord) -> bool:
        """Moves one back that was over and is not; whether it was so."""
        order_id = record.intent.order_id
        if order_id in self.open or record.is_over:
            return False
        self.open[order_id] = self.over.pop(order_id)
        return True

    def of(self, line: Line) -> Iterator[OrderRecord]:
        """The open ones of a line, in the order in which they were sent."""
        return (record for record in self.open.values() if record.line == line)

    def entry_of(self, line: Line) -> OrderRecord | None:
        """The line's entry that is not over."""
        return next((record for record in self.of(line) if record.entry is not None), None)

    def close_of(self, line: Line) -> OrderRecord | None:
        """The line's sale at the market that is not over."""
        return next((record for record in self.of(line) if record.close is not None), None)

    def brackets(self, line: Line) -> list[OrderRecord]:
        """The line's OCOs that are not over."""
        return [record for record in self.of(line) if isinstance(record.intent, PlaceOco)]

    def to_be_sold(self, line: Line) -> float:
        """What the line's OCOs and sales may still sell."""
        return sum(record.remaining for record in self.of(line) if record.entry is None)

    def accepted_ids(self) -> set[str]:
        """Client ids of orders that the exchange has told to rest there, and no end of them."""
        found = set()
        for record in self.open.values():
            intent = record.intent
            names = {ENTRY: intent.client_id, CLOSE: intent.client_id}
            if isinstance(intent, PlaceOco):
                names = {TARGET: intent.target_id, STOP: intent.stop_id}
            found |= {names[name] for name, leg in record.legs.items() if leg.state in RESTING}
        return found

    def intents(self) -> list[Intent]:
        """All that is not over as it was asked for, cancellations after what they cancel."""
        asked: list[Intent] = []
        for record in self.open.values():
            asked.append(record.intent)
            if record.cancel is not None:
                asked.append(record.cancel)
        return asked


def legs_of_intent(intent: PlaceOrder | PlaceOco, *, is_entry: bool) -> dict[str, Leg]:
    """The legs by the letters of their client ids."""
    if isinstance(intent, PlaceOco):
        return {TARGET: Leg(), STOP: Leg()}
    return {ENTRY if is_entry else CLOSE: Leg()}
