"""The trades of a run as its files have them, for being held against those of another: entries, exits, what was paid.

Of real orders each row is joined with what the exchange said of the fill, which the tape has: the fee in its asset, and
how much of what was bought was kept as the fee. Nothing is computed that a fill does not tell.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from app.feeds.tape import Record
from app.models.events import Execution
from app.models.intents import ENTRY, Cancel, PlaceOrder
from app.models.orders import GOES_ON, Line, OrderState, Side
from app.runs.reader import FillRow, Row, Run, line_of

Key = tuple[Line, int]  # of an entry: its line, and the close of the slice that it was decided on


@dataclass(frozen=True)
class Entry:
    """A part of an entry; `held` is what is left of `quantity` where a part of it was kept as the fee. `is_inside`: on
    paper it was stamped with the close of its candle.
    """

    time_ms: int
    price: float
    quantity: float
    held: float
    commission: float
    is_inside: bool = False


@dataclass(frozen=True)
class Exit:
    """A part of an exit; `entry_price` is the mean of what was held then. `is_inside` as of an entry; `is_sale`: by
    an order at the market, not by what rested.
    """

    time_ms: int
    price: float
    quantity: float
    entry_price: float
    reason: str
    realized_pnl: float
    is_inside: bool
    is_sale: bool


@dataclass
class Trade:
    """One trade; `ordered` is what its entry was sized to, where the signals tell it."""

    line: Line
    decided_ms: int
    trade_id: str
    side: Side
    order_id: str
    ordered: float | None = None
    is_limit: bool = False
    entries: list[Entry] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    fees: dict[str, float] = field(default_factory=dict)  # by asset
    problems: list[str] = field(default_factory=list)
    _left: float = 0.0
    _mean: float = 0.0

    @property
    def bought(self) -> float:
        """Over all parts of the entry."""
        return sum(one.quantity for one in self.entries)

    @property
    def kept_as_fee(self) -> float:
        """What of it the exchange kept."""
        return sum(one.quantity - one.held for one in self.entries)

    @property
    def closed(self) -> float:
        """Over all exits."""
        return sum(one.quantity for one in self.exits)

    @property
    def left(self) -> float:
        """What was never closed: dust, or a position that is still open."""
        return self.bought - self.kept_as_fee - self.closed

    @property
    def gross(self) -> float:
        """Before commissions."""
        return sum(self.side * one.quantity * (one.price - one.entry_price) for one in self.exits)

    @property
    def pnl(self) -> float:
        """As the log has it."""
        return sum(one.realized_pnl for one in self.exits)

    def enter(self, part: Entry) -> None:
        """The entry price is the mean of what is held, as the ledger has it."""
        self._mean = (self._mean * self._left + part.price * part.held) / (self._left + part.held)
        self._left += part.held
        self.entries.append(part)

    def leave(self, row: Row, time_ms: int) -> None:
        """A CLOSE of the log."""
        quantity = float(row["quantity"])
        self._left -= quantity
        self.exits.append(
            Exit(
                time_ms, float(row["price"]), quantity, self._mean, row["reason"], float(row["realized_pnl"]),
                _is_inside(row, self.side), bool(row["order_id"]),
            )
        )  # fmt: skip


@dataclass
class Told:
    """What the tape of a session with real orders tells beyond its logs."""

    fills: dict[tuple[str, int, str], list[Execution]] = field(default_factory=lambda: defaultdict(list))
    ends: dict[int, Execution] = field(default_factory=dict)  # of each entry that is over
    limits: set[int] = field(default_factory=set)


def told_by(records: Iterable[Record]) -> Told:
    """Each fill once, by symbol, time and price; how entries ended."""
    told, symbols, seen = Told(), dict[int, str](), set[tuple[int, str, str]]()
    for record in records:
        for intent in record.intents:
            if not isinstance(intent, Cancel):
                symbols[intent.order_id] = intent.symbol
                if isinstance(intent, PlaceOrder) and intent.limit is not None:
                    told.limits.add(intent.order_id)
        event = record.event
        if not isinstance(event, Execution) or event.order_id not in symbols:
            continue
        key = event.order_id, event.leg, event.fill_id
        if event.quantity > 0.0 and key not in seen:
            seen.add(key)
            told.fills[symbols[event.order_id], event.time_ms, repr(event.price)].append(event)
        if event.leg == ENTRY and event.state in (OrderState.REFUSED, OrderState.CANCELLED, OrderState.EXPIRED):
            told.ends[event.order_id] = event
    return told


def trades_of_run(run: Run, told: Told | None) -> dict[Key, Trade]:
    """By line and decision, in the order of the entries; `told`: its orders were real."""
    ordered = {row["order_id"]: row for _, row in run.signals() if row["outcome"] == "order"}
    found: dict[Key, Trade] = {}
    by_id: dict[str, Trade] = {}
    for fill in run.fills():
        row = fill.row
        if row["action"] == "OPEN":
            trade = by_id.get(row["trade_id"])
            if trade is None:
                trade = _begun(fill, ordered.get(row["order_id"]), told)
                by_id[row["trade_id"]] = found[line_of(row), fill.decided_ms] = trade
            trade.enter(_entry(fill, trade, told))
        else:
            trade = by_id[row["trade_id"]]
            trade.leave(row, fill.time_ms)
            _note_fee(fill, trade, told)
    for trade in found.values():
        _name_parts(trade)
    return found


def _begun(fill: FillRow, signal: Row | None, told: Told | None) -> Trade:
    row = fill.row
    ordered = None if signal is None or not signal["quantity"] else float(signal["quantity"])
    trade = Trade(line_of(row), fill.decided_ms, row["trade_id"], Side[row["side"]], row["order_id"], ordered)
    trade.is_limit = told is not None and row["order_id"].isdecimal() and int(row["order_id"]) in told.limits
    return trade


def _entry(fill: FillRow, trade: Trade, told: Told | None) -> Entry:
    row, quantity = fill.row, float(fill.row["quantity"])
    execution = _note_fee(fill, trade, told)
    base = row["symbol"].partition("/")[0]
    kept = execution.fee if execution is not None and execution.fee_asset == base else 0.0
    # A limit that was met inside a candle has no slippage; every other entry on paper has, or nobody can tell.
    is_inside = told is None and float(row["slippage"]) == 0.0 and fill.time_ms > fill.decided_ms
    return Entry(fill.time_ms, float(row["price"]), quantity, quantity - kept, float(row["commission"]), is_inside)


def _note_fee(fill: FillRow, trade: Trade, told: Told | None) -> Execution | None:
    """What the exchange said of a row, with its fee counted; a row that it never told of is a problem."""
    row = fill.row
    if told is None:
        trade.fees["paper"] = trade.fees.get("paper", 0.0) + float(row["commission"])
        return None
    waiting = told.fills.get((row["symbol"], fill.time_ms, repr(float(row["price"]))), [])
    execution = _of_size(waiting, float(row["quantity"]), is_exact=row["action"] == "OPEN")
    if execution is None:
        trade.problems.append(f"the tape has no execution of the {row['action']} at {row['timestamp']}")
        return None
    waiting.remove(execution)
    trade.fees[execution.fee_asset] = trade.fees.get(execution.fee_asset, 0.0) + execution.fee
    return execution


def _of_size(waiting: Sequence[Execution], quantity: float, *, is_exact: bool) -> Execution | None:
    # The last CLOSE of a trade closes what the ledger holds, which may be a rounding apart from what was sold.
    nearest = min(waiting, key=lambda one: abs(one.quantity - quantity), default=None)
    return None if nearest is None or (is_exact and nearest.quantity != quantity) else nearest


def _is_inside(row: Row, side: Side) -> bool:
    """Whether a stop or a target was met at its price, inside the candle."""
    quantity = float(row["quantity"])
    before = float(row["price"]) + side * float(row["slippage"]) / quantity
    levels = [float(row[name]) for name in ("stop_loss", "take_profit") if row[name]]
    return any(abs(before - level) <= 1e-9 * level for level in levels)


def _name_parts(trade: Trade) -> None:
    """An exit that was filled in parts has its reason in the last."""
    last = ""
    for place in range(len(trade.exits) - 1, -1, -1):
        one = trade.exits[place]
        if one.reason not in GOES_ON:
            last = one.reason
        elif one.reason == "partial_fill" and last:
            trade.exits[place] = replace(one, reason=last)
