"""How long a session's process takes to handle its events: counts for its status, from which a page makes quantiles.

It knows neither a session nor a clock: it is told.
"""

from bisect import bisect_left
from dataclasses import dataclass, field

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1.0, 10.0)


@dataclass
class Handling:
    """How long this process took to handle its events, in real seconds; `slow`: longer than a candle lasts.

    `within` counts them by the first of `BOUNDS_S` that they did not exceed; the last are beyond all of these.
    """

    events: int = 0
    total_s: float = 0.0
    max_s: float = 0.0
    slow: int = 0
    within: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))

    def note(self, took_s: float) -> None:
        """One event."""
        self.events += 1
        self.total_s += took_s
        self.max_s = max(self.max_s, took_s)
        self.within[bisect_left(BOUNDS_S, took_s)] += 1
