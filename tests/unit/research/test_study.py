"""A study: batches in order, infeasible samples counted, nothing run twice, the same however it was interrupted."""

from typing import Any

import pytest

from app.errors import ConfigError
from app.research.sampling import METHODS
from app.research.study import Leader, Overrides, Study, StudyRun, why_infeasible
from app.research.trial import Outcome
from app.strategies.loader import check_settings
from tests.searches import ComputingWorkers, objective, plan, settings


def score(values: dict[str, float]) -> float | None:
    """Best at 11 and 30; nothing at 14."""
    if values["ema_fast"] == 14:
        return None
    return 10.0 - abs(values["ema_fast"] - 11.0) - abs(values["ema_slow"] - 30.0) / 5.0 + values["rsi_long_min"] / 100.0


def run(method: str, workers: Any = None, outcomes: dict[Overrides, Outcome] | None = None, **changes: Any) -> Study:
    own = plan(method=method, **changes)
    return StudyRun(own, workers or ComputingWorkers(score), {} if outcomes is None else outcomes).run()


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_answers_changes_nothing(method: str) -> None:
    forwards, backwards = ComputingWorkers(score), ComputingWorkers(score)
    answers = backwards.run
    backwards.run = lambda tasks: answers(list(reversed(tasks)))  # type: ignore[method-assign]
    assert run(method, forwards).trials == run(method, backwards).trials


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("stopped", [0, 1, 13, 30])
def test_a_stopped_study_goes_on_to_the_same_result(method: str, stopped: int) -> None:
    whole, outcomes = run(method), dict[Overrides, Outcome]()
    with pytest.raises(KeyboardInterrupt):
        run(method, ComputingWorkers(score, stop_after=stopped), outcomes, trials=60)
    assert len(outcomes) == stopped
    rest = ComputingWorkers(score)
    resumed = run(method, rest, outcomes)
    assert (resumed.trials, resumed.infeasible) == (whole.trials, whole.infeasible)
    assert len(rest.asked) == len(whole.distinct) - len(set(outcomes_before(whole, outcomes, rest)))


def outcomes_before(whole: Study, outcomes: dict[Overrides, Outcome], rest: ComputingWorkers) -> list[Overrides]:
    """Those of the study that had been run before the stop."""
    ran_later = {task.overrides for task in rest.asked}
    return [
        trial.overrides for trial in whole.distinct if trial.overrides not in ran_later and trial.overrides in outcomes
    ]


def test_more_trials_go_on_where_fewer_ended() -> None:
    assert run("bayes", trials=60).trials[:20] == run("bayes", trials=20).trials


def test_samples_that_break_a_constraint_are_counted_and_not_run() -> None:
    workers = ComputingWorkers(score)
    study = run("grid", workers)
    assert study.infeasible == {"ema_fast < ema_slow": 9}  # 17 and 20 with 15, 20 with 20; three values of the RSI each
    assert len(study.trials) == 99
    assert all(float(trial.values["ema_fast"]) < float(trial.values["ema_slow"]) for trial in study.trials)
    assert {task.overrides for task in workers.asked} == {trial.overrides for trial in study.trials}
    assert [trial.number for trial in study.trials] == list(range(1, 100))


def test_the_best_and_the_undefined() -> None:
    study = run("grid")
    best = study.best
    assert best is not None
    assert best.values == {"ema_fast": "11", "ema_slow": "30", "rsi_long_min": "60"}
    undefined = [trial for trial in study.trials if trial.values["ema_fast"] == "14"]
    assert {(trial.value, trial.why_undefined) for trial in undefined} == {(None, "no trades")}
    nothing = run("bayes", ComputingWorkers(lambda values: None))
    assert nothing.best is None
    assert len(nothing.trials) == 40


def test_less_is_better_where_the_objective_says_so() -> None:
    study = run("grid", objective=objective("max_drawdown_pct"))
    assert study.best is not None
    assert study.best.number == min(trial.number for trial in study.trials if trial.value is not None)
    lowest = run("grid", ComputingWorkers(score), objective=objective())
    assert lowest.best is not None
    assert lowest.best.value == max(trial.value for trial in lowest.trials if trial.value is not None)


def test_values_that_were_tried_are_not_run_again() -> None:
    workers = ComputingWorkers(score)
    study = run("genetic", workers, trials=96)
    assert len(study.distinct) < 96
    assert len(workers.asked) == len(study.distinct)
    for trial in study.trials:
        if trial.same_as is not None:
            first = study.trials[trial.same_as - 1]
            assert (first.overrides, first.outcome, first.same_as) == (trial.overrides, trial.outcome, None)


def test_a_space_without_a_feasible_point_ends() -> None:
    with pytest.raises(ConfigError, match="1,000 samples in a row cannot be run; the last: ema_fast < ema_slow"):
        run("random", parameters=plan(("ema_fast=30:40", "ema_slow=5:9")).parameters)


def test_what_a_backtest_would_refuse_is_infeasible_too() -> None:
    own = settings()
    strategy = check_settings(own)
    assert why_infeasible(own, strategy, ["strategy.params.ema_fast=9"]) is None
    assert why_infeasible(own, strategy, ["strategy.params.ema_fast=21"]) == "ema_fast < ema_slow"
    refused = why_infeasible(own, strategy, ["strategy.params.ema_slow=999", "startup_candles=240"])
    assert refused is not None
    assert "needs 1000 candles" in refused


def test_progress_names_the_leader() -> None:
    told: list[tuple[int, int, Leader | None]] = []
    own = plan(method="grid")
    StudyRun(own, ComputingWorkers(score), {}, lambda *now: told.append(now)).run()
    assert [done for done, _, _ in told] == list(range(1, 100))
    values = [leader[1] for _, _, leader in told if leader is not None]
    assert values == sorted(values)
    assert values[-1] == 10.6
