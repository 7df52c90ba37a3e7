"""The account: balance, open positions and orders of every line, and the last known price of every symbol.

The one place where equity and exposure are computed. The broker writes here, and the runtime moves time and marks
where nothing waits for a fill; risk, safety and strategies read. `balance` moves on CLOSE and nowhere else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.models.market import Slice
from app.models.orders import CloseOrder, EntryOrder, Line, Position


class Account:
    """State of one paper or real account; `positions` keeps the order in which they were opened.

    `lines` are the lines of each symbol, in the config's order of strategies.
    """

    __slots__ = ("balance", "closing", "last_order_id", "lines", "marks", "pending", "positions", "starting_balance",
                 "time_ms")  # fmt: skip

    def __init__(self, starting_balance: float, lines: Mapping[str, Sequence[Line]]) -> None:
        self.lines = lines
        self.last_order_id = 0
        self.starting_balance = starting_balance
        self.balance = starting_balance
        self.time_ms = 0  # close time of the last slice handled
        self.marks: dict[str, float] = {}
        self.positions: dict[Line, Position] = {}
        self.pending: dict[Line, EntryOrder] = {}
        self.closing: dict[Line, CloseOrder] = {}

    def next_order_id(self) -> int:
        """Counted from 1, over all lines."""
        self.last_order_id += 1
        return self.last_order_id

    def equity(self) -> float:
        """`balance + sum(unrealised PnL)` at the marks as they stand."""
        equity = self.balance
        if self.positions:
            marks = self.marks
            for position in self.positions.values():
                equity += position.unrealised(marks[position.symbol])
        return equity

    def exposure(self) -> float:
        """`sum(quantity * mark)` over open positions and pending entries."""
        marks, exposure = self.marks, 0.0
        for position in self.positions.values():
            exposure += position.quantity * marks[position.symbol]
        for order in self.pending.values():
            exposure += order.quantity * marks[order.symbol]
        return exposure


def lines_of(strategies: Mapping[str, Sequence[str]], symbols: Sequence[str]) -> dict[str, tuple[Line, ...]]:
    """The lines of each symbol; `strategies` are the ids in the config's order, each with its symbols."""
    return {symbol: tuple(Line(one, symbol) for one, own in strategies.items() if symbol in own) for symbol in symbols}


@dataclass(slots=True)
class SliceRows:
    """One row per slice of the run, as the account stood after broker and guard; an observer takes them away.

    Three lists of equal length. The newest row stays until the run is over: a flatten or a kill that comes after
    the slice was handled rewrites it.
    """

    slices: list[Slice] = field(default_factory=list)
    equities: list[float] = field(default_factory=list)
    balances: list[float] = field(default_factory=list)
