"""The landscape around a study's best: its neighbours, how much each parameter matters, and a heat map of two.

Neighbours are one step away in one parameter; those that no trial had are run after the search, are no trials and
cannot become the best.
"""

import statistics
from dataclasses import dataclass

import numpy as np

from app.research.parameters import Parameter, overrides_of
from app.research.study import Outcomes, Study, Trial, why_infeasible
from app.research.trial import Task
from app.research.workbench import Workers
from app.strategies.loader import check_settings

BINS_MAX = 10
PLATEAU_DROP_MAX = 0.5


@dataclass(frozen=True)
class Neighbour:
    """One step beside the best. `value` is None where the objective is undefined or the values are infeasible."""

    parameter: str
    text: str
    value: float | None
    why_undefined: str | None


@dataclass(frozen=True)
class Neighbourhood:
    """`drop`: how far the neighbours' mean lies below the best, as a share of the best's lead over the median trial.

    A plateau loses at most half of that lead; a spike loses more. None without two defined neighbours, or no lead.
    """

    neighbours: tuple[Neighbour, ...]
    mean: float | None
    drop: float | None

    @property
    def verdict(self) -> str | None:
        """`plateau` or `spike`."""
        if self.drop is None:
            return None
        return "plateau" if self.drop <= PLATEAU_DROP_MAX else "spike"


@dataclass(frozen=True)
class HeatMap:
    """Mean value of the trials in each cell, None without one: `cells[row][column]`, and how many they were."""

    rows: str
    columns: str
    row_labels: tuple[str, ...]
    column_labels: tuple[str, ...]
    cells: tuple[tuple[float | None, ...], ...]
    counts: tuple[tuple[int, ...], ...]
    best: tuple[int, int]


def neighbourhood(study: Study, workers: Workers, outcomes: Outcomes) -> Neighbourhood | None:
    """Of the best trial; runs the neighbours that are not in `outcomes` yet. None without a best."""
    best, plan = study.best, study.plan
    if best is None:
        return None
    strategies = check_settings(plan.settings)
    around = [
        (parameter, text, overrides_of({**best.values, parameter.name: text}, plan.parameters))
        for parameter in plan.parameters
        for text in parameter.neighbours(best.values[parameter.name])
    ]
    refused = {overrides: why_infeasible(plan.settings, strategies, overrides) for _, _, overrides in around}
    missing = [overrides for _, _, overrides in around if overrides not in outcomes and refused[overrides] is None]
    tasks = [Task(number, overrides, plan.start_ms, plan.end_ms) for number, overrides in enumerate(missing, 1)]
    for number, outcome in workers.run(tasks):
        outcomes[missing[number - 1]] = outcome
    found = []
    for parameter, text, overrides in around:
        why = refused[overrides]
        if why is not None:
            found.append(Neighbour(parameter.name, text, None, f"infeasible: {why}"))
            continue
        performance = outcomes[overrides].performance
        value = plan.objective.value(performance)
        found.append(Neighbour(parameter.name, text, value, plan.objective.why_undefined(performance)))
    values = [one.value for one in found if one.value is not None]
    tried = [trial.value for trial in study.distinct if trial.value is not None]
    mean = statistics.fmean(values) if values else None
    lead = (best.value or 0.0) - statistics.median(tried)
    drop = None if mean is None or len(values) < 2 or lead == 0.0 else ((best.value or 0.0) - mean) / lead
    return Neighbourhood(tuple(found), mean, drop)


def importance(study: Study, parameter: Parameter) -> float | None:
    """The share of the values' variance that lies between the groups of this parameter (correlation ratio, eta^2).

    Between 0 and 1; ranges are cut into at most ten groups. None where the values do not vary.
    """
    defined = [trial for trial in study.distinct if trial.value is not None]
    values = np.array([trial.value for trial in defined], np.float64)
    total = float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0
    if total == 0.0:
        return None
    groups = np.array([_Axis(study, parameter).place(trial) for trial in defined])
    between = sum(
        int((groups == group).sum()) * float((values[groups == group].mean() - values.mean()) ** 2)
        for group in np.unique(groups)
    )
    return between / total


def most_important(study: Study) -> list[tuple[Parameter, float]]:
    """The parameters by their importance, the greatest first; unknown ones last."""
    shares = [(parameter, importance(study, parameter)) for parameter in study.plan.parameters]
    known = [(parameter, -1.0 if share is None else share) for parameter, share in shares]
    return sorted(known, key=lambda pair: -pair[1])


def heat_map(study: Study) -> HeatMap | None:
    """Of the two most important parameters; None for a study of one parameter, or without a best."""
    best = study.best
    if best is None or len(study.plan.parameters) < 2:
        return None
    (first, _), (second, _), *_ = most_important(study)
    rows, columns = _Axis(study, first), _Axis(study, second)
    held: dict[tuple[int, int], list[float]] = {}
    for trial in study.distinct:
        if trial.value is not None:
            held.setdefault((rows.place(trial), columns.place(trial)), []).append(trial.value)
    places = [[held.get((row, column), []) for column in range(len(columns.labels))] for row in range(len(rows.labels))]
    names = first.name, second.name, rows.labels, columns.labels
    return HeatMap(
        *names,
        tuple(tuple(statistics.fmean(cell) if cell else None for cell in line) for line in places),
        tuple(tuple(len(cell) for cell in line) for line in places),
        (rows.place(best), columns.place(best)),
    )


class _Axis:
    """A parameter's values in at most ten bins of equal width, or one a choice."""

    def __init__(self, study: Study, parameter: Parameter) -> None:
        self._parameter = parameter
        self._low, self._width = float(parameter.low), 0.0
        count = parameter.count
        if count is not None and count <= BINS_MAX:
            self._texts = {parameter.text(place): place for place in range(count)}
            self.labels: tuple[str, ...] = tuple(self._texts)
            return
        self._texts = {}
        steps = count or BINS_MAX
        per_bin = -(-steps // BINS_MAX)
        step = float(parameter.step) if parameter.step is not None else float(parameter.high - parameter.low) / steps
        self._width = step * per_bin
        bins = -(-steps // per_bin)
        lows = [self._low + self._width * place for place in range(bins)]
        self.labels = tuple(f"{low:g}.." for low in lows)

    def place(self, trial: Trial) -> int:
        text = trial.values[self._parameter.name]
        if self._texts:
            return self._texts[text]
        return min(int((float(text) - self._low) / self._width + 1e-9), len(self.labels) - 1)
