"""Searches in tests: a plan over the shipped sample, workers that answer here, and workers that only compute."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.candles.cache import CandleCache
from app.research.parameters import parse_parameters
from app.research.sampling import BATCHES, grid_points
from app.research.study import Objective, SearchPlan, parse_objective
from app.research.trial import Outcome, Task
from app.research.workbench import Workbench
from app.session.backtest import ConfigBacktestRunner
from app.session.candle_supply import Supply
from app.settings.profile import Settings, load_settings
from app.strategies.loader import check_settings
from app.times import DAY_MS, parse_time_ms

ROOT = Path(__file__).resolve().parents[1]
CONFIG, CACHE = ROOT / "config/sample/live.yaml", ROOT / "data/sample"
START, END = "2023-01-01", "2023-03-01"
START_MS, END_MS = parse_time_ms(START), parse_time_ms(END)
PARAMS = ("ema_fast=5:20:3", "ema_slow=15:40:5", "rsi_long_min=40:60:10")


def settings(*overrides: str) -> Settings:
    """The sample's profile, complete."""
    return Supply(CandleCache(CACHE), offline=True).complete(load_settings(CONFIG, overrides))


def plan(params: Sequence[str] = PARAMS, method: str = "random", **changes: Any) -> SearchPlan:
    """Forty trials for the return over two months of hourly candles."""
    own = settings()
    parameters = parse_parameters(params, own, check_settings(own))
    made = SearchPlan(
        settings=own,
        start_ms=START_MS,
        end_ms=END_MS,
        parameters=parameters,
        method=method,
        objective=parse_objective("return", 1, START_MS, END_MS),
        trials=grid_points(parameters) if method == "grid" else 40,
        seed=1,
        batch=BATCHES[method],
    )
    return dataclasses.replace(made, **changes)


def runner(**options: Any) -> ConfigBacktestRunner:
    """Of the sample, offline."""
    fields = {"config": CONFIG, "cache": CACHE, "start": START, "end": END, "offline": True, **options}
    return ConfigBacktestRunner(**fields)


def bench(own: Settings | None = None) -> Workbench:
    """What a worker holds for the plan above."""
    return Workbench(own or settings(), START_MS - 31 * DAY_MS, END_MS, cache=CACHE)


@dataclass
class InlineWorkers:
    """One worker in this process, through the runtime; `asked` is what it was given."""

    workbench: Workbench = field(default_factory=bench)
    memory_mib: float = 0.0
    asked: list[Task] = field(default_factory=list)

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Outcome]]:
        """The newest first: the order of answers must not matter."""
        for task in reversed(tasks):
            self.asked.append(task)
            yield task.number, self.workbench.answer(task)

    def close(self) -> None:
        """Nothing to end."""


@dataclass
class ComputingWorkers:
    """No run at all: `score` of the values, as the return, so that what a study does with it can be foreseen."""

    score: Callable[[dict[str, float]], float | None]
    memory_mib: float = 0.0
    asked: list[Task] = field(default_factory=list)
    stop_after: int | None = None

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Outcome]]:
        """KeyboardInterrupt after `stop_after` answers."""
        for task in tasks:
            if self.stop_after is not None and len(self.asked) >= self.stop_after:
                raise KeyboardInterrupt
            self.asked.append(task)
            pairs = (override.split("=") for override in task.overrides)
            yield task.number, outcome(self.score({key.rpartition(".")[2]: float(value) for key, value in pairs}))

    def close(self) -> None:
        """Nothing to end."""


def outcome(value: float | None, trades: int = 50, **changes: Any) -> Outcome:
    """A trial that returned `value` percent; None: it made no trade."""
    performance = {
        "total_return_pct": value or 0.0,
        "total_trades": 0 if value is None else trades,
        "max_drawdown_pct": 1.0,
        "sharpe": None,
    }
    fields = {"performance": performance, "trades_sha256": "", "returns": None, "halted": None, "missing_candles": 0}
    return Outcome(**{**fields, **changes})


def objective(figure: str = "total_return_pct", min_trades: int = 1) -> Objective:
    """Of the computing workers."""
    return Objective(figure, min_trades)
