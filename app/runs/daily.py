"""The equity of a run, read once from front to back: marks at UTC midnight, drawdown, time under water.

Blocks of rows come in, so a long tape needs no more memory than its days do. The starting balance is the first mark
and the first peak; every day of the calendar is counted, also one without a row. See docs/metrics.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from arro3.io import read_parquet

from app.runs.quotients import Bools, Floats, Ints
from app.times import DAY_MS

_BLOCK_ROWS = 65_536


class EquitySeries(NamedTuple):
    """Equity rows in memory, close times strictly rising: of a trial, which leaves no file."""

    times_ms: Ints
    equity: Floats


@dataclass(frozen=True)
class EquityPath:
    """What the rows of a run come to.

    `marks[0]` is the starting balance at the start, `marks[i]` the equity at the i-th UTC midnight after it, the last
    one that of the last row; `times_ms` belongs to them. Durations are in ms, `max_drawdown` is a positive fraction.
    """

    times_ms: Ints
    marks: Floats
    max_drawdown: float
    under_water_ms: int
    longest_drawdown_ms: int

    @property
    def duration_ms(self) -> int:
        """From the start to the last row."""
        return int(self.times_ms[-1] - self.times_ms[0])

    @property
    def days(self) -> float:
        """The duration in days."""
        return self.duration_ms / DAY_MS

    @property
    def returns(self) -> Floats | None:
        """One a day; None as soon as a mark is zero or below: no return can be had from nothing."""
        if np.any(self.marks <= 0.0):
            return None
        return self.marks[1:] / self.marks[:-1] - 1.0


class EquityScan:
    """Takes rows in their order, block by block; `path()` when all of them, or enough, have been seen."""

    def __init__(self, starting_balance: float, start_ms: int) -> None:
        self._starting_balance = starting_balance
        self._start_ms = start_ms
        self._last_ms = start_ms
        self._last_equity = starting_balance
        self._midnights: dict[int, float] = {}  # day number of the midnight -> newest equity up to it
        self._peak = starting_balance
        self._peak_ms = start_ms
        self._max_drawdown = 0.0
        self._under_water_ms = 0
        self._longest_ms = 0
        self._is_under = False

    def add(self, times_ms: Ints, equity: Floats) -> None:
        """Rows by close time, strictly rising."""
        if not len(times_ms):
            return
        days = np.arange(-(-times_ms[0] // DAY_MS), -(-times_ms[-1] // DAY_MS) + 1)
        newest = times_ms.searchsorted(days * DAY_MS, side="right") - 1  # a row at midnight belongs to the day before
        own = np.diff(newest, prepend=-1) > 0
        self._midnights.update(zip(days[own].tolist(), equity[newest[own]].tolist(), strict=True))
        before = np.concatenate(([self._peak], np.maximum.accumulate(np.maximum(equity[:-1], self._peak))))
        self._max_drawdown = max(self._max_drawdown, float(np.max(1.0 - equity / np.maximum(before, equity))))
        self._follow_water(times_ms, equity < before)
        self._peak = max(float(before[-1]), float(equity[-1]))
        self._last_ms, self._last_equity = int(times_ms[-1]), float(equity[-1])

    def path(self) -> EquityPath:
        """Up to the newest row."""
        seen = self._last_ms > self._start_ms
        first, last = self._start_ms // DAY_MS + 1, -(-self._last_ms // DAY_MS) if seen else 0
        times, marks = [self._start_ms], [self._starting_balance]
        for day in range(first, last + 1):
            times.append(min(day * DAY_MS, self._last_ms))
            marks.append(self._midnights.get(day, marks[-1]))
        return EquityPath(
            times_ms=np.array(times, np.int64),
            marks=np.array(marks, np.float64),
            max_drawdown=self._max_drawdown,
            under_water_ms=self._under_water_ms,
            longest_drawdown_ms=max(self._longest_ms, self._last_ms - self._peak_ms if self._is_under else 0),
        )

    def _follow_water(self, times_ms: Ints, under: Bools) -> None:
        # A drawdown lasts from the row of its peak to the first row that is back at it, or to the newest row.
        began_ms = np.concatenate(([self._last_ms], times_ms[:-1]))
        self._under_water_ms += int(np.sum((times_ms - began_ms)[under]))
        at_peak = np.flatnonzero(~under)
        if len(at_peak):
            peaks_ms = np.concatenate(([self._peak_ms], times_ms[at_peak]))
            sank = np.diff(np.concatenate(([-1], at_peak))) > 1
            sank[0] |= self._is_under
            if sank.any():
                self._longest_ms = max(self._longest_ms, int(np.max(np.diff(peaks_ms)[sank])))
            self._peak_ms = int(peaks_ms[-1])
        self._is_under = bool(under[-1])


def equity_blocks(rows: Path | EquitySeries) -> Iterator[tuple[Ints, Floats]]:
    """Close times and equities of `equity.parquet`, block by block; rows in memory are one block."""
    if isinstance(rows, EquitySeries):
        yield rows
        return
    for batch in read_parquet(rows, batch_size=_BLOCK_ROWS):
        yield batch["timestamp_ms"].to_numpy(), batch["equity"].to_numpy()
