"""Running totals over the fills of a run: wins, losses, costs, exits, per symbol.

Updated once per fill and never per candle; holds no trade, so memory does not grow with the run. A winner has a
net PnL above zero; what is undefined is None.
"""

from dataclasses import dataclass, field

from app.models.orders import GOES_ON, MAIN, Fill, Reason, Side


@dataclass(slots=True)
class TradeTotals:
    """Closed trades of one group (all, a symbol, a side, an exit reason)."""

    trades: int = 0
    winners: int = 0
    realized_pnl: float = 0.0

    def add(self, realized_pnl: float, of_trade: float | None) -> None:
        """Count what a CLOSE realised; `of_trade` is the net PnL of the trade that ended with it, None for a leg."""
        self.realized_pnl += realized_pnl
        if of_trade is not None:
            self.trades += 1
            self.winners += of_trade > 0.0

    @property
    def win_rate_pct(self) -> float | None:
        """Percent of trades with a net PnL above zero; None without a trade."""
        return 100.0 * self.winners / self.trades if self.trades else None

    def as_dict(self) -> dict[str, int | float | None]:
        """For results.json."""
        return {
            "total_trades": self.trades,
            "winning_trades": self.winners,
            "losing_trades": self.trades - self.winners,
            "win_rate": self.win_rate_pct,
            "realized_pnl": self.realized_pnl,
        }


@dataclass(slots=True)
class Tally:
    """Everything that the report says about fills."""

    symbols: tuple[str, ...]
    strategies: tuple[str, ...] = (MAIN,)
    total: TradeTotals = field(default_factory=TradeTotals)
    by_symbol: dict[str, TradeTotals] = field(init=False)
    by_side: dict[Side, TradeTotals] = field(init=False)
    by_strategy: dict[str, TradeTotals] = field(init=False)
    by_reason: dict[Reason, TradeTotals] = field(default_factory=dict)
    commission: float = 0.0
    slippage: float = 0.0
    both_levels: int = 0
    opened: int = 0
    legs: TradeTotals = field(default_factory=TradeTotals)
    legs_of: dict[int, float] = field(default_factory=dict)  # realised so far by legs of trades that go on

    def __post_init__(self) -> None:
        self.by_symbol = {symbol: TradeTotals() for symbol in self.symbols}
        self.by_side = {side: TradeTotals() for side in Side}
        self.by_strategy = {strategy: TradeTotals() for strategy in self.strategies}

    def add(self, fill: Fill) -> None:
        """Count one fill."""
        self.commission += fill.commission
        self.slippage += fill.slippage
        self.both_levels += fill.both_levels
        if fill.opens:
            self.opened = max(self.opened, fill.trade_id)  # trades count from 1; an entry may be filled in parts
            return
        realized_pnl, of_trade = fill.realized_pnl, None
        if fill.reason in GOES_ON:
            self.legs.add(realized_pnl, realized_pnl)
            self.legs_of[fill.trade_id] = self.legs_of.get(fill.trade_id, 0.0) + realized_pnl
        else:
            of_trade = realized_pnl + (self.legs_of.pop(fill.trade_id, 0.0) if self.legs_of else 0.0)
            by_reason = self.by_reason.get(fill.reason)
            if by_reason is None:
                by_reason = self.by_reason[fill.reason] = TradeTotals()
            by_reason.add(of_trade, of_trade)
        if fill.strategy not in self.by_strategy:  # of an epoch before this one
            self.by_strategy[fill.strategy] = TradeTotals()
        of_strategy = self.by_strategy[fill.strategy]
        for totals in (self.total, self.by_symbol[fill.symbol], self.by_side[fill.side], of_strategy):
            totals.add(realized_pnl, of_trade)

    def exits_as_dict(self) -> dict[str, dict[str, int | float | None]]:
        """Closed trades per exit reason, in the order of the reasons' definition."""
        return {reason.value: self.by_reason[reason].as_dict() for reason in Reason if reason in self.by_reason}
