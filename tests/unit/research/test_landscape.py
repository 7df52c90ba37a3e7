"""Around the best: neighbours run where nobody had, plateau and spike told apart, importance, the heat map's cells."""

import dataclasses
from collections.abc import Callable

import pytest

from app.research.landscape import heat_map, importance, most_important, neighbourhood
from app.research.study import Overrides, Study, StudyRun
from app.research.trial import Outcome
from tests.searches import ComputingWorkers, plan

Score = Callable[[dict[str, float]], float | None]


def hill(values: dict[str, float]) -> float:
    return 10.0 - abs(values["ema_fast"] - 11.0) - abs(values["ema_slow"] - 30.0) / 5.0


def spike(values: dict[str, float]) -> float:
    at_top = values["ema_fast"] == 11.0 and values["ema_slow"] == 30.0
    return 10.0 if at_top else (values["ema_fast"] + values["ema_slow"]) / 100.0


GRID = ("ema_fast=5:20:3", "ema_slow=15:40:5")


def studied(score: Score, method: str = "grid", params: tuple[str, ...] = GRID) -> Study:
    return StudyRun(plan(params, method), ComputingWorkers(score), {}).run()


def known(study: Study) -> dict[Overrides, Outcome]:
    return {trial.overrides: trial.outcome for trial in study.trials}


def test_a_plateau_and_a_spike() -> None:
    for score, verdict in ((hill, "plateau"), (spike, "spike")):
        study = studied(score)
        workers = ComputingWorkers(score)
        around = neighbourhood(study, workers, known(study))
        assert around is not None
        assert around.verdict == verdict
        assert workers.asked == []  # a whole grid has them all
        assert {(one.parameter, one.text) for one in around.neighbours} == {
            ("ema_fast", "8"), ("ema_fast", "14"), ("ema_slow", "25"), ("ema_slow", "35"),
        }  # fmt: skip
    around = neighbourhood(studied(hill), ComputingWorkers(hill), known(studied(hill)))
    assert around is not None
    assert around.mean == (7.0 + 7.0 + 9.0 + 9.0) / 4.0


def test_neighbours_that_nobody_had_are_run_and_are_no_trials() -> None:
    study = studied(hill, "random", ("ema_fast=5:20", "ema_slow=18:40"))
    outcomes = known(study)
    workers = ComputingWorkers(hill)
    around = neighbourhood(study, workers, outcomes)
    assert around is not None
    assert len(workers.asked) >= 2
    assert all(task.overrides in outcomes for task in workers.asked)
    assert not {task.overrides for task in workers.asked} & {trial.overrides for trial in study.trials}


def test_infeasible_and_undefined_neighbours_say_why() -> None:
    def edge(values: dict[str, float]) -> float | None:
        return None if values["ema_fast"] == 17 else values["ema_fast"] - values["ema_slow"]

    study = studied(edge)
    assert study.best is not None
    assert study.best.values == {"ema_fast": "14", "ema_slow": "15"}
    around = neighbourhood(study, ComputingWorkers(edge), known(study))
    assert around is not None
    told = {(one.parameter, one.text): (one.value, one.why_undefined) for one in around.neighbours}
    assert told["ema_fast", "17"] == (None, "infeasible: ema_fast < ema_slow")
    assert told["ema_fast", "11"] == (-4.0, None)
    nothing = studied(lambda values: None)
    assert neighbourhood(nothing, ComputingWorkers(hill), {}) is None


def test_no_lead_no_verdict() -> None:
    study = studied(lambda values: 1.0)
    around = neighbourhood(study, ComputingWorkers(lambda values: 1.0), known(study))
    assert around is not None
    assert (around.drop, around.verdict) == (None, None)
    assert importance(study, study.plan.parameters[0]) is None


def test_importance_is_the_share_of_the_variance() -> None:
    only_slow = studied(lambda values: values["ema_slow"] ** 2)
    fast, slow = only_slow.plan.parameters
    assert importance(only_slow, slow) == pytest.approx(1.0)
    share = importance(only_slow, fast)
    assert share is not None
    assert share < 0.1
    assert [parameter.name for parameter, _ in most_important(only_slow)] == ["ema_slow", "ema_fast"]


def test_cells_are_means_of_their_trials() -> None:
    params = ("ema_fast=5:20:5", "ema_slow=21:50")
    numbers = studied(lambda values: 100.0 * values["ema_slow"] + values["ema_fast"], "random", params)
    found = heat_map(numbers)
    assert found is not None
    assert (found.rows, found.columns) == ("ema_slow", "ema_fast")
    assert found.column_labels == ("5", "10", "15", "20")
    assert found.row_labels == tuple(f"{low}.." for low in range(21, 51, 3))
    assert sum(map(sum, found.counts)) == len(numbers.distinct)
    for i, line in enumerate(found.cells):
        for j, cell in enumerate(line):
            inside = [
                trial.value
                for trial in numbers.distinct
                if trial.value is not None
                and 21 + 3 * i <= int(trial.values["ema_slow"]) < 24 + 3 * i
                and trial.values["ema_fast"] == found.column_labels[j]
            ]
            assert cell == (pytest.approx(sum(inside) / len(inside)) if inside else None)
    assert numbers.best is not None
    slow, fast = int(numbers.best.values["ema_slow"]), int(numbers.best.values["ema_fast"])
    assert found.best == ((slow - 21) // 3, fast // 5 - 1)


def test_a_range_without_steps_has_ten_bins_and_its_end_is_in_the_last() -> None:
    study = studied(lambda values: values["rsi_long_min"], "random", ("rsi_long_min=40:60", "ema_fast=5:20:5"))
    found = heat_map(study)
    assert found is not None
    assert found.row_labels[0] == "40.."
    assert len(found.row_labels) == 10
    last = dataclasses.replace(study.trials[0], values={"rsi_long_min": "60.0", "ema_fast": "5"}, value=99.0)
    ended = heat_map(dataclasses.replace(study, trials=(*study.trials, last)))
    assert ended is not None
    assert ended.best == (9, 0)
    assert heat_map(studied(hill)) is not None
    one = studied(lambda values: values["ema_fast"], "grid", ("ema_fast=5:20:3",))
    assert heat_map(one) is None
