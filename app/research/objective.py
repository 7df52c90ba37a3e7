"""What a search maximises: a figure of results.json's `performance`, by its own name or a short one.

The rule: an objective that is undefined for a trial (no trades, too few days, too few trades) is None with a reason,
never a number that looks like one; a search takes it for the worst.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import ConfigError
from app.runs.ratios import DAYS_NEEDED
from app.settings.config_text import unknown_key
from app.times import DAY_MS

SHORT_NAMES = {
    "return": "total_return_pct",
    "cagr": "cagr_pct",
    "drawdown": "max_drawdown_pct",
    "pnl": "realized_pnl",
}
FIGURES = (
    "sharpe", "sortino", "calmar", "omega", "total_return_pct", "cagr_pct", "max_drawdown_pct", "final_equity",
    "realized_pnl", "expectancy", "expectancy_r", "profit_factor", "payoff_ratio", "sqn", "win_rate", "ulcer_index",
    "volatility_pct",
)  # fmt: skip
_SMALLER_IS_BETTER = ("max_drawdown_pct", "ulcer_index", "volatility_pct")
_YEARLY = ("sharpe", "sortino", "calmar", "omega", "cagr_pct", "volatility_pct")


@dataclass(frozen=True)
class Objective:
    """`figure` of the performance; trials with fewer trades than `min_trades` have none."""

    figure: str
    min_trades: int = 1

    @property
    def sign(self) -> float:
        """What the figure is multiplied with, so that more is better."""
        return -1.0 if self.figure in _SMALLER_IS_BETTER else 1.0

    def value(self, performance: Mapping[str, Any]) -> float | None:
        """The figure as it stands; None where it is undefined."""
        if self.why_undefined(performance) is not None:
            return None
        return float(performance[self.figure])

    def why_undefined(self, performance: Mapping[str, Any]) -> str | None:
        """In a few words; None where it is defined."""
        trades = performance["total_trades"]
        if not trades:
            return "no trades"
        if trades < self.min_trades:
            return f"fewer than {self.min_trades} trades"
        return f"{self.figure} is undefined" if performance[self.figure] is None else None


def parse_objective(name: str, min_trades: int, start_ms: int, end_ms: int) -> Objective:
    """ConfigError for one that does not exist, or that no trial of this period can have."""
    figure = SHORT_NAMES.get(name, name)
    if figure not in FIGURES:
        raise ConfigError(unknown_key("--objective", name, [*SHORT_NAMES, *FIGURES]).replace("key ", ""))
    days = (end_ms - start_ms) / DAY_MS
    if figure in _YEARLY and days < DAYS_NEEDED:
        raise ConfigError(
            f"--objective {name} needs {DAYS_NEEDED} days, the period has {days:g}; "
            "take a longer one, or return, expectancy or profit_factor"
        )
    return Objective(figure, max(1, min_trades))
