"""What was there of a line at one candle, and what became of it: the facts of an answer of `why`.

Everything is what a stage of the runtime held or made; it was noted while the runtime handled the run's own events.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.models.events import Execution, LateCandle, MarkedSlice
from app.models.market import Candle, Slice
from app.models.orders import CloseOrder, Decision, EntryOrder, Fill, Line, Position, Signal
from app.models.protections import Protection
from app.strategies.base import Condition
from app.trading.exit_rules import Exit
from app.trading.risk import Sizing


@dataclass
class Seen:
    """What was there of a line at the candle; `signal` is None where the strategy was not asked.

    `before` and `after` are its position around the candle, `first_stop` the stop that the candle began with.
    `pauses`: each protection, and until when it refuses the line's entries. `gone`: how an order ended that was not
    filled, and with which slice.
    """

    line: Line
    event: Slice | LateCandle
    candle: Candle | None
    before: Position | None = None
    after: Position | None = None
    first_stop: float | None = None
    pending: EntryOrder | None = None
    closing: CloseOrder | None = None
    time_exit: CloseOrder | None = None
    asked: Candle | None = None
    signal: Signal | None = None
    conditions: Sequence[Condition] = ()
    indicators: dict[str, float | None] = field(default_factory=dict)
    sizing: Sizing | None = None
    equity: float = 0.0
    peak: float = 0.0
    losses: tuple[float, float] = (0.0, 0.0)
    halted: bool = False
    decided_ms: int = 0  # close time of the slice decided on
    taken: int = 0
    pauses: Sequence[tuple[Protection, int]] = ()
    decision: Decision | None = None
    lookback: Sequence[Candle] = ()
    fills: list["Filled"] = field(default_factory=list)
    later: "Filled | None" = None
    gone: tuple[str, int] | None = None

    @property
    def symbol(self) -> str:
        """The line's."""
        return self.line.symbol

    @property
    def is_late(self) -> bool:
        """Whether no entry is accepted on it because it came too late."""
        return isinstance(self.event, LateCandle) or (isinstance(self.event, MarkedSlice) and self.event.late)

    @property
    def is_stale(self) -> bool:
        """Whether the symbol had no candle for too long."""
        return isinstance(self.event, MarkedSlice) and self.symbol in self.event.stale


@dataclass(frozen=True)
class Filled:
    """A fill, the candle that made it (None: at the last mark), which exit rule held in it, and which entry it filled.

    `exit` is None where none did; `order` is None where the entry waited for no candle. `had_legs`: its position had
    legs before the candle. `execution`: what the exchange said of it, where the order was real.
    """

    fill: Fill
    candle: Candle | None
    exit: Exit | None = None
    order: EntryOrder | None = None
    had_legs: bool = False
    execution: Execution | None = None
