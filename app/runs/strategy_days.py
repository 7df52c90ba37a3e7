"""What each strategy realised on each UTC day of a run, and how these results hang together.

A CLOSE counts on the day of its time stamp, legs as well; one at midnight to the day before, as the equity's marks do.
Days without a trade are zero. Definitions are in docs/metrics.md.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from app.runs.fill_columns import Fills
from app.runs.quotients import Floats, Ints, defined, spread
from app.times import DAY_MS

Correlation = Mapping[str, Mapping[str, float | None]]


class StrategyDays(NamedTuple):
    """`ends_ms` is the midnight that ends a day, for the last one the end of the run; a column a strategy."""

    strategies: Sequence[str]
    ends_ms: Ints
    realized_pnl: Floats

    @property
    def contribution(self) -> Floats:
        """What each had brought to the equity by the end of each day: its realised PnL so far."""
        total: Floats = np.cumsum(self.realized_pnl, axis=0)
        return total


def strategy_days(fills: Fills, strategies: Sequence[str], start_ms: int, end_ms: int) -> StrategyDays:
    """Of the CLOSE rows among these fills; a strategy that is not named is left out."""
    first, last = start_ms // DAY_MS, max(-(-end_ms // DAY_MS) - 1, start_ms // DAY_MS)
    count = last - first + 1
    days = np.clip((fills.time_ms - 1) // DAY_MS - first, 0, count - 1)
    results = np.zeros((count, len(strategies)))
    for place, strategy in enumerate(strategies):
        own = fills.strategy.equal(strategy) & ~fills.opens
        results[:, place] = np.bincount(days[own], fills.realized_pnl[own], count)
    ends_ms = np.minimum(np.arange(first + 1, last + 2) * DAY_MS, max(end_ms, start_ms))
    return StrategyDays(strategies, ends_ms, results)


def correlation(days: StrategyDays) -> dict[str, dict[str, float | None]]:
    """Pearson's, over the days of the run; None where one of the two did not vary."""
    columns = list(days.realized_pnl.T)
    varies = [spread(column) is not None for column in columns]
    centred = [column - column.mean() for column in columns]
    lengths = [float(np.sqrt(column @ column)) for column in centred]

    def of(one: int, other: int) -> float | None:
        if not (varies[one] and varies[other]):
            return None
        if one == other:
            return 1.0
        found = defined(centred[one] @ centred[other] / (lengths[one] * lengths[other]))
        return None if found is None else min(max(found, -1.0), 1.0)

    names = days.strategies
    return {a: {b: of(i, j) for j, b in enumerate(names)} for i, a in enumerate(names)}
