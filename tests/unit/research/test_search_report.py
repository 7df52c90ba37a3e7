"""study.json: complete, undefined as null, with the warning signs that apply and no other."""

import dataclasses
import json
from typing import Any

import numpy as np

from app.research.landscape import Neighbour, Neighbourhood
from app.research.overfitting import DeflatedSharpe, Overfitting
from app.research.search_report import Findings, findings_of, study_content, undefined_reasons
from app.research.study import Study, StudyRun
from app.runs.run_folder import to_json
from tests.searches import ComputingWorkers, outcome, plan


def score(values: dict[str, float]) -> float | None:
    return None if values["ema_fast"] == 20 else 10.0 - abs(values["ema_fast"] - 11.0) - abs(values["ema_slow"] - 30.0)


def studied() -> Study:
    return StudyRun(plan(("ema_fast=5:20:3", "ema_slow=15:40:5"), "grid"), ComputingWorkers(score), {}).run()


def found(**changes: Any) -> Findings:
    own = {
        "study": studied(),
        "neighbourhood": Neighbourhood((Neighbour("ema_fast", "8", 7.0, None),), 7.0, 0.4),
        "heat_map": None,
        "deflated": DeflatedSharpe(0.96, 0.2, 0.1, 33, 59),
        "overfitting": Overfitting(0.4, 0.3, 10, 252, 33),
        **changes,
    }
    return Findings(**own)


def test_the_content_of_a_study() -> None:
    study = studied()
    content = json.loads(to_json(study_content(findings_of(study, None), "python -m app ...")))
    assert content["trials_run"] == content["trials_distinct"] == len(content["trials"]) == 33
    assert content["trials_undefined"] == undefined_reasons(study) == {"no trades": 4}
    assert content["samples_infeasible"] == {"ema_fast < ema_slow": 3}
    best = content["best"]
    assert (best["values"], best["value"]) == ({"ema_fast": "11", "ema_slow": "30"}, 10.0)
    assert best["command"] == "python -m app ..."
    assert content["deflated_sharpe"] == {"probability": None, "why": "it needs 30 days, these are 0"}
    assert content["probability_of_overfitting"]["why"] == "it needs 20 days, these are 0"
    assert set(content["importance"]) == {"ema_fast", "ema_slow"}
    assert content["trials"][0]["number"] == 1
    assert not any("time" in key or "memory" in key for key in content)


def test_findings_look_at_each_set_of_values_once() -> None:
    study = studied()
    random = np.random.default_rng(1)
    trials = [
        dataclasses.replace(trial, outcome=outcome(trial.value, returns=random.normal(size=60).tolist()))
        for trial in study.trials
    ]
    again = dataclasses.replace(trials[0], number=34, same_as=1)
    one, two = (findings_of(dataclasses.replace(study, trials=tuple(own)), None) for own in (trials, [*trials, again]))
    assert isinstance(one.deflated, DeflatedSharpe)
    assert one.deflated.trials == 33
    assert (one.deflated, one.overfitting) == (two.deflated, two.overfitting)


def test_no_warning_without_a_sign() -> None:
    assert found().warnings == ()


def test_each_sign_has_its_warning() -> None:
    (deflated,) = found(deflated=DeflatedSharpe(0.5, 0.1, 0.2, 33, 59)).warnings
    assert deflated.startswith("deflated Sharpe ratio 0.50 is below 0.95: 33 trials")
    (over,) = found(overfitting=Overfitting(0.51, 0.5, 10, 252, 33)).warnings
    assert over.startswith("probability of overfitting 0.51")
    (spike,) = found(neighbourhood=Neighbourhood((), 0.0, 0.9)).warnings
    assert "spike" in spike
    study = studied()
    assert study.best is not None

    def with_best(**changes: Any) -> Study:
        assert study.best is not None
        best = dataclasses.replace(study.best, **changes)
        return dataclasses.replace(study, trials=(best,))

    (edge,) = found(study=with_best(values={"ema_fast": "5", "ema_slow": "30"})).warnings
    assert edge.startswith("the best has ema_fast 5, at the edge of strategy.params.ema_fast=5:20:3")
    (few,) = found(study=with_best(outcome=outcome(1.0, trades=29))).warnings
    assert few == "the best made 29 trades: too few to say much"
    (halted,) = found(study=with_best(outcome=outcome(1.0, halted="2023-01-05T00:00:00.000Z"))).warnings
    assert halted.startswith("the kill switch stopped the best at 2023-01-05")


def test_a_study_without_a_best() -> None:
    nothing = StudyRun(plan(), ComputingWorkers(lambda values: None), {}).run()
    own = findings_of(nothing, None)
    content = study_content(own, None)
    assert content["best"] is None
    assert content["heat_map"] is None
    assert own.warnings == ()
