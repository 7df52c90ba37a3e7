"""SafetyMonitor: the guard after every slice and the gate before every entry.

The kill switch is a latch: once tripped, no entry passes until an operator resumes, which sets the peak to the
equity of that moment. It decides on equity alone and never reads a clock; a day is the UTC day of the slices.
"""

from dataclasses import dataclass, field
from math import inf
from typing import Any

from app.models.orders import Line, Refusal
from app.models.protections import Protection
from app.times import DAY_MS
from app.trading.account import Account, SliceRows
from app.trading.protections import Protections


@dataclass(frozen=True, slots=True)
class SafetyLimits:
    """Limits of trading_mode.yaml; None switches a limit off."""

    max_drawdown: float | None = 0.20
    max_daily_loss: float | None = None
    max_open_positions: int = 10


@dataclass(frozen=True, slots=True)
class Trip:
    """Why and when the kill switch tripped."""

    time_ms: int
    why: str


@dataclass(frozen=True, slots=True)
class SafetyMemory:
    """All that a monitor remembers, for a new epoch of a session.

    `follows_rows` is False in what an older Onetape left: its day moved only with slices that the guard was asked of.
    """

    halted: bool
    trips: tuple[Trip, ...]
    peak: float
    day_end_ms: int
    day_start_equity: float
    last_equity: float
    follows_rows: bool = False
    protections: dict[str, Any] = field(default_factory=dict)
    kills: bool = True


class SafetyMonitor:
    """Watches one account. `halted` is the latch, `killed` says that positions close too, `trips` lists each time.

    A day begins with the newest of the equity `rows` before its first slice, as it was finally written.
    """

    def __init__(
        self, account: Account, limits: SafetyLimits, rows: SliceRows, protections: Protections | None = None
    ) -> None:
        self._account = account
        self._protections = protections or Protections((), account)
        self._rows = rows
        self._max_drawdown = inf if limits.max_drawdown is None else limits.max_drawdown
        self._max_daily_loss = inf if limits.max_daily_loss is None else limits.max_daily_loss
        self._max_open_positions = limits.max_open_positions
        self.halted = self.killed = False
        self.trips: list[Trip] = []
        self.peak = account.starting_balance
        self.day_end_ms = 0
        self._day_start_equity = account.starting_balance
        self._equity_before = account.starting_balance  # of the first row here
        self.watch_below = 0.0
        self._set_watch()

    def begin_day(self, close_time_ms: int) -> int:
        """For a slice that closes after `day_end_ms`, before guard and row; gives the new `day_end_ms`."""
        if close_time_ms > self.day_end_ms:
            # A slice that closes at midnight still belongs to the day that it ends.
            self.day_end_ms = -(-close_time_ms // DAY_MS) * DAY_MS
            self._day_start_equity = self._last_equity
            self._set_watch()
        return self.day_end_ms

    async def on_slice(self, close_time_ms: int, equity: float) -> bool:
        """Step 2 of a slice, after the broker: True when the kill switch trips with this slice.

        Need not be asked while `watch_below < equity <= peak`: nothing can change then.
        """
        if equity > self.peak:
            self.peak = equity
            self._set_watch()
        return equity <= self.watch_below and self._check_limits(close_time_ms, equity)

    @property
    def _last_equity(self) -> float:
        return self._rows.equities[-1] if self._rows.equities else self._equity_before

    def _set_watch(self) -> None:
        # Above this equity neither limit can be reached, so almost every slice costs one comparison. The margin covers
        # rounding; what decides is the formula of RULES.md in _check_limits.
        self.watch_below = max(
            _near(self.peak, self._max_drawdown), _near(self._day_start_equity, self._max_daily_loss)
        )

    def _check_limits(self, close_time_ms: int, equity: float) -> bool:
        drawdown, daily_loss = self.losses(equity)
        if drawdown >= self._max_drawdown:
            return self.trip(close_time_ms, f"drawdown {drawdown:.2%}, the limit is {self._max_drawdown:.2%}")
        if daily_loss >= self._max_daily_loss:
            return self.trip(close_time_ms, f"daily loss {daily_loss:.2%}, the limit is {self._max_daily_loss:.2%}")
        return False

    def losses(self, equity: float) -> tuple[float, float]:
        """What the limits are held against: the loss from the peak and since UTC midnight, as fractions."""
        return _loss(self.peak, equity), _loss(self._day_start_equity, equity)

    @property
    def taken(self) -> int:
        """Open positions and pending entries, what the gate counts."""
        return len(self._account.positions) + len(self._account.pending)

    def trip(self, time_ms: int, why: str, *, kills: bool = True) -> bool:
        """Latch the kill switch, or only halt entries; False if that was so already."""
        if self.killed or (self.halted and not kills):
            return False
        self.halted, self.killed = True, kills
        self.trips.append(Trip(time_ms, why))
        return True

    def resume(self) -> None:
        """An operator releases the latch; the drawdown and the day's loss count from here."""
        self.halted = self.killed = False
        self.peak = self._day_start_equity = self._account.equity()
        self._set_watch()

    def memory(self) -> SafetyMemory:
        """What it remembers."""
        day = self.day_end_ms, self._day_start_equity, self._last_equity, True, self._protections.memory()
        return SafetyMemory(self.halted, tuple(self.trips), self.peak, *day, self.killed)

    def recall(self, memory: SafetyMemory) -> None:
        """Goes on as the monitor whose memory it is, with limits of its own."""
        self.halted, self.trips, self.peak = memory.halted, list(memory.trips), memory.peak
        self.killed = memory.halted and memory.kills
        self.day_end_ms, self._day_start_equity = memory.day_end_ms, memory.day_start_equity
        self._equity_before = memory.last_equity
        self._protections.recall(memory.protections)
        self._set_watch()

    async def gate(self, line: Line) -> Refusal | None:
        """Whether one more entry of the line may pass now: None, or the reason why not."""
        if self.halted:
            return Refusal.HALTED
        if self.taken >= self._max_open_positions:
            return Refusal.MAX_OPEN_POSITIONS
        return self._protections.refusal(line, self._account.time_ms)

    def pauses(self, line: Line) -> list[tuple[Protection, int]]:
        """Each protection, and until when it refuses entries of the line."""
        return self._protections.pauses(line)


def _loss(base: float, equity: float) -> float:
    # A base at or below zero (an account that was resumed when it was broke) has nothing left to lose a part of.
    return 1.0 - equity / base if base > 0.0 else 0.0


def _near(base: float, limit: float) -> float:
    return base * (1.0 - limit) + 1e-9 * base if base > 0.0 else -inf
