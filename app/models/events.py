"""Events: everything that the queue carries and the tape records.

The tape writes them as JSON by their tags, so a tag is never renamed.
"""

import msgspec

from app.models.market import Candle, Slice
from app.models.orders import OrderState


class MarkedSlice(Slice, frozen=True, gc=False, tag="marked_slice"):
    """A slice of a live feed with something to be said of it, so that a replay of the tape decides the same.

    `late`: handled more than `feed.late_candles` after its close, so no entry is accepted on it. `stale` names
    symbols that have had no candle for `feed.stale_candles` timeframes: no entry on these.
    """

    late: bool = False
    stale: tuple[str, ...] = ()


class LateCandle(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag="late_candle"):
    """A candle that came after its slice had gone without it: exits are checked on it and indicators updated.

    `warmup`: it belongs to the time before the run, so it updates indicators and nothing else.
    """

    candle: Candle
    warmup: bool = False


class RevisedCandle(msgspec.Struct, frozen=True, gc=False, tag="revised_candle"):
    """The exchange answers other values for a candle that was handled already: counted, and nothing else."""

    candle: Candle


class EndOfData(msgspec.Struct, frozen=True, tag="end_of_data"):
    """The feed has no more: `--end`, the end of the data or the end of a tape."""


class Asked(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an operator asks for; it takes effect after the slice handled before it."""

    why: str


class Stop(Asked, frozen=True, tag="stop"):
    """The session ends (also Ctrl-C, SIGTERM)."""


class Kill(Asked, frozen=True, tag="kill"):
    """The kill switch trips as if a limit had been reached."""


class Halt(Asked, frozen=True, tag="halt"):
    """No entry any more until resumed; positions and their protection stay."""


class Close(Asked, frozen=True, tag="close"):
    """What is open on a symbol is closed, as by the strategy's own EXIT: of every strategy, or of the one named."""

    symbol: str
    strategy: str | None = None


class Resume(Asked, frozen=True, tag="resume"):
    """Releases the kill switch; the peak becomes the equity of that moment."""


class Reallocate(msgspec.Struct, frozen=True, tag="reallocate"):
    """From here on each strategy sizes its orders by this part of the equity; by the results of days before `time_ms`.

    It comes before the slice that needs it, and is computed once: where a tape is replayed, the tape has it.
    """

    time_ms: int
    weights: dict[str, float]
    why: str


class Execution(msgspec.Struct, frozen=True, omit_defaults=True, tag="execution"):
    """What a broker says of one order, or of one `leg` of it: its state, and a fill where there was one.

    `fill_id` names the fill, so one that is told twice counts once. `quantity`, `price` and `commission` (in quote
    currency) are those of this fill; `fee` is what was charged, in `fee_asset`. `filled` is the order's quantity that
    was filled so far, where the broker tells it: an order that is over waits for the fills that it still lacks. `code`
    is the exchange's own for a refusal, `why` its words, or the evidence for what is said. `is_passing`: a refusal by
    maintenance, a limit, a closed market or a clock, so the same may be accepted later; a refusal that is told once
    more, without it, says that it is time to try.
    """

    order_id: int
    state: OrderState
    time_ms: int
    fill_id: str = ""
    quantity: float = 0.0
    price: float = 0.0
    commission: float = 0.0
    filled: float | None = None
    why: str = ""
    leg: str = ""
    fee: float = 0.0
    fee_asset: str = ""
    is_maker: bool = False
    code: int = 0
    is_passing: bool = False


class SeenTrade(msgspec.Struct, frozen=True, array_like=True):
    """A trade as the exchange's history has it, of an order of ours."""

    fill_id: str
    order_id: int
    leg: str
    quantity: float
    price: float


class AccountSnapshot(msgspec.Struct, frozen=True, omit_defaults=True, tag="account_snapshot"):
    """What the exchange says of the account, for the ledger to be held against.

    `balances` are free and locked together, of the assets that the session's symbols are made of. `open_orders` are
    the client ids of our open orders. `trades` are those of our orders with `since_ms <= time < time_ms`.
    `foreign_orders` counts open orders of somebody else, `not_trading` names the session's symbols that are halted.
    """

    time_ms: int
    since_ms: int
    balances: dict[str, float]
    open_orders: tuple[str, ...] = ()
    trades: tuple[SeenTrade, ...] = ()
    foreign_orders: int = 0
    not_trading: tuple[str, ...] = ()


class GiveUp(msgspec.Struct, frozen=True, tag="give_up"):
    """The closing phase of a session has lasted too long: it ends, whatever is still open."""

    why: str


Command = Stop | Kill | Halt | Close | Resume
Event = (
    Slice | MarkedSlice | LateCandle | RevisedCandle | Reallocate | Execution | AccountSnapshot | EndOfData | GiveUp
    | Command
)  # fmt: skip
