"""From a signal to a fill: signals, decisions, orders, positions, fills, and the words for why.

A message is immutable and holds no reference to a stage. Nothing here computes a trading rule.
"""

from enum import IntEnum, StrEnum

import msgspec


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
    quantity down; `tag` lands in the trade log.
    """

    action: Action
    atr: float | None = None
    stop: float | None = None
    target: float | None = None
    size_factor: float = 1.0
    tag: str = ""


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
    SIGNAL_EXIT = "signal_exit"
    KILL_SWITCH = "kill_switch"
    END_OF_DATA = "end_of_data"
    SHUTDOWN = "shutdown"


class Refusal(StrEnum):
    """Why a signal became no order. A refusal is a value: it is returned, counted and reported, never raised."""

    POSITION_OPEN = "position_open"
    ORDER_PENDING = "order_pending"
    NOTHING_TO_EXIT = "nothing_to_exit"
    EXIT_PENDING = "exit_pending"
    NO_MARK = "no_mark"
    STOP_DISTANCE = "stop_distance"
    TARGET_SIDE = "target_side"
    NO_QUANTITY = "no_quantity"
    MIN_QUANTITY = "min_quantity"
    MIN_NOTIONAL = "min_notional"
    HALTED = "halted"
    MAX_OPEN_POSITIONS = "max_open_positions"
    LATE = "late"
    STALE = "stale"


class EntryOrder(msgspec.Struct, frozen=True):
    """A market order that opens a position; stop and target are absolute prices, set at the signal."""

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


class CloseOrder(msgspec.Struct, frozen=True):
    """A market order that closes the symbol's whole position; passes no risk or gate limit."""

    order_id: int
    symbol: str
    reason: Reason
    signal_time_ms: int
    tag: str = ""


Order = EntryOrder | CloseOrder


class Decision(msgspec.Struct, frozen=True):
    """What became of one signal: `order`, `exit_ordered`, `entry_cancelled`, or the refusal's reason."""

    time_ms: int  # close time of the slice decided on
    symbol: str
    action: Action
    outcome: str
    order: EntryOrder | CloseOrder | None
    tag: str


class HeldRange(msgspec.Struct, gc=False):
    """What the prices did while a position was held; the one thing of a position that changes.

    `lowest` and `highest` begin at the entry price. `target_touched`: a candle touched the target and did not pass it.
    """

    lowest: float
    highest: float
    target_touched: bool = False


class Position(msgspec.Struct, frozen=True):
    """An open position. `entry_price` is after slippage, `entry_commission` what the OPEN fill cost.

    `signed_quantity` is side * quantity. `floor` and `ceiling` are the lower and the upper one of stop and target: a
    candle strictly between them cannot touch either.
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

    def unrealised(self, mark: float) -> float:
        """`side * quantity * (mark - entry) - entry commission` (RULES, Cash + equity accounting)."""
        return self.signed_quantity * (mark - self.entry_price) - self.entry_commission


class Fill(msgspec.Struct, frozen=True):
    """One row of the trade log: an OPEN or a CLOSE, with the account as it stood right after it.

    `candle_volume` is that of the candle it was filled in, None where it was filled at a mark. A CLOSE has the trade's
    greatest loss and gain while it was held, in currency, before costs but after the entry's slippage, at least 0:
    over the whole candles held, on the exit's candle no further than the exit price (PEERS, MAE and MFE).
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
