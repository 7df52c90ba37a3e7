"""ExchangeBroker: orders at a real exchange, as a state machine that a tape can replay.

It hears events and says what is to be sent (intents); it sends nothing itself and knows no clock but that of the
events. Answers become fills in the ledger here; what a line should have at the exchange is exchange_lines.py's. The
stop in this process acts only while none rests on the exchange.
"""

from collections import Counter
from collections.abc import Mapping

import msgspec

from app.models.events import AccountSnapshot, Execution
from app.models.intents import LIST, TARGET, Intent
from app.models.market import Candle, Slice
from app.models.orders import (
    NOT_THERE,
    CloseOrder,
    EntryOrder,
    Line,
    Order,
    OrderState,
    Position,
    Reason,
    Refusal,
    Side,
)  # fmt: skip
from app.times import DAY_MS
from app.trading.exchange_lines import ExchangeLines, OrderLimits, Refusals, StopPlace
from app.trading.exit_rules import FillRules, exits_of
from app.trading.ledger import Dust, Ledger
from app.trading.order_book import OrderRecord
from app.trading.reconciliation import Reconciliation, ReconciliationMemory
from app.trading.risk import RiskOutput

_AFTER_FEES = 0.998  # of what was bought, so much is there at least where the fee was taken out of it


class BrokerMemory(msgspec.Struct, frozen=True):
    """All that a broker remembers, for a new epoch of a session."""

    open: list[OrderRecord]
    over: list[OrderRecord]
    dust: dict[str, Dust]
    reconciliation: ReconciliationMemory
    held_from_ms: list[tuple[Line, int]]
    refused: list[tuple[Line, Refusals]]
    strange: dict[str, int]
    refusals: int
    day: int
    day_orders: int
    now_ms: int
    forgotten: int = 0


class ExchangeBroker:
    """Implements the Broker protocol over a Ledger. `strange` counts what cannot be: each halts entries."""

    def __init__(self, ledger: Ledger, limits: OrderLimits, *, tag: str, epoch: int = 1) -> None:
        self.ledger = ledger
        self.lines = ExchangeLines(ledger, tag, epoch)
        self.book = self.lines.book
        self.reconciliation = Reconciliation(ledger.account, ledger.instruments)
        self.strange: Counter[str] = Counter()
        self._account = ledger.account
        self._limits = limits
        self._held_from_ms: dict[Line, int] = {}  # of entries that did not rest: when they were decided
        self._refusals = 0  # of placements, in a row
        self._day = self._day_orders = 0

    async def on_slice(self, slice_: Slice) -> None:
        """Step 1 of a slice: what the candles say to the positions that are held, and the marks."""
        self._account.time_ms = slice_.close_time_ms
        self.lines.now_ms = max(self.lines.now_ms, slice_.close_time_ms)
        for candle in slice_.candles:
            self.update_positions(candle)

    def update_positions(self, candle: Candle) -> None:
        """The same for one candle."""
        account, lines = self._account, self._account.lines[candle.symbol]
        for line in lines:
            entry = account.pending.get(line)
            if entry is not None and entry.valid_until_ms is not None and candle.close_time_ms >= entry.valid_until_ms:
                self.lines.cancel_entry(line, "expired")
            position = account.positions.get(line)
            if position is not None and candle.volume > 0.0 and candle.close_time_ms > position.entry_time_ms:
                self._hold(position, candle)
        account.marks[candle.symbol] = candle.close
        for line in lines:
            self.lines.tend(line)

    async def submit(self, order: Order) -> None:
        """An entry is sent; a close order first takes the protection away, then sells."""
        if isinstance(order, CloseOrder):
            self._account.closing[order.line] = order
            self.lines.tend(order.line)
            return
        day = self._account.time_ms // DAY_MS
        self._day, self._day_orders = day, 1 + (self._day_orders if day == self._day else 0)
        self.lines.enter(order)

    async def cancel_entry(self, line: Line, why: str) -> bool:
        """Asked for once; the answer comes later, or a fill instead."""
        return self.lines.cancel_entry(line, why)

    async def close_all_positions(self, reason: Reason) -> None:
        """As far as it is not under way."""
        for line in list(self._account.pending):
            self.lines.cancel_entry(line, "session_end")
        for line in list(self._account.positions):
            self.lines.close(line, reason)

    async def leave(self) -> bool:
        """Nobody is going to protect what an entry fills, so it is cancelled; True once each stop rests."""
        for line in list(self._account.pending):
            self.lines.cancel_entry(line, "session_end")
        is_open = any(record.entry is not None for record in self.book.open.values())
        return not is_open and all(place is StopPlace.EXCHANGE for place in self.protections().values())

    async def on_execution(self, execution: Execution) -> str | None:
        """What the exchange says of an order; why entries must halt, if they must."""
        self.lines.now_ms = max(self.lines.now_ms, execution.time_ms)
        if self.book.has_forgotten(execution.order_id):
            return None
        record = self.book.find(execution.order_id)
        if record is None or execution.leg not in (*record.legs, LIST):
            return self._halt_for("an execution of an order that this session never placed", execution)
        was_over = execution.order_id not in self.book.open
        if was_over and execution.state is OrderState.REFUSED and not execution.is_passing:  # told once more
            self.lines.try_again(record.line)
        halts = None
        if record.note(execution):
            halts = self._fill(record, execution, was_over=was_over)
        if self.book.reopen(record):
            halts = self._halt_for("an order that was refused exists", execution)
            if record.entry is not None:
                self.lines.cancel(record)
        if self.book.settle(record):
            halts = self._ended(record, execution) or halts
        self.lines.tend(record.line)
        return halts

    async def on_snapshot(self, snapshot: AccountSnapshot) -> None:
        """What the exchange says of the account, held against the ledger."""
        self.lines.now_ms = max(self.lines.now_ms, snapshot.time_ms)
        self.reconciliation.compare(snapshot, self.book)
        for line in [*self._account.positions]:
            self.lines.tend(line)

    def refusal(self, order: RiskOutput) -> Refusal | None:
        """Whether an entry may be sent now: None, or why not."""
        limits, reconciliation = self._limits, self.reconciliation
        if order.side is Side.SHORT:
            return Refusal.SHORT_ON_SPOT
        if order.symbol in reconciliation.not_trading:
            return Refusal.NOT_TRADING
        if not reconciliation.is_checked:
            return Refusal.ACCOUNT_UNCHECKED
        if reconciliation.differences:
            return Refusal.ACCOUNT_DIFFERS
        if any(record.is_unknown for record in self.book.open.values() if record.line.symbol == order.symbol):
            return Refusal.ORDER_UNKNOWN
        instrument = self.ledger.instrument(order.symbol)
        if not instrument.is_enough(instrument.round_quantity(order.quantity * _AFTER_FEES), order.stop):
            return Refusal.MIN_NOTIONAL  # its stop could not rest at the exchange
        if limits.max_order_notional is not None and order.quantity * order.reference > limits.max_order_notional:
            return Refusal.MAX_ORDER_NOTIONAL
        orders = self._day_orders if self._account.time_ms // DAY_MS == self._day else 0
        if limits.max_daily_orders is not None and orders >= limits.max_daily_orders:
            return Refusal.MAX_DAILY_ORDERS
        return None

    @property
    def is_settled(self) -> bool:
        """Whether every order that was sent has ended."""
        return not self.book.open

    def take_intents(self) -> tuple[Intent, ...]:
        """What is to be sent because of the event that was just handled; they are told once."""
        intents, self.lines.outbox = tuple(self.lines.outbox), []
        return intents

    def open_intents(self) -> list[Intent]:
        """Everything that is not over, for whoever must find out what became of it."""
        return self.book.intents()

    def accepted_ids(self) -> set[str]:
        """Client ids of those that the exchange has told of: whatever is not found later, they arrived."""
        return self.book.accepted_ids()

    def protections(self) -> Mapping[Line, StopPlace]:
        """Of each open position, where its stop is."""
        return {line: self.lines.stop_place(position) for line, position in self._account.positions.items()}

    def memory(self) -> BrokerMemory:
        """What it remembers."""
        return BrokerMemory(
            list(self.book.open.values()), list(self.book.over.values()), self.ledger.dust,
            self.reconciliation.memory(), list(self._held_from_ms.items()), list(self.lines.refusals.items()),
            self.strange, self._refusals, self._day, self._day_orders, self.lines.now_ms,
            self.book.forgotten,
        )  # fmt: skip

    def recall(self, memory: BrokerMemory) -> None:
        """Goes on as the broker whose memory it is."""
        self.book.open |= {record.intent.order_id: record for record in memory.open}
        self.book.over |= {record.intent.order_id: record for record in memory.over}
        self.book.forgotten, self.ledger.dust = memory.forgotten, dict(memory.dust)
        self.reconciliation.recall(memory.reconciliation)
        self._held_from_ms, self.lines.refusals = dict(memory.held_from_ms), dict(memory.refused)
        self.strange, self._refusals = Counter(memory.strange), memory.refusals
        self._day, self._day_orders, self.lines.now_ms = memory.day, memory.day_orders, memory.now_ms

    def _hold(self, position: Position, candle: Candle) -> None:
        """What prices did; managed exits; and the stop of this process where none rests."""
        line, held = position.line, position.held
        counts = candle.open_time_ms >= self._held_from_ms.get(line, position.entry_time_ms)
        low, high = (candle.low, candle.high) if counts else (candle.close, candle.close)
        held.lowest, held.highest = min(held.lowest, low), max(held.highest, high)
        held.target_touched |= high >= position.target
        if line in self._account.closing:
            return
        if self.lines.stop_place(position) is StopPlace.PROCESS:
            seen = candle if counts else msgspec.structs.replace(candle, open=candle.close, low=low, high=high)
            for out in exits_of(position, seen, FillRules()):
                if out.leg is None:
                    self.lines.close(line, out.reason)
                    return
        if position.exits is not None:
            position = self.ledger.manage(position, position.exits, high)
        if position.time_exit_ms is not None and candle.close_time_ms >= position.time_exit_ms:
            self.lines.close(line, Reason.TIME_EXIT)

    def _halt_for(self, what: str, execution: Execution) -> str:
        self.strange[what] += 1
        return f"{what}: order {execution.order_id}, {execution.quantity:g} at {execution.price:g}"

    def _ended(self, record: OrderRecord, execution: Execution) -> str | None:
        """An order is over; why entries must halt, if they must."""
        line = record.line
        if record.entry is not None:
            if self._account.pending.get(line) == record.entry:
                del self._account.pending[line]
            if record.filled <= 0.0:
                self.ledger.cancelled[record.cancel_why or record.state.value] += 1
        if not record.is_refused:
            self._refusals = 0
            self.lines.refusals.pop(line, None)
        if not record.is_refused or execution.code == NOT_THERE:
            return None
        self._refusals += not execution.is_passing  # a refusal that may pass says nothing against the orders
        if record.close is not None or (record.entry is None and execution.is_passing):
            self.lines.wait_after_refusal(line, is_passing=execution.is_passing)
        elif record.entry is None and record.cancel is None:
            self.lines.close_unprotected(record, execution.why.lower())
        if self._refusals < self._limits.refusals_in_a_row:
            return None
        refusals, self._refusals = self._refusals, 0  # once resumed, a new row begins
        return f"{refusals} orders in a row were refused, the last: {execution.why}"

    def _fill(self, record: OrderRecord, execution: Execution, *, was_over: bool) -> str | None:
        """A fill into the ledger; why entries must halt, if it should not have been."""
        symbol = record.line.symbol
        self.reconciliation.note_fill(symbol, execution, buys=record.entry is not None)
        base, _, _ = symbol.partition("/")
        held = execution.quantity - (execution.fee if execution.fee_asset == base else 0.0)
        if record.entry is not None:
            known = self._enter(record, record.entry, execution, held)
        else:
            known = self._exit(record, execution)
        if not known:
            return self._halt_for("a fill that no position fits", execution)
        return self._halt_for("a fill of an order that was over", execution) if was_over else None

    def _enter(self, record: OrderRecord, order: EntryOrder, execution: Execution, held: float) -> bool:
        ledger, line, time_ms = self.ledger, record.line, execution.time_ms
        position = self._account.positions.get(line)
        quantity, price, commission = execution.quantity, execution.price, execution.commission
        if position is not None:
            ledger.add(position, order, quantity, price, commission, time_ms, held=held)
            return position.trade_id == record.trade_id
        length_ms, at_once = ledger.timeframe_ms, order.limit is None or not execution.is_maker
        entered_ms = order.signal_time_ms if at_once else -(-time_ms // length_ms) * length_ms
        opened = ledger.open(
            order, price, price, commission, time_ms, quantity=quantity, held=held, entered_ms=entered_ms
        )
        record.trade_id = opened.trade_id
        if at_once:
            self._held_from_ms[line] = order.signal_time_ms
        else:
            self._held_from_ms.pop(line, None)
        if record.cancel_why in (Reason.SIGNAL_EXIT, Reason.OPERATOR, Reason.KILL_SWITCH):  # filled all the same
            self.lines.close(line, Reason(record.cancel_why))
        return True

    def _exit(self, record: OrderRecord, execution: Execution) -> bool:
        position = self._account.positions.get(record.line)
        if position is None or position.trade_id != record.trade_id:
            return False
        instrument = self.ledger.instrument(position.symbol)
        left = position.quantity - execution.quantity
        is_whole = left < instrument.quantity_step * (1.0 - 1e-6)
        if record.close is not None:
            reason = record.close.reason
        else:
            reason = record.target_reason if execution.leg == TARGET else record.stop_reason
        is_leg = reason is Reason.PARTIAL_TARGET and bool(position.legs)
        if is_whole:
            reason = Reason.TAKE_PROFIT if reason is Reason.PARTIAL_TARGET else reason
        elif not is_leg:
            reason = Reason.PARTIAL_FILL
        self.ledger.close(
            position, execution.price, execution.price, execution.commission, execution.time_ms, reason,
            order=record.close, quantity=None if is_whole else execution.quantity,
            dust=max(0.0, left) if is_whole else 0.0,
        )  # fmt: skip
        return left > -instrument.quantity_step
