"""From a signal to a fill: signals, decisions, orders, positions, fills, and the words for why.

A message is immutable and holds no reference to a stage. Nothing here computes a trading rule.
"""

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

import msgspec

from app.models.exits import Exits, Leg

MAIN = "main"  # the id of a session's only strategy, where the config gives none


class Line(NamedTuple):
    """One strategy on one symbol: what a position, a pending entry and a close order belong to."""

    strategy: str
    symbol: str

    def __str__(self) -> str:
        return self.symbol if self.strategy == MAIN else f"{self.strategy} {self.symbol}"


_line = tuple.__new__  # half of what calling a NamedTuple costs, and a trade asks for its line several times


class Side(IntEnum):
    """Side of a position; its value is the sign in every PnL formula."""

    LONG = 1
    SHORT = -1


class Action(StrEnum):
    """What a strategy may answer for a candle."""

    LONG = "LONG"
    SHORT = "SHORT"
    EXIT = "EXIT"
    FLAT = "FLAT"


class Signal(msgspec.Struct, frozen=True):
    """A strategy's answer for one candle.

    An entry needs a stop distance: either `atr` (times the configured multiplier) or an absolute `stop`.
    `target` replaces the one from the reward/risk ratio; `size_factor`, above 0 and at most 1, scales the
    quantity down; `tag` lands in the trade log. `limit` is the price of a limit entry, good for `valid_candles` of the
    session. `exits` replaces the strategy's managed exits, by the same keys.
    """

    action: Action
    atr: float | None = None
    stop: float | None = None
    target: float | None = None
    size_factor: float = 1.0
    tag: str = ""
    limit: float | None = None
    valid_candles: int = 1
    exits: Exits | Mapping[str, Any] | None = None


FLAT = Signal(Action.FLAT)


class Bound(StrEnum):
    """Which limit decided an order's quantity."""

    RISK = "risk_per_trade"
    POSITION = "max_position_pct"
    ROOM = "max_exposure"


class Reason(StrEnum):
    """Why a fill happened."""

    SIGNAL = "signal"
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    PARTIAL_TARGET = "partial_target"
    BREAK_EVEN = "break_even"
    TRAILING_STOP = "trailing_stop"
    TIME_EXIT = "time_exit"
    PARTIAL_FILL = "partial_fill"
    SIGNAL_EXIT = "signal_exit"
    KILL_SWITCH = "kill_switch"
    END_OF_DATA = "end_of_data"
    SHUTDOWN = "shutdown"
    UNPROTECTED = "unprotected"
    OPERATOR = "operator"


GOES_ON = (Reason.PARTIAL_TARGET, Reason.PARTIAL_FILL)  # of a CLOSE after which something of the trade is left


class OrderState(StrEnum):
    """What is known of an order at a broker that answers later."""

    INTENT = "intent"  # on the tape, not sent yet
    SENT = "sent"
    UNKNOWN = "unknown"  # sent, and nobody knows whether it arrived
    ACCEPTED = "accepted"
    PARTLY_FILLED = "partly_filled"
    CANCEL_SENT = "cancel_sent"
    CANCEL_UNKNOWN = "cancel_unknown"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REFUSED = "refused"


RESTING = (OrderState.ACCEPTED, OrderState.PARTLY_FILLED)  # the exchange has it, and no end of it was told
OVER = (OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REFUSED)
NOT_THERE = 1  # an Execution's `code` where the order never reached the exchange; no exchange's own code is positive


class Refusal(StrEnum):
    """Why a signal became no order. A refusal is a value: it is returned, counted and reported, never raised."""

    POSITION_OPEN = "position_open"
    ORDER_PENDING = "order_pending"
    NOTHING_TO_EXIT = "nothing_to_exit"
    EXIT_PENDING = "exit_pending"
    NO_MARK = "no_mark"
    LIMIT_PRICE = "limit_price"
    STOP_DISTANCE = "stop_distance"
    TARGET_SIDE = "target_side"
    NO_QUANTITY = "no_quantity"
    MIN_QUANTITY = "min_quantity"
    MIN_NOTIONAL = "min_notional"
    HALTED = "halted"
    MAX_OPEN_POSITIONS = "max_open_positions"
    COOLDOWN = "cooldown"
    STOP_GUARD = "stop_guard"
    LOSING_STREAK = "losing_streak"
    LATE = "late"
    STALE = "stale"
    SHORT_ON_SPOT = "short_on_spot"
    MAX_ORDER_NOTIONAL = "max_order_notional"
    MAX_DAILY_ORDERS = "max_daily_orders"
    ORDER_UNKNOWN = "order_unknown"
    NOT_TRADING = "not_trading"
    ACCOUNT_UNCHECKED = "account_unchecked"
    ACCOUNT_DIFFERS = "account_differs"


class EntryOrder(msgspec.Struct, frozen=True, omit_defaults=True):
    """An order that opens a position, at the market or at `limit`; stop and target are absolute prices, set at the
    signal. A limit order that `rests` was there before the candle opened; it may fill on candles that open before
    `valid_until_ms`.
    """

    order_id: int
    symbol: str
    side: Side
    quantity: float
    reference: float
    stop: float
    target: float
    sized_by: Bound
    tag: str
    signal_time_ms: int
    strategy: str = MAIN
    limit: float | None = None
    valid_until_ms: int | None = None
    rests: bool = False
    exits: Exits | None = None
    atr: float | None = None  # of the signal, where an exit needs it

    @property
    def line(self) -> Line:
        """What it opens a position of."""
        return _line(Line, (self.strategy, self.symbol))

    def resting(self) -> "EntryOrder":
        """The same order once a candle has come that did not fill it."""
        return msgspec.structs.replace(self, rests=True)


class CloseOrder(msgspec.Struct, frozen=True, omit_defaults=True):
    """A market order that closes all that is left of a line's position; passes no risk or gate limit."""

    order_id: int
    symbol: str
    reason: Reason
    signal_time_ms: int
    tag: str
    strategy: str = MAIN

    @property
    def line(self) -> Line:
        """Whose position it closes."""
        return _line(Line, (self.strategy, self.symbol))


Order = EntryOrder | CloseOrder


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one `signal`: `order`, `exit_ordered`, `entry_cancelled`, or the refusal's reason."""

    time_ms: int  # close time of the slice decided on
    symbol: str
    action: Action
    outcome: str
    order: EntryOrder | CloseOrder | None
    tag: str
    strategy: str = MAIN
    signal: Signal | None = None


class HeldRange(msgspec.Struct, gc=False):
    """What the prices did while a position was held; the one thing of a position that changes.

    `lowest` and `highest` begin at the entry price. `target_touched`: a candle touched the target and did not pass it.
    `best` is RULES.md's: the best price of the candles held, which moves the stop; None before the first.
    """

    lowest: float
    highest: float
    target_touched: bool = False
    best: float | None = None


class Position(msgspec.Struct, frozen=True):
    """An open position. `entry_price` is after slippage, `entry_commission` what the OPEN fill cost.

    `signed_quantity` is side * quantity. `floor` and `ceiling` are the stop and the next leg or the target, of a short
    the other way round: a candle strictly between them cannot touch either. `quantity` and `entry_commission` are
    those that are left; `first_*` those of the entry. `risk` is R, the distance from the entry to the first stop.
    `moved_by` is what moved the stop last.
    """

    trade_id: int
    symbol: str
    side: Side
    quantity: float
    signed_quantity: float
    entry_price: float
    entry_commission: float
    entry_time_ms: int
    stop: float
    target: float
    floor: float
    ceiling: float
    tag: str
    held: HeldRange
    strategy: str = MAIN
    exits: Exits | None = None
    legs: tuple[Leg, ...] = ()
    moved_by: Reason | None = None
    first_quantity: float = 0.0
    first_commission: float = 0.0
    risk: float = 0.0
    atr: float | None = None
    time_exit_ms: int | None = None

    @property
    def line(self) -> Line:
        """Whose position it is."""
        return _line(Line, (self.strategy, self.symbol))

    def unrealised(self, mark: float) -> float:
        """`side * quantity * (mark - entry) - entry commission` (RULES, Cash + equity accounting)."""
        return self.signed_quantity * (mark - self.entry_price) - self.entry_commission


class Fill(msgspec.Struct, frozen=True):
    """One row of the trade log: an OPEN or a CLOSE, with the account as it stood right after it.

    `candle_volume` is that of the candle it was filled in, None where it was filled at a mark. A CLOSE has the trade's
    greatest loss and gain while it was held, in currency, before costs but after the entry's slippage, at least 0:
    over the whole candles held, on the exit's candle no further than the exit price (PEERS, MAE and MFE). A CLOSE for
    `partial_target` is a leg: the trade goes on, and its last CLOSE has another reason.
    """

    time_ms: int
    symbol: str
    opens: bool
    side: Side
    price: float
    quantity: float
    commission: float
    slippage: float
    balance: float
    equity: float
    realized_pnl: float
    reason: Reason
    trade_id: int
    stop: float
    target: float
    order_id: int | None
    sized_by: Bound | None
    both_levels: bool
    tag: str
    candle_volume: float | None = None
    mae: float | None = None
    mfe: float | None = None
    target_touched: bool = False
    strategy: str = MAIN
