"""The orders of a broker that answers later: what is known of each, and what its executions do to the ledger.

Answers may come late, twice, in parts and in any order. A fill counts once, by its id. An order leaves the account when
it is over and all its fills have come; until then its line takes no other.
"""

from collections import Counter
from dataclasses import dataclass, field

import msgspec

from app.models.events import Execution
from app.models.orders import CloseOrder, EntryOrder, Line, Order, OrderState, Reason
from app.trading.ledger import Ledger

_OVER = (OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REFUSED)
_RANK = {state: rank for rank, state in enumerate(OrderState)}  # a state never goes back in this order
_REST = 1e-9  # of a quantity: what sums of parts may differ by


@dataclass
class Record:
    """One order: its state, what was filled of it, and why a cancellation was asked for."""

    order: Order
    quantity: float
    state: OrderState = OrderState.SENT
    filled: float = 0.0
    filled_at_end: float | None = None  # as the broker told it with the last state
    fill_ids: set[str] = field(default_factory=set)
    cancel_why: str | None = None
    trade_id: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more can come of it."""
        whole = self.quantity if self.state is OrderState.FILLED else self.filled_at_end or 0.0
        return self.state in _OVER and self.filled >= whole * (1.0 - _REST)


class OrderBook:
    """Orders by id; `strange` counts executions of orders that are not ours, or that cannot be."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._account = ledger.account
        self.open: dict[int, Record] = {}
        self._over: dict[int, Record] = {}
        self.strange: Counter[str] = Counter()
        self._to_close: dict[Line, CloseOrder] = {}  # lines that a close order was given for, until they are flat

    def place(self, order: Order) -> Record:
        """An order that is about to be sent; the account knows it from here on."""
        if isinstance(order, EntryOrder):
            self._account.pending[order.line] = order
            quantity = order.quantity
        else:
            self._account.closing[order.line] = self._to_close[order.line] = order
            quantity = self._account.positions[order.line].quantity
        record = self.open[order.order_id] = Record(order, quantity)
        return record

    def entry_of(self, line: Line) -> Record | None:
        """The line's entry that is not over."""
        order = self._account.pending.get(line)
        return None if order is None else self.open.get(order.order_id)

    def close_again(self) -> list[CloseOrder]:
        """New close orders for what the ones that are over have left: an entry's last part came after them."""
        account = self._account
        for line in [one for one in self._to_close if one not in account.positions and one not in account.pending]:
            del self._to_close[line]
        return [
            msgspec.structs.replace(order, order_id=account.next_order_id(), signal_time_ms=account.time_ms)
            for line, order in self._to_close.items()
            if line in account.positions and line not in account.closing
        ]

    def apply(self, execution: Execution) -> None:
        """One answer of the broker."""
        record = self.open.get(execution.order_id) or self._over.get(execution.order_id)
        if record is None:
            self.strange["orders of nobody"] += 1
            return
        if execution.quantity > 0.0 and execution.fill_id not in record.fill_ids:
            record.fill_ids.add(execution.fill_id)
            record.filled += execution.quantity
            self._fill(record, execution)
        if record.state not in _OVER and _RANK[execution.state] >= _RANK[record.state]:
            record.state = execution.state
        elif record.state is OrderState.UNKNOWN and execution.state is OrderState.ACCEPTED:
            record.state = execution.state  # it is known again
        if execution.state in _OVER and execution.filled is not None:
            record.filled_at_end = max(execution.filled, record.filled_at_end or 0.0)
        if record.is_over and self.open.pop(execution.order_id, None) is not None:
            self._over[execution.order_id] = record
            self._leave(record)

    def _leave(self, record: Record) -> None:
        order = record.order
        if not isinstance(order, EntryOrder):
            if self._account.closing.get(order.line) is order:
                del self._account.closing[order.line]
        elif record.filled > 0.0:
            self._account.pending.pop(order.line, None)
        else:
            self._ledger.cancel_entry(order.line, record.cancel_why or record.state.value)

    def _fill(self, record: Record, execution: Execution) -> None:
        order, ledger = record.order, self._ledger
        quantity, price, time_ms = execution.quantity, execution.price, execution.time_ms
        position = self._account.positions.get(order.line)
        if isinstance(order, EntryOrder):
            if position is not None and position.trade_id == record.trade_id:
                ledger.add(position, order, quantity, price, execution.commission, time_ms)
            elif position is None:
                opened = ledger.open(order, price, price, execution.commission, time_ms, quantity=quantity)
                record.trade_id = opened.trade_id
            else:
                self.strange["entries into a position of another trade"] += 1
            return
        if position is None:
            self.strange["sales of nothing"] += 1
            return
        is_whole = quantity >= position.quantity * (1.0 - _REST)
        ledger.close(
            position, price, price, execution.commission, time_ms, order.reason if is_whole else Reason.PARTIAL_FILL,
            order=order, quantity=None if is_whole else quantity,
        )  # fmt: skip
