"""Allocator: shares the equity among strategies anew on a schedule, by their own daily results.

It hears of every fill and says which Reallocate must come before a slice. Nothing changes before the runtime handles
that event, so a replayed tape has the weights of its session. A day is a UTC day of the slices' close times; a slice
that closes at midnight belongs to the day that it ends.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec

from app.models.allocation import Allocation
from app.models.events import Event, Reallocate
from app.models.market import Slice
from app.models.orders import GOES_ON, Fill
from app.times import DAY_MS
from app.trading.account import Account
from app.trading.risk import RiskEngine
from app.trading.weights import weights_of


class AllocationMemory(msgspec.Struct, frozen=True):
    """All that an Allocator remembers, for a new epoch of a session.

    `results` are realised PnL per unit of allocation, by strategy and day; days before `first_day` are not known whole.
    """

    allocation: Allocation
    weights: dict[str, float]
    until_ms: int
    first_day: int
    results: dict[str, dict[int, float]]
    opened: dict[int, float]
    applied: list[Reallocate]


class Allocator:
    """Of all strategies of a session; `applied` are the events so far, the first of them before its first slice."""

    def __init__(
        self, allocation: Allocation, risks: Mapping[str, RiskEngine], account: Account, timeframe_ms: int
    ) -> None:
        self.applied: list[Reallocate] = []
        self._allocation = allocation
        self._risks = risks
        self._account = account
        self._timeframe_ms = timeframe_ms
        self._until_ms = 0  # slices that close until then need no other weights
        self._first_day = 0
        self._results: dict[str, dict[int, float]] = {strategy: {} for strategy in risks}
        self._opened: dict[int, float] = {}  # the allocation that an open trade began with

    @property
    def weights(self) -> dict[str, float]:
        """Those in force."""
        return {strategy: risk.config.allocation for strategy, risk in self._risks.items()}

    def note_fill(self, fill: Fill) -> None:
        """A fill; what a CLOSE realised belongs to the day of the slice."""
        if fill.strategy not in self._risks:  # a position of an epoch before this one
            return
        in_force = self._risks[fill.strategy].config.allocation
        if fill.opens:
            self._opened.setdefault(fill.trade_id, in_force)
            return
        began_with = self._opened.get(fill.trade_id, in_force)
        if fill.reason not in GOES_ON:
            self._opened.pop(fill.trade_id, None)
        own, day = self._results[fill.strategy], (self._account.time_ms - 1) // DAY_MS
        own[day] = own.get(day, 0.0) + fill.realized_pnl / began_with

    def parts(self, events: Sequence[Event]) -> Iterator[Sequence[Event]]:
        """The events in parts, each to be handled before the next is asked for, with what must come between them."""
        newest = events[-1]
        begin = 0
        if not (isinstance(newest, Slice) and newest.close_time_ms <= self._until_ms):
            for place, event in enumerate(events):
                if isinstance(event, Slice) and not event.warmup and event.close_time_ms > self._until_ms:
                    if place > begin:
                        yield events[begin:place]
                    yield (self._due(event.close_time_ms),)
                    begin = place
        yield events[begin:] if begin else events

    def apply(self, event: Reallocate) -> None:
        """From here on orders are sized by these weights."""
        for strategy, weight in event.weights.items():
            risk = self._risks[strategy]
            risk.config = replace(risk.config, allocation=weight)
        self._until_ms = (event.time_ms // self._every_ms + 1) * self._every_ms
        self._first_day = self._days(event.time_ms).start if self._first_day else -(-event.time_ms // DAY_MS)
        for own in self._results.values():
            for day in [day for day in own if day < self._first_day]:
                del own[day]
        self.applied.append(event)

    def memory(self) -> AllocationMemory:
        """What it remembers."""
        known = self._first_day, self._results, self._opened, self.applied
        return AllocationMemory(self._allocation, self.weights, self._until_ms, *known)

    def recall(self, memory: AllocationMemory) -> None:
        """Goes on with what was seen, and with the weights until the next date, if it is asked for the same.

        Another method or schedule has weights of its own with the first slice, by the same results; another set of
        strategies begins without any, since only results of the same days can be compared.
        """
        self.applied, self._opened = list(memory.applied), dict(memory.opened)
        if memory.weights.keys() != self._risks.keys():
            return
        self._first_day = memory.first_day
        self._results = {strategy: dict(memory.results[strategy]) for strategy in self._risks}
        if memory.allocation == self._allocation:
            self._until_ms = memory.until_ms
            for strategy, risk in self._risks.items():
                risk.config = replace(risk.config, allocation=memory.weights[strategy])

    @property
    def _every_ms(self) -> int:
        return self._allocation.every_days * DAY_MS

    def _days(self, time_ms: int) -> range:
        """The complete days before a time that are looked at."""
        end = time_ms // DAY_MS
        return range(max(self._first_day, end - self._allocation.lookback_days), end)

    def _due(self, close_time_ms: int) -> Reallocate:
        """At the start, or at the newest scheduled midnight before a slice closes."""
        time_ms = close_time_ms - self._timeframe_ms
        if self._until_ms:
            time_ms = (close_time_ms - 1) // self._every_ms * self._every_ms
        days = self._days(time_ms) if self._first_day else range(0)
        return Reallocate(time_ms, *weights_of(self._allocation.method, self._results, days))
