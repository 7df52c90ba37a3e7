"""The report of a search on the console: the best, its command line, what makes it doubtful, neighbours, heat map.

Takes what search_report.py found and gives text, the same on a terminal and in a pipe; it computes no figure.
"""

from collections.abc import Iterator, Mapping

from app.report.text_table import text_table
from app.research.landscape import HeatMap, Neighbourhood, most_important
from app.research.overfitting import DeflatedSharpe, Overfitting
from app.research.search_report import Findings, undefined_reasons
from app.research.study import Study, Trial
from app.times import short_time

_TOP = 10
_REASONS = 5


def search_lines(found: Findings, command: str | None) -> Iterator[str]:
    """All lines."""
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
    yield from _warnings(found)


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
    rows = [(str(trial.number), *(trial.values[name] for name in names), *_figures(trial)) for trial in ranked[:_TOP]]
    yield text_table(header, rows, len(header))


def _figures(trial: Trial) -> tuple[str, ...]:
    performance = trial.outcome.performance
    return (
        _number(trial.value),
        f"{performance['total_trades']:,}",
        f"{performance['total_return_pct']:+.2f}",
        f"{performance['max_drawdown_pct']:.2f}",
        "H" if trial.outcome.halted else "",
    )


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
        (f"  {one.parameter} {best.values[one.parameter]} -> {one.text}", _number(one.value), one.why_undefined or "")
        for one in around.neighbours
    ]
    if rows:
        widths = max(len(row[0]) for row in rows)
        yield from (f"{name:<{widths}}  {value:>12}  {why}".rstrip() for name, value, why in rows)
    shares = [f"{one.name} {100.0 * share:.0f} %" for one, share in most_important(study) if share >= 0.0]
    if len(shares) > 1:
        yield f"Share of the values' variance by parameter: {', '.join(shares)}"


def heat_map_lines(found: HeatMap, figure: str) -> Iterator[str]:
    """The mean of each cell as a table; `*` marks the cell of the best."""
    yield f"Mean {figure}: {found.rows} down, {found.columns} across (* the best's cell)"
    header = ("", *found.column_labels)
    rows = []
    for i, (label, line) in enumerate(zip(found.row_labels, found.cells, strict=True)):
        marks = ["*" if (i, j) == found.best else "" for j in range(len(line))]
        rows.append((label, *(_number(cell, ".") + mark for cell, mark in zip(line, marks, strict=True))))
    yield text_table(header, rows, len(header))


def _warnings(found: Findings) -> Iterator[str]:
    if found.warnings:
        yield "Warning signs"
        yield from (f"  - {warning}" for warning in found.warnings)
    else:
        yield "No warning sign of those that this report knows; that is no proof. Walk-forward is the next question."


def _number(value: float | None, absent: str = "n/a") -> str:
    return absent if value is None else f"{value:.4g}"
