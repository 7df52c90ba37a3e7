"""The account: balance, open positions, pending orders and the last known price of every symbol.

The one place where equity and exposure are computed. The broker writes here, and the runtime moves time and marks
where nothing waits for a fill; risk, safety and strategies read. `balance` moves on CLOSE and nowhere else.
"""

from app.models.market import Slice
from app.models.orders import CloseOrder, EntryOrder, Position


class Account:
    """State of one paper or real account; `positions` and `closing` keep the order in which they were opened."""

    __slots__ = ("balance", "closing", "marks", "pending", "positions", "starting_balance", "time_ms")

    def __init__(self, starting_balance: float) -> None:
        self.starting_balance = starting_balance
        self.balance = starting_balance
        self.time_ms = 0  # close time of the last slice handled
        self.marks: dict[str, float] = {}
        self.positions: dict[str, Position] = {}
        self.pending: dict[str, EntryOrder] = {}
        self.closing: dict[str, CloseOrder] = {}

    def equity(self) -> float:
        """`balance + sum(unrealised PnL)` at the marks as they stand."""
        equity = self.balance
        if self.positions:
            marks = self.marks
            for symbol, position in self.positions.items():
                equity += position.unrealised(marks[symbol])
        return equity

    def exposure(self) -> float:
        """`sum(quantity * mark)` over open positions and pending entries."""
        marks = self.marks
        exposure = 0.0
        for symbol, position in self.positions.items():
            exposure += position.quantity * marks[symbol]
        for symbol, order in self.pending.items():
            exposure += order.quantity * marks[symbol]
        return exposure


class SliceRows:
    """One row per slice of the run, as the account stood after broker and guard; an observer takes them away.

    Three lists of equal length. The newest row stays until the run is over: a flatten or a kill that comes after
    the slice was handled rewrites it.
    """

    __slots__ = ("balances", "equities", "slices")

    def __init__(self) -> None:
        self.slices: list[Slice] = []
        self.equities: list[float] = []
        self.balances: list[float] = []
