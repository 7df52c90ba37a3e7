"""Money, positions and the trade log of the independent reference (RULES.md, 'Cash + equity accounting', 'Trade log').

Positions and pending entries belong to lines: a line is (strategy id, symbol).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from .config import Config, Exits
from .result import Result

Line = tuple[str, str]  # strategy id, symbol
STOP_REASONS = ("stop_loss", "trailing_stop", "break_even")


@dataclass
class Entry:
    """An accepted entry: pending until it fills, expires or is cancelled."""

    line: Line
    side: int  # +1 long, -1 short
    quantity: float
    stop: float
    target: float
    decided: int  # close time of the slice it was decided with
    exits: Exits
    atr: float | None = None  # the signal's
    limit: float | None = None
    expires: int | None = None  # fills on candles that open before
    rests: bool = False  # a candle of the symbol has come since the signal

    @property
    def symbol(self) -> str:
        return self.line[1]


@dataclass
class Leg:
    """A partial exit: a resting limit order."""

    price: float
    quantity: float


@dataclass
class Position:
    """A filled entry; `close_reason` is set while a close order is pending, `close_decided` when it was decided."""

    entry: Entry
    trade_id: int
    price: float
    commission: float  # the entry's, of the first quantity
    opened: int
    left: float  # quantity
    commission_left: float
    stop: float  # as it stands
    stop_reason: str = "stop_loss"
    best: float | None = None  # Rules: the highest high (long) held
    legs: list[Leg] = field(default_factory=list)  # those that are left, in order
    realised: float = 0.0  # by the legs so far
    close_reason: str | None = None
    close_decided: int = 0

    @property
    def r(self) -> float:
        """ "R is the distance from the entry price to the first stop"; it stays that of the entry."""
        return abs(self.price - self.entry.stop)

    def gain(self, price: float) -> float:
        """How far a price lies on the winning side of the entry."""
        return self.entry.side * (price - self.price)

    def pnl(self, price: float) -> float:
        """`side * quantity * (price - entry) - entry commission`, of what is left: unrealised at a mark."""
        return self.entry.side * self.left * (price - self.price) - self.commission_left


class Books:
    """Balance, marks, positions, pending entries; every fill goes through here."""

    def __init__(self, config: Config, result: Result, trade_over: Callable[[Line, float, str, int], None]) -> None:
        self.config = config
        self.result = result
        self.trade_over = trade_over  # told of each trade that is over: line, PnL, exit reason, slice
        self.time = 0  # close time of the slice in hand
        self.balance = config.starting_balance
        self.marks: dict[str, float] = {}
        self.positions: dict[Line, Position] = {}  # in the order in which they were opened
        self.entries: dict[Line, Entry] = {}  # pending, in the order in which they were placed
        self.trade_count = 0

    def equity(self) -> float:
        """`balance + sum(unrealised PnL)`. Decision: summed in the order of opening, then added."""
        unrealised = 0.0
        for (_, symbol), position in self.positions.items():
            unrealised += position.pnl(self.marks[symbol])
        return self.balance + unrealised

    def exposure(self) -> float:
        """ "over open positions and pending entries", each in their order, at the marks (limit entries too)."""
        exposure = 0.0
        for (_, symbol), position in self.positions.items():
            exposure += position.left * self.marks[symbol]
        for (_, symbol), entry in self.entries.items():
            exposure += entry.quantity * self.marks[symbol]
        return exposure

    def slipped(self, price: float, side: int) -> float:
        """Slippage is a rate against the trader: buy at `p * (1 + s)`, sell at `p * (1 - s)`."""
        rate = self.config.slippage_rate
        return price * (1 + rate) if side > 0 else price * (1 - rate)

    @property
    def maker_rate(self) -> float:
        """`maker_commission_rate`, where given, for what rests."""
        maker = self.config.maker_commission_rate
        return self.config.commission_rate if maker is None else maker

    def open(self, entry: Entry, fill: float, price: float, timestamp: int, rate: float) -> Position:
        """The balance does not change on OPEN. `price` is the one before slippage."""
        commission = rate * fill * entry.quantity
        self.trade_count += 1
        position = Position(
            entry, self.trade_count, fill, commission, timestamp, entry.quantity, commission, entry.stop
        )
        self.positions[entry.line] = position
        self.log(position, "OPEN", timestamp, fill, price, entry.quantity, commission, 0.0, "signal")
        return position

    def open_at_market(self, entry: Entry, price: float, timestamp: int) -> Position:
        fill = self.slipped(price, entry.side)
        return self.open(entry, fill, price, timestamp, self.config.commission_rate)

    def close_at_market(self, position: Position, price: float, timestamp: int, reason: str) -> None:
        """A close order, a stop or a flatten: slippage, the commission rate of a taker, all that is left."""
        fill = self.slipped(price, -position.entry.side)
        self.close(position, position.left, fill, price, timestamp, reason, self.config.commission_rate)

    def close_at_limit(self, position: Position, quantity: float, price: float, timestamp: int, reason: str) -> None:
        """A target or a leg is a limit order: no slippage, the maker's commission rate where given."""
        self.close(position, quantity, price, price, timestamp, reason, self.maker_rate)

    def close(
        self, position: Position, quantity: float, fill: float, price: float, timestamp: int, reason: str, rate: float
    ) -> None:
        """On CLOSE, and only there, `balance += realised PnL`.

        "its share of the entry commission (entry commission * leg quantity / first quantity; the last CLOSE takes
        what is left)"
        """
        entry, commission = position.entry, rate * fill * quantity
        if quantity == position.left:
            realised = position.pnl(fill) - commission
            position.left = position.commission_left = 0.0
            del self.positions[entry.line]
        else:
            share = position.commission * quantity / entry.quantity
            realised = entry.side * quantity * (fill - position.price) - share - commission
            position.left -= quantity
            position.commission_left -= share
        position.realised += realised
        self.balance += realised
        self.log(position, "CLOSE", timestamp, fill, price, quantity, commission, realised, reason)
        if position.left == 0.0:  # "A trade is over when nothing is left"
            pnl = position.realised
            over = {"strategy": entry.line[0], "symbol": entry.symbol, "pnl": pnl, "reason": reason}
            self.result.closed.append(over)
            self.trade_over(entry.line, pnl, reason, self.time)

    def log(
        self,
        position: Position,
        action: str,
        timestamp: int,
        fill: float,
        price: float,
        quantity: float,
        commission: float,
        realised: float,
        reason: str,
    ) -> None:
        """Rules, 'Trade log': balance and equity after the fill, equity at the marks as they stand.

        Decision: `stop_loss` is the stop as it stands at the fill.
        """
        strategy, symbol = position.entry.line
        row = {
            "timestamp": timestamp,
            "symbol": symbol,
            "strategy": strategy,
            "action": action,
            "side": "LONG" if position.entry.side > 0 else "SHORT",
            "price": fill,
            "quantity": quantity,
            "commission": commission,
            "slippage": abs(fill - price) * quantity,
            "balance": self.balance,
            "equity": self.equity(),
            "realized_pnl": realised,
            "reason": reason,
            "trade_id": position.trade_id,
            "stop_loss": position.stop,
            "take_profit": position.entry.target,
        }
        self.result.trades.append(row)

    def order_close(self, position: Position, price: float, timestamp: int, reason: str) -> None:
        """A close order. Decision: one that is already pending stays as it is.

        `fill: close`: "it fills at once", at this price.
        """
        if position.close_reason is not None:
            return
        if self.config.fill == "close":
            self.close_at_market(position, price, timestamp, reason)
        else:
            position.close_reason, position.close_decided = reason, self.time

    def cancel(self, line: Line, why: str) -> None:
        del self.entries[line]
        self.result.cancelled[why] += 1
