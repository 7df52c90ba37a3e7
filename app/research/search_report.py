"""study.json: everything that a search found, the best beside what makes it doubtful, as one plain mapping.

The rule: it holds no time and no place and nothing of the workers, so the same study gives the same bytes. Undefined is
null. It runs nothing and computes no figure that overfitting.py or landscape.py does not give.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from app.research.landscape import HeatMap, Neighbourhood, heat_map, importance
from app.research.overfitting import DeflatedSharpe, Overfitting, deflated_sharpe, overfitting
from app.research.study import Study, Trial
from app.runs.quotients import Floats
from app.times import iso_ms

FORMAT = 1
DEFLATED_MIN, OVERFITTING_MAX, TRADES_MIN = 0.95, 0.5, 30
Content = dict[str, Any]


@dataclass(frozen=True)
class Findings:
    """A study with what was found around it."""

    study: Study
    neighbourhood: Neighbourhood | None
    heat_map: HeatMap | None
    deflated: DeflatedSharpe | str
    overfitting: Overfitting | str

    @property
    def warnings(self) -> tuple[str, ...]:
        """The signs of overfitting, and of a search that ended at a wall."""
        return tuple(_warnings(self))


def findings_of(study: Study, around: Neighbourhood | None) -> Findings:
    """Everything about a study whose neighbours were run."""
    returns: list[Floats | None] = [trial.outcome.daily for trial in study.distinct]
    best = None if study.best is None else study.best.outcome.daily
    return Findings(study, around, heat_map(study), deflated_sharpe(best, returns), overfitting(returns))


def study_content(found: Findings, command: str | None) -> Content:
    """The content of study.json; `command` runs the best again."""
    study, plan = found.study, found.study.plan
    best = study.best
    return {
        "format": FORMAT,
        "method": plan.method,
        "objective": plan.objective.figure,
        "min_trades": plan.objective.min_trades,
        "seed": plan.seed,
        "batch": plan.batch,
        "period": {"start": iso_ms(plan.start_ms), "end": iso_ms(plan.end_ms)},
        "parameters": [parameter.spec for parameter in plan.parameters],
        "trials_run": len(study.trials),
        "trials_distinct": len(study.distinct),
        "trials_halted": sum(trial.outcome.halted is not None for trial in study.trials),
        "trials_undefined": undefined_reasons(study),
        "samples_infeasible": dict(study.infeasible),
        "best": None if best is None else {**_trial(best), "command": command, "performance": best.outcome.performance},
        "deflated_sharpe": _or_reason(found.deflated),
        "probability_of_overfitting": _or_reason(found.overfitting),
        "neighbourhood": _neighbourhood(found.neighbourhood),
        "importance": {parameter.name: importance(study, parameter) for parameter in plan.parameters},
        "heat_map": None if found.heat_map is None else asdict(found.heat_map),
        "warnings": list(found.warnings),
        "trials": [_trial(trial) for trial in study.trials],
    }


def undefined_reasons(study: Study) -> dict[str, int]:
    """How many trials have no value, by reason, sorted."""
    reasons = Counter(trial.why_undefined for trial in study.trials if trial.why_undefined is not None)
    return dict(sorted(reasons.items()))


def _warnings(found: Findings) -> Iterator[str]:
    study, best = found.study, found.study.best
    if best is None:
        return
    if isinstance(found.deflated, DeflatedSharpe) and found.deflated.probability < DEFLATED_MIN:
        yield (
            f"deflated Sharpe ratio {found.deflated.probability:.2f} is below {DEFLATED_MIN}: {found.deflated.trials} "
            "trials without any skill could well have shown a best like this"
        )
    if isinstance(found.overfitting, Overfitting) and found.overfitting.probability > OVERFITTING_MAX:
        yield (
            f"probability of overfitting {found.overfitting.probability:.2f}: the best of one half of the days is "
            "mostly below the median in the other"
        )
    if found.neighbourhood is not None and found.neighbourhood.verdict == "spike":
        yield "the best is a spike: one step beside it most of its lead is gone"
    for parameter in study.plan.parameters:
        text = best.values[parameter.name]
        if not parameter.texts and len(parameter.neighbours(text)) < 2:
            yield f"the best has {parameter.name} {text}, at the edge of {parameter.spec}: a better one beyond?"
    if best.outcome.performance["total_trades"] < TRADES_MIN:
        yield f"the best made {best.outcome.performance['total_trades']} trades: too few to say much"
    if best.outcome.halted is not None:
        yield f"the kill switch stopped the best at {best.outcome.halted}: its figures are of a part of the period"


def _trial(trial: Trial) -> Content:
    performance = trial.outcome.performance
    return {
        "number": trial.number,
        "values": dict(trial.values),
        "set": list(trial.overrides),
        "value": trial.value,
        "why_undefined": trial.why_undefined,
        "same_as": trial.same_as,
        "halted": trial.outcome.halted,
        "total_trades": performance["total_trades"],
        "total_return_pct": performance["total_return_pct"],
        "max_drawdown_pct": performance["max_drawdown_pct"],
        "sharpe": performance["sharpe"],
        "trades_sha256": trial.outcome.trades_sha256,
    }


def _or_reason(found: DeflatedSharpe | Overfitting | str) -> Content:
    return {"probability": None, "why": found} if isinstance(found, str) else {**asdict(found), "why": None}


def _neighbourhood(around: Neighbourhood | None) -> Content | None:
    return None if around is None else {**asdict(around), "verdict": around.verdict}
