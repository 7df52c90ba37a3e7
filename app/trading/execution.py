"""ExecutionEngine: from an approved entry or an exit to an order at the broker.

The last check before a broker: an order for a symbol that the config does not list, with an impossible
quantity or a stop on the wrong side is an OrderError and never leaves. Order ids are counters from 1.
"""

from collections.abc import Iterable
from math import isfinite
from typing import Protocol

from app.errors import OrderError
from app.models.market import Candle, Slice
from app.models.orders import CloseOrder, EntryOrder, Order, Reason
from app.trading.risk import RiskOutput


class Broker(Protocol):
    """What the runtime needs of a broker; PaperTrader answers in the process.

    An exchange broker sends orders out and puts the answers into the session's queue as events.
    """

    async def on_slice(self, slice_: Slice) -> None:
        """Fills at the open of the slice's candles, exits inside them, marks at their close."""

    def update_positions(self, candle: Candle) -> None:
        """The same for one candle that came after its slice."""

    async def submit(self, order: Order) -> None:
        """Accept an order that ExecutionEngine has validated."""

    async def cancel_entry(self, symbol: str) -> bool:
        """Cancel the symbol's pending entry; False if there is none."""

    async def close_all_positions(self, reason: Reason) -> int:
        """Cancel pending entries (their number is returned) and close every position at its last mark."""


class ExecutionEngine:
    """Creates, validates and routes orders."""

    def __init__(self, broker: Broker, symbols: Iterable[str]) -> None:
        self._broker = broker
        self._symbols = frozenset(symbols)
        self.last_order_id = 0  # a new epoch of a session goes on from it

    def create_order_from_risk_output(self, output: RiskOutput, signal_time_ms: int, tag: str = "") -> EntryOrder:
        """The entry order for an approved signal; `signal_time_ms` is the close time of the slice decided on."""
        return EntryOrder(
            order_id=self._next_order_id(),
            symbol=output.symbol,
            side=output.side,
            quantity=output.quantity,
            reference=output.reference,
            stop=output.stop,
            target=output.target,
            sized_by=output.sized_by,
            tag=tag,
            signal_time_ms=signal_time_ms,
        )

    def create_close_order(self, symbol: str, reason: Reason, signal_time_ms: int, tag: str = "") -> CloseOrder:
        """A market order that closes the symbol's whole position."""
        return CloseOrder(self._next_order_id(), symbol, reason, signal_time_ms, tag)

    async def submit_order(self, order: Order) -> None:
        """Validate and hand over; OrderError says what is wrong with the order."""
        self._validate(order)
        await self._broker.submit(order)

    def _next_order_id(self) -> int:
        self.last_order_id += 1
        return self.last_order_id

    def _validate(self, order: Order) -> None:
        if order.symbol not in self._symbols:
            listed = ", ".join(sorted(self._symbols))
            raise OrderError(f"order {order.order_id} is for {order.symbol}, which is not listed: {listed}")
        if isinstance(order, CloseOrder):
            return
        if not (isfinite(order.quantity) and order.quantity > 0.0):
            raise _refused(order, f"quantity {order.quantity!r} is not a finite number above zero")
        if not order.side * (order.reference - order.stop) > 0.0:
            raise _refused(order, f"stop {order.stop!r} is on the wrong side of the reference {order.reference!r}")
        if not order.side * (order.target - order.reference) > 0.0:
            raise _refused(order, f"target {order.target!r} is on the wrong side of the reference {order.reference!r}")


def _refused(order: EntryOrder, problem: str) -> OrderError:
    return OrderError(f"order {order.order_id} ({order.symbol} {order.side.name}): {problem}")
