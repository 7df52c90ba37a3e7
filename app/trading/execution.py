"""ExecutionEngine: from an approved entry or an exit to an order at the broker.

The last check before a broker: an order for a symbol that the config does not list, with an impossible
quantity or a stop on the wrong side is an OrderError and never leaves. Order ids are counters from 1.
"""

from math import isfinite
from typing import Protocol

from msgspec.structs import replace

from app.errors import OrderError
from app.models.events import AccountSnapshot, Execution
from app.models.exits import Exits
from app.models.intents import Intent
from app.models.market import Candle, Slice
from app.models.orders import CloseOrder, EntryOrder, Line, Order, Reason, Refusal, Signal
from app.trading.account import Account
from app.trading.ledger import Ledger
from app.trading.risk import RiskOutput


class Broker(Protocol):
    """What the runtime needs of a broker; PaperTrader answers in the process.

    An exchange broker sends orders out and puts the answers into the session's queue as events. Its `ledger` alone
    writes to the account.
    """

    ledger: Ledger

    async def on_slice(self, slice_: Slice) -> None:
        """Fills at the open of the slice's candles, exits inside them, marks at their close."""

    def update_positions(self, candle: Candle) -> None:
        """The same for one candle that came after its slice."""

    async def submit(self, order: Order) -> None:
        """Accept an order that ExecutionEngine has validated."""

    async def on_execution(self, execution: Execution) -> str | None:
        """What was heard of an order that was not answered at once; why entries must halt, if they must."""

    async def on_snapshot(self, snapshot: AccountSnapshot) -> None:
        """What the exchange says of the account, held against the ledger."""

    def refusal(self, order: RiskOutput) -> Refusal | None:
        """Whether this broker takes such an entry now: None, or why not; asked after the gate."""

    @property
    def is_settled(self) -> bool:
        """Whether nothing that was sent is still open."""

    def take_intents(self) -> tuple[Intent, ...]:
        """What is to be sent because of the event that was just handled."""

    async def cancel_entry(self, line: Line, why: str) -> bool:
        """Cancel the line's pending entry, for a reason that is counted, or ask for it; False if there is none."""

    async def close_all_positions(self, reason: Reason) -> None:
        """Cancel pending entries and close every position, or ask for it: the session ends when none is left."""

    async def leave(self) -> bool:
        """The session is to end with its positions open: whether it may now; asked again until it may."""


class ExecutionEngine:
    """Creates, validates and routes orders."""

    def __init__(self, broker: Broker, account: Account, timeframe_ms: int) -> None:
        self._broker = broker
        self._account = account
        self._timeframe_ms = timeframe_ms  # the session's: what a limit entry's candles are counted in

    def create_order_from_risk_output(self, output: RiskOutput, signal: Signal, signal_time_ms: int) -> EntryOrder:
        """The entry order for an approved signal; `signal_time_ms` is the close time of the slice decided on."""
        order = EntryOrder(
            order_id=self._account.next_order_id(), symbol=output.symbol, side=output.side, quantity=output.quantity,
            reference=output.reference, stop=output.stop, target=output.target, sized_by=output.sized_by,
            tag=signal.tag, signal_time_ms=signal_time_ms, strategy=output.strategy,
        )  # fmt: skip
        if signal.limit is not None:
            until_ms = signal_time_ms + signal.valid_candles * self._timeframe_ms
            order = replace(order, limit=output.reference, valid_until_ms=until_ms)
        if isinstance(signal.exits, Exits):  # the host has read them
            order = replace(order, exits=signal.exits, atr=signal.atr if signal.exits.needs_atr else None)
        return order

    def create_close_order(self, line: Line, reason: Reason, signal_time_ms: int, tag: str = "") -> CloseOrder:
        """A market order that closes the line's whole position."""
        return CloseOrder(self._account.next_order_id(), line.symbol, reason, signal_time_ms, tag, line.strategy)

    async def submit_order(self, order: Order) -> None:
        """Validate and hand over; OrderError says what is wrong with the order."""
        self._validate(order)
        await self._broker.submit(order)

    def _validate(self, order: Order) -> None:
        if order.line not in self._account.lines.get(order.symbol, ()):
            listed = ", ".join(sorted(self._account.lines))
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
