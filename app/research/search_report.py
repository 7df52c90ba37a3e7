"""What a search found, the best beside what makes it doubtful: as study.json, and as text for the console.

study.json holds no time and no place and nothing of the workers, so the same study gives the same bytes; undefined is
null. The figures are those of overfitting.py and landscape.py.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from app.report.formats import figure
from app.report.text_table import text_table
from app.research.landscape import HeatMap, Neighbourhood, heat_map, importance, most_important
from app.research.overfitting import DeflatedSharpe, Overfitting, deflated_sharpe, overfitting
from app.research.study import Study, Trial
from app.runs.quotients import Floats
from app.times import iso_ms, short_time

FORMAT = 1
DEFLATED_MIN, OVERFITTING_MAX, TRADES_MIN = 0.95, 0.5, 30
_TOP, _REASONS, _FORM = 10, 5, "{:.4g}"
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
    best, around = study.best, found.neighbourhood
    return {
        "format": FORMAT,
        **plan.described,
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
        "neighbourhood": None if around is None else {**asdict(around), "verdict": around.verdict},
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


def search_lines(found: Findings, command: str | None) -> Iterator[str]:
    """For the console: the best, its command line, what makes it doubtful, neighbours, heat map."""
    study = found.study
    yield from _head(study)
    if study.best is None:
        yield ""
        yield "No trial has a value for the objective; there is no best."
        return
    yield ""
    yield from _top(study)
    yield ""
    yield f"The best, trial {study.best.number}, again:"
    yield f"  {command}"
    yield ""
    yield from _doubts(found)
    if found.neighbourhood is not None:
        yield ""
        yield from _around(found.neighbourhood, study)
    if found.heat_map is not None:
        yield ""
        yield from heat_map_lines(found.heat_map, study.plan.objective.figure)
    yield ""
    if found.warnings:
        yield "Warning signs"
        yield from (f"  - {warning}" for warning in found.warnings)
    else:
        yield "No warning sign of those that this report knows; that is no proof. Walk-forward is the next question."


def _head(study: Study) -> Iterator[str]:
    plan = study.plan
    searched = ", ".join(one.spec for one in plan.parameters)
    period = f"{short_time(plan.start_ms)} to {short_time(plan.end_ms)} UTC"
    yield f"Onetape search: {plan.method} over {searched}; {period}; seed {plan.seed}"
    repeated = len(study.trials) - len(study.distinct)
    again = f", {repeated:,} of values that were tried before (not run again)" if repeated else ""
    yield f"Trials {len(study.trials):,}{again}"
    halted = sum(trial.outcome.halted is not None for trial in study.trials)
    if halted:
        yield f"Halted by the kill switch {halted:,} (marked H): their figures are of a part of the period"
    undefined = undefined_reasons(study)
    if undefined:
        yield f"Without a value {sum(undefined.values()):,}: {_counted(undefined)}"
    if study.infeasible:
        yield f"Infeasible samples, not run {sum(study.infeasible.values()):,}: {_counted(study.infeasible)}"


def _counted(reasons: Mapping[str, int]) -> str:
    shown = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    more = sum(count for _, count in shown[_REASONS:])
    return ", ".join(f"{name} {count:,}" for name, count in shown[:_REASONS]) + (f", others {more:,}" if more else "")


def _top(study: Study) -> Iterator[str]:
    objective = study.plan.objective
    ranked = sorted(
        (trial for trial in study.distinct if trial.value is not None),
        key=lambda trial: (-objective.sign * (trial.value or 0.0), trial.number),
    )
    names = [parameter.name for parameter in study.plan.parameters]
    header = ("trial", *names, objective.figure, "trades", "return %", "max DD %", "")
    rows = []
    for trial in ranked[:_TOP]:
        performance = trial.outcome.performance
        figures = (f"{performance['total_trades']:,}", f"{performance['total_return_pct']:+.2f}")
        drawdown, halted = f"{performance['max_drawdown_pct']:.2f}", "H" if trial.outcome.halted else ""
        values = (trial.values[name] for name in names)
        rows.append((str(trial.number), *values, figure(trial.value, _FORM), *figures, drawdown, halted))
    yield text_table(header, rows, len(header))


def _doubts(found: Findings) -> Iterator[str]:
    yield "How much of it is luck"
    deflated, over = found.deflated, found.overfitting
    if isinstance(deflated, DeflatedSharpe):
        yield (
            f"  deflated Sharpe ratio          {deflated.probability:.3f}   probability that its true Sharpe ratio is "
            f"above 0, {deflated.trials:,} trials over {deflated.days} days taken into account"
        )
        yield (
            f"  Sharpe ratio a day             {deflated.sharpe:+.3f}   the best of that many without skill: "
            f"{deflated.expected_of_luck:+.3f}"
        )
    else:
        yield f"  deflated Sharpe ratio          n/a: {deflated}"
    if isinstance(over, Overfitting):
        yield (
            f"  probability of overfitting     {over.probability:.3f}   best in one half of the days, below the median "
            f"in the other ({over.splits:,} halvings of {over.blocks} blocks, {over.trials:,} trials)"
        )
        yield f"  probability of a loss there    {over.loss:.3f}"
    else:
        yield f"  probability of overfitting     n/a: {over}"


def _around(around: Neighbourhood, study: Study) -> Iterator[str]:
    best = study.best
    if best is None:
        return
    if around.drop is None:
        yield "Around the best (too few neighbours with a value to judge)"
    else:
        lost = f"the neighbours' mean loses {100.0 * around.drop:.0f} % of its lead over the median trial"
        yield f"Around the best: a {around.verdict}; {lost}"
    rows = [
        (
            f"  {one.parameter} {best.values[one.parameter]} -> {one.text}",
            figure(one.value, _FORM),
            one.why_undefined or "",
        )
        for one in around.neighbours
    ]
    if rows:
        widths = max(len(row[0]) for row in rows)
        yield from (f"{name:<{widths}}  {value:>12}  {why or ''}".rstrip() for name, value, why in rows)
    shares = [f"{one.name} {100.0 * share:.0f} %" for one, share in most_important(study) if share >= 0.0]
    if len(shares) > 1:
        yield f"Share of the values' variance by parameter: {', '.join(shares)}"


def heat_map_lines(found: HeatMap, objective: str) -> Iterator[str]:
    """The mean of each cell as a table; `*` marks the cell of the best."""
    yield f"Mean {objective}: {found.rows} down, {found.columns} across (* the best's cell)"
    header = ("", *found.column_labels)
    rows = []
    for i, (label, line) in enumerate(zip(found.row_labels, found.cells, strict=True)):
        marks = ["*" if (i, j) == found.best else "" for j in range(len(line))]
        rows.append((label, *(figure(cell, _FORM, ".") + mark for cell, mark in zip(line, marks, strict=True))))
    yield text_table(header, rows, len(header))
