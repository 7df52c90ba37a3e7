"""The life of one real order, read from the tape of its session: what led to it, every word of the exchange, what it
did to the ledger.

The tape is replayed through the runtime that recorded it, also that of a session that still runs; what is told of the
order is what the tape has, what is told of the ledger is what the runtime holds after that event.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import DataError
from app.feeds.tape import Epoch, Record, Tape, has_tape, read_tape
from app.models.events import Event, Execution
from app.models.intents import Cancel, Intent, PlaceOco, PlaceOrder, read_client_id
from app.models.orders import NOT_THERE, Decision, Fill, Line, OrderState, Position
from app.runs.reader import Run
from app.runs.run_folder import RunFolder
from app.runs.run_inputs import replayed_tape
from app.session.epochs import plan_of_epoch, state_of
from app.session.recorded_runtime import RecordedRuntime
from app.times import iso_ms
from app.trading.exchange_broker import ExchangeBroker
from app.trading.ledger import Dust
from app.trading.order_book import OrderRecord


@dataclass(frozen=True)
class Happening:
    """An event that concerns the order: `intents` are those of its symbol that it led to, `fills` what it did to the
    ledger. `position` and `dust` are those of the order's line and symbol after it.
    """

    seq: int
    time_ms: int
    event: Event
    intents: tuple[Intent, ...]
    fills: tuple[Fill, ...]
    position: Position | None
    dust: Dust | None


@dataclass
class OrderLife:
    """One order: an entry, a sale, or an OCO; `epoch` is the one that placed it, `cause` the event that it was placed
    after."""

    folder: Path
    order_id: int
    placed: PlaceOrder | PlaceOco
    epoch: Epoch
    record: OrderRecord | None = None  # as the broker has it at the end of the tape
    cause: Event | None = None
    decision: Decision | None = None
    protected: Position | None = None  # an OCO's, or a sale's, as it was then
    happenings: list[Happening] = field(default_factory=list)
    seqs: dict[int, Sequence[int]] = field(default_factory=dict)  # of the events to look at, by epoch

    @property
    def kind(self) -> str:
        """In the field's words."""
        if isinstance(self.placed, PlaceOco):
            return "protection"
        return "entry" if self.placed.buys else "sale"

    @property
    def line(self) -> Line | None:
        """Whose order it is."""
        return None if self.record is None else self.record.line

    @property
    def is_over(self) -> bool:
        """Whether nothing more can come of it."""
        return self.record is not None and self.record.is_over


async def life_of(folder: Path, asked: str) -> OrderLife:
    """Of an order's number or one of its client ids; DataError where the session has none such."""
    tape = read_tape(_taped(folder))
    found = _find(folder, tape, asked)
    for epoch in tape.epochs:
        if seqs := found.seqs.get(epoch.number):
            await _follow(found, tape, epoch, seqs)
    return found


def is_order(asked: str) -> bool:
    """Whether it may be the name of an order: its number, or a client id of ours."""
    return asked.isascii() and (asked.isdecimal() or read_client_id(asked) is not None)


def _taped(folder: Path) -> Path:
    if has_tape(folder):
        return folder
    run = Run.open(folder)
    if run.tape is None:
        raise DataError(f"{folder}: it has no tape, so no order of it was real; give a SYMBOL and a TIME")
    return replayed_tape(run)


def _find(folder: Path, tape: Tape, asked: str) -> OrderLife:
    """The events to look at; the tape is read once, and nothing is replayed yet."""
    own_id = read_client_id(asked)
    order_id = int(asked) if own_id is None else own_id.order_id
    found: OrderLife | None = None
    highest = 0
    for epoch in tape.epochs:
        seqs: list[int] = []
        for record in epoch.records:
            placed = [one for one in record.intents if not isinstance(one, Cancel)]
            highest = max([highest, *(one.order_id for one in placed)])
            own = next((one for one in placed if one.order_id == order_id), None)
            if own is not None and found is None:
                found = OrderLife(folder, order_id, own, epoch)
            if found is not None and _concerns(record, order_id):
                seqs.append(record.seq)
        if found is not None and seqs:
            found.seqs[epoch.number] = seqs
    if found is None:
        there = f"its orders are 1 to {highest}" if highest else "it sent no order"
        raise DataError(f"{folder}: there is no order {asked}; {there}")
    ids = _ids(found.placed)
    if own_id is not None and asked not in ids:
        raise DataError(f"{folder}: there is no order {asked}; order {order_id} is {', '.join(ids)}")
    return found


def _ids(placed: PlaceOrder | PlaceOco) -> Sequence[str]:
    if isinstance(placed, PlaceOco):
        return (placed.client_id, placed.target_id, placed.stop_id)
    return (placed.client_id,)


def _concerns(record: Record, order_id: int) -> bool:
    if isinstance(record.event, Execution) and record.event.order_id == order_id:
        return True
    return any(intent.order_id == order_id for intent in record.intents)


async def _follow(found: OrderLife, tape: Tape, epoch: Epoch, seqs: Sequence[int]) -> None:
    """Replays an epoch up to the last event that matters."""
    wanted, last_seq = set(seqs), seqs[-1]
    plan, _ = plan_of_epoch(tape, epoch, found.folder, mode="backtest")
    with tempfile.TemporaryDirectory(prefix="onetape-why-") as name:
        recorded = RecordedRuntime.build(plan, RunFolder(Path(name), "trades"), state_of(epoch))
        account, broker = recorded.runtime.account, recorded.runtime.broker
        if not isinstance(broker, ExchangeBroker):
            raise DataError(f"{found.folder}: it is a session on paper, so no order of it was real")
        fills: list[Fill] = []
        decisions: list[Decision] = []

        def observe(_: Event, new_fills: Sequence[Fill], new_decisions: Sequence[Decision]) -> None:
            fills[:], decisions[:] = new_fills, new_decisions

        recorded.observer = observe
        try:
            for record in epoch.records:
                before = dict(account.positions) if record.seq in wanted else {}
                recorded.go_on()
                await recorded.handle(record.event)
                if record.seq in wanted:
                    found.record = broker.book.find(found.order_id) or found.record
                    if found.record is not None:
                        _note(found, record, found.record.line, recorded, fills, before)
                    _note_cause(found, record, decisions)
                if record.seq == last_seq:
                    return
        finally:
            recorded.recorder.close()


def _note(
    found: OrderLife, record: Record, line: Line, recorded: RecordedRuntime, fills: Sequence[Fill],
    before: dict[Line, Position],
) -> None:  # fmt: skip
    ledger, event = recorded.runtime.broker.ledger, record.event
    if found.protected is None and found.record is not None and found.record.entry is None:
        found.protected = before.get(line) or recorded.runtime.account.positions.get(line)
    own = isinstance(event, Execution) and event.order_id == found.order_id
    found.happenings.append(
        Happening(
            record.seq,
            event.time_ms if isinstance(event, Execution) else recorded.runtime.account.time_ms,
            event,
            tuple(one for one in record.intents if one.symbol == line.symbol),
            tuple(one for one in fills if own and (one.strategy, one.symbol) == line),
            recorded.runtime.account.positions.get(line),
            ledger.dust.get(line.symbol),
        )
    )  # fmt: skip


def _note_cause(found: OrderLife, record: Record, decisions: Sequence[Decision]) -> None:
    if found.cause is not None or found.placed not in record.intents:
        return
    found.cause = record.event
    found.decision = next(
        (one for one in decisions if one.order is not None and one.order.order_id == found.order_id), None
    )


def unresolved_s(life: OrderLife) -> float | None:
    """For how long nobody knew what became of it; None where that was never so."""
    begin_ms: int | None = None
    total_ms, was = 0, False
    for one in life.happenings:
        if not isinstance(one.event, Execution) or one.event.order_id != life.order_id:
            continue
        if one.event.state in (OrderState.UNKNOWN, OrderState.CANCEL_UNKNOWN):
            begin_ms, was = (one.time_ms if begin_ms is None else begin_ms), True
        elif begin_ms is not None and one.event.state is not OrderState.SENT:
            total_ms, begin_ms = total_ms + one.time_ms - begin_ms, None
    return total_ms / 1000.0 if was and begin_ms is None else None


def never_arrived(life: OrderLife) -> str | None:
    """The proof that it never reached the exchange, in the words of the tape."""
    for one in life.happenings:
        if isinstance(one.event, Execution) and one.event.order_id == life.order_id and is_not_there(one.event):
            return f"{iso_ms(one.time_ms)}: {one.event.why}"
    return None


def is_not_there(execution: Execution) -> bool:
    """Whether it says that the order never reached the exchange."""
    return execution.state is OrderState.REFUSED and execution.code == NOT_THERE
