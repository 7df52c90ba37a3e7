"""Outcome: what a search keeps of one trial, as it comes back from a worker and as it is stored.

The rule: it holds what the same run on another machine would hold too, and nothing else: no time, no place. Made of
plain numbers, so that it is the same after a journey as JSON.
"""

from typing import Any, NamedTuple

import msgspec
import numpy as np

from app.research.trial import TrialResult
from app.runs.quotients import Floats


class Task(NamedTuple):
    """A run to be made: its number in the study, what is laid over the settings, and its period."""

    number: int
    overrides: tuple[str, ...]
    start_ms: int
    end_ms: int


class Outcome(msgspec.Struct, frozen=True):
    """`performance` is that of results.json; `returns` one a day (None where nothing was left); `halted` the time."""

    performance: dict[str, Any]
    trades_sha256: str
    returns: list[float] | None
    halted: str | None
    missing_candles: int

    @property
    def daily(self) -> Floats | None:
        """The returns as an array."""
        return None if self.returns is None else np.array(self.returns, np.float64)


def outcome_of(result: TrialResult) -> Outcome:
    """What is kept of a trial."""
    returns = result.daily.returns
    tripped = result.results["kill_switch"]
    return Outcome(
        performance=result.results["performance"],
        trades_sha256=result.trades_sha256,
        returns=None if returns is None else returns.tolist(),
        halted=None if tripped is None else tripped["time"],
        missing_candles=result.results["missing_candles"],
    )
