"""A study: samples asked in batches, run by workers, told in their order; the same whatever the number of workers.

The objective is a figure of results.json's `performance`; a trial that has none counts as the worst. A trial is known
by its values, so one that was run before (asked twice, or before a stop) is not run again. An infeasible sample is no
trial: it is counted, with the reason, and another one is asked.
"""

from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.errors import ConfigError, ConflictError
from app.research.parameters import Parameter, overrides_of
from app.research.sampling import Sample, Sampling
from app.research.trial import Outcome, Task
from app.research.workbench import Workers
from app.runs.ratios import DAYS_NEEDED
from app.settings.config_text import unknown_key
from app.settings.profile import Settings, load_settings
from app.strategies.constraints import first_broken
from app.strategies.loader import LoadedStrategies, check_settings
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
SAMPLES_MAX = 1_000  # infeasible ones in a row; then there is nothing to be found
Overrides = tuple[str, ...]
Outcomes = MutableMapping[Overrides, Outcome]
Leader = tuple[Overrides, float]
Progress = Callable[[int, int, Leader | None], None]  # trials run, of how many, the best of them and its value


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


@dataclass(frozen=True)
class SearchPlan:
    """What is searched. `settings` are complete; `trials` is how many are run, of a grid at most all its points."""

    settings: Settings
    start_ms: int
    end_ms: int
    parameters: tuple[Parameter, ...]
    method: str
    objective: Objective
    trials: int
    seed: int
    batch: int

    @property
    def described(self) -> dict[str, Any]:
        """How it searches, for JSON."""
        objective = {"objective": self.objective.figure, "min_trades": self.objective.min_trades}
        return {"method": self.method, **objective, "seed": self.seed, "batch": self.batch}


@dataclass(frozen=True)
class Trial:
    """One set of values that was run. `value` is the objective's figure, None with the reason where undefined."""

    number: int  # from 1, in the order of asking
    values: Mapping[str, str]
    overrides: Overrides
    outcome: Outcome
    value: float | None
    why_undefined: str | None
    same_as: int | None  # the number of an earlier trial of the same values


@dataclass(frozen=True)
class Study:
    """All trials in their order, and why samples were not run."""

    plan: SearchPlan
    trials: tuple[Trial, ...]
    infeasible: Mapping[str, int]

    @property
    def best(self) -> Trial | None:
        """The first of those with the best value; None where no trial has one."""
        sign = self.plan.objective.sign
        ranked = [trial for trial in self.trials if trial.value is not None]
        return max(ranked, key=lambda trial: sign * (trial.value or 0.0), default=None)

    @property
    def distinct(self) -> tuple[Trial, ...]:
        """Each set of values once."""
        return tuple(trial for trial in self.trials if trial.same_as is None)


@dataclass
class StudyRun:
    """Runs a plan. `outcomes` is read before a trial is run and gets what was run: a dict, or a study file."""

    plan: SearchPlan
    workers: Workers
    outcomes: Outcomes = field(default_factory=dict)
    progress: Progress | None = None
    _trials: list[Trial] = field(default_factory=list, init=False)
    _first: dict[Overrides, int] = field(default_factory=dict, init=False)
    _infeasible: Counter[str] = field(default_factory=Counter, init=False)
    _leader: Leader | None = field(default=None, init=False)

    def run(self) -> Study:
        """To the end; raises what a trial raises."""
        plan = self.plan
        strategies = check_settings(plan.settings)
        sampling = Sampling(plan.method, plan.parameters, plan.seed)
        batch = 0
        while len(self._trials) < plan.trials:
            sampling.begin_batch(batch)
            samples = self._ask(sampling, strategies, min(plan.batch, plan.trials - len(self._trials)))
            self._run([overrides_of(sample.values, plan.parameters) for sample in samples])
            for sample in samples:
                self._tell(sampling, sample)
            batch += 1
            if not samples:
                break  # the grid has no more
        return Study(plan, tuple(self._trials), dict(sorted(self._infeasible.items())))

    def _ask(self, sampling: Sampling, strategies: LoadedStrategies, count: int) -> list[Sample]:
        samples: list[Sample] = []
        refused = 0
        while len(samples) < count:
            sample = sampling.ask()
            if sample is None:
                break
            reason = why_infeasible(self.plan.settings, strategies, overrides_of(sample.values, self.plan.parameters))
            if reason is None:
                samples.append(sample)
                refused = 0
                continue
            sampling.drop(sample)
            self._infeasible[reason] += 1
            refused += 1
            if refused >= SAMPLES_MAX:
                raise ConfigError(f"{refused:,} samples in a row cannot be run; the last: {reason}; change --param")
        return samples

    def _run(self, batch: Sequence[Overrides]) -> None:
        plan = self.plan
        missing = [overrides for overrides in dict.fromkeys(batch) if overrides not in self.outcomes]
        done = len(self._trials)
        numbers = {done + batch.index(overrides) + 1: overrides for overrides in missing}
        known = done + len(batch) - len(missing)
        for overrides in batch:
            if overrides in self.outcomes:
                self._tell_progress(known, overrides)
        tasks = [Task(number, overrides, plan.start_ms, plan.end_ms) for number, overrides in numbers.items()]
        for count, (number, outcome) in enumerate(self.workers.run(tasks), 1):
            self.outcomes[numbers[number]] = outcome
            self._tell_progress(known + count, numbers[number])

    def _tell(self, sampling: Sampling, sample: Sample) -> None:
        plan, number = self.plan, len(self._trials) + 1
        overrides = overrides_of(sample.values, plan.parameters)
        outcome = self.outcomes[overrides]
        first = self._first.setdefault(overrides, number)
        value = plan.objective.value(outcome.performance)
        why = plan.objective.why_undefined(outcome.performance)
        trial = Trial(number, sample.values, overrides, outcome, value, why, None if first == number else first)
        self._trials.append(trial)
        sampling.tell(sample, None if value is None else plan.objective.sign * value)

    def _tell_progress(self, done: int, newest: Overrides) -> None:
        if self.progress is None:
            return
        objective = self.plan.objective
        value = objective.value(self.outcomes[newest].performance)
        if value is not None and (self._leader is None or objective.sign * (value - self._leader[1]) > 0.0):
            self._leader = (newest, value)
        self.progress(done, self.plan.trials, self._leader)


def why_infeasible(settings: Settings, strategies: LoadedStrategies, overrides: Sequence[str]) -> str | None:
    """Why these values cannot be run: a constraint that a strategy declares, or what a backtest of them would say."""
    try:
        changed = load_settings(settings, overrides)
        for spec, (_, loaded) in zip(changed.strategies, strategies.of, strict=True):
            defaults = {name: argument.default for name, argument in loaded.parameters.items()}
            broken = first_broken(loaded.constraints, defaults | dict(spec.params))
            if broken is not None:
                return broken.text if len(strategies.of) == 1 else f"{spec.id}: {broken.text}"
        check_settings(changed)
    except ConflictError as error:
        return error.rule
    except ConfigError as error:
        return " ".join(str(error).split())
    return None
