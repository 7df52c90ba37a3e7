"""What many equity paths come to: final equity, drawdown, ruin, and the bands of each.

A path begins at the starting balance, which is its first peak; what is not known is None. Pure functions on arrays of
one row a path; they draw nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.runs.quotients import Bools, Floats, Ints, quantiles

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
FAN_POINTS = 60


@dataclass(frozen=True)
class Outcomes:
    """One entry a path. `max_drawdown` is a positive fraction, `ruined`: equity was below the ruin level once."""

    final_equity: Floats
    max_drawdown: Floats
    ruined: Bools

    @classmethod
    def joined(cls, parts: "Sequence[Outcomes]") -> "Outcomes":
        """All of them, in order."""
        names = ("final_equity", "max_drawdown", "ruined")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def added(starting_balance: float, pnl: Floats) -> Floats:
    """Equity after each PnL of each path, the starting balance first: PnLs in currency, added."""
    return np.add.accumulate(_after(np.full(len(pnl), starting_balance), pnl), axis=1)


def compounded(starting_balance: float, returns: Floats) -> Floats:
    """Equity after each return of each path, the starting balance first: fractions, multiplied.

    A return of -1 or below leaves nothing, and of nothing nothing comes.
    """
    growth = _after(np.full(len(returns), starting_balance), np.maximum(1.0 + returns, 0.0))
    return np.multiply.accumulate(growth, axis=1)


def outcomes(equity: Floats, ruin_level: float) -> Outcomes:
    """Of paths whose first column is the starting balance."""
    peaks = np.maximum.accumulate(equity, axis=1)
    return Outcomes(
        final_equity=equity[:, -1],
        max_drawdown=np.max(1.0 - equity / peaks, axis=1),
        ruined=np.min(equity, axis=1) < ruin_level,
    )


def bands(found: Outcomes, observed: Outcomes, starting_balance: float) -> dict[str, Any]:
    """Quantiles over the paths (linear interpolation), where the run itself stands among them, and ruin.

    `observed_rank_pct`: the share of paths that came to no more than the run; 50 is the middle of them.
    """
    return {
        "final_equity": _band(found.final_equity, float(observed.final_equity[0])),
        "max_drawdown_pct": _band(100.0 * found.max_drawdown, 100.0 * float(observed.max_drawdown[0])),
        "loss_probability_pct": 100.0 * float(np.mean(found.final_equity < starting_balance)),
        "ruin_probability_pct": 100.0 * float(np.mean(found.ruined)),
    }


def fan_places(steps: int) -> Ints:
    """At most sixty columns of a path, first and last among them, for a picture."""
    return np.unique(np.linspace(0, steps, min(steps + 1, FAN_POINTS)).round().astype(np.int64))


def fan(places: Ints, equity: Floats) -> dict[str, Any]:
    """The bands of equity at these steps; a column of `equity` for each of them."""
    levels = np.quantile(equity, SHARES, axis=0)
    named: Mapping[str, Any] = {f"p{100.0 * share:g}": row.tolist() for share, row in zip(SHARES, levels, strict=True)}
    return {"step": places.tolist(), **named}


def _after(first: Floats, steps: Floats) -> Floats:
    return np.concatenate((first[:, None], steps), axis=1)


def _band(values: Floats, observed: float) -> dict[str, float | None]:
    levels = {name: value for name, value in quantiles(values, SHARES).items() if name != "max"}
    return {
        **levels,
        "mean": float(values.mean()),
        "lowest": float(values.min()),
        "highest": float(values.max()),
        "observed": observed,
        "observed_rank_pct": 100.0 * float(np.mean(values <= observed)),
    }
