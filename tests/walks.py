"""Walk-forwards over the shipped sample for tests: a short one, by a given optimiser or from the command line.

The rule: everything is offline and takes a second or two. No test logic.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.research.search import SearchOptions
from app.research.walk_forward import Best, Walk, prepare_walk
from app.research.windows import Window, WindowRule
from app.session.backtest import ConfigBacktestRunner
from app.times import DAY_MS

ROOT = Path(__file__).resolve().parents[1]
CONFIG, CACHE = ROOT / "config/sample/live.yaml", ROOT / "data/sample"
RULE = WindowRule(20 * DAY_MS, 10 * DAY_MS, DAY_MS)
WORDS = [
    "walk-forward", "--config", str(CONFIG), "--cache", str(CACHE), "--offline", "--start", "2023-03-01",
    "--end", "2023-04-25", "--in-sample", "20d", "--out-of-sample", "10d", "--embargo", "1d", "--objective", "return",
]  # fmt: skip
GRID = ["--method", "grid", "--param", "ema_fast=5:15:5", "--param", "risk.reward_risk_ratio=1.5,2.5"]


def runner(**changes: Any) -> ConfigBacktestRunner:
    """Two months of the sample."""
    own = ConfigBacktestRunner(config=CONFIG, cache=CACHE, start="2023-03-01", end="2023-04-25", offline=True)
    return replace(own, **changes)


def walk(rule: WindowRule = RULE, params: Sequence[str] = ("ema_fast=5:15:5",), **changes: Any) -> Walk:
    """Prepared, nothing run."""
    return prepare_walk(runner(**changes), SearchOptions(params, "grid", "return"), rule)[0]


def best_of(*overrides: str) -> Best:
    """What a search would have come to, with round figures in sample."""
    performance = {"total_return_pct": 4.0, "max_drawdown_pct": 1.0, "sharpe": None, "total_trades": 7}
    return Best(overrides, 4.0, 3, performance)


def always(*overrides: str) -> Any:
    """An optimiser that finds the same in every window."""

    def optimise(window: Window) -> Best:
        return best_of(*overrides)

    return optimise


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its relative name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
