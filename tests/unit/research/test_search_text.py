"""The console report of a search: the best with its command, every doubt, aligned tables, nothing made up."""

import dataclasses

from app.research.landscape import heat_map, neighbourhood
from app.research.overfitting import DeflatedSharpe, Overfitting
from app.research.search_report import findings_of, heat_map_lines, search_lines
from app.research.study import StudyRun
from tests.searches import ComputingWorkers, outcome, plan
from tests.unit.research.test_search_report import score, studied


def test_the_whole_report() -> None:
    study = studied()
    marked = dataclasses.replace(study.trials[0], outcome=outcome(study.trials[0].value, halted="2023-01-05T00:00Z"))
    study = dataclasses.replace(study, trials=(marked, *study.trials[1:]))
    around = neighbourhood(study, ComputingWorkers(score), {one.overrides: one.outcome for one in study.trials})
    found = dataclasses.replace(
        findings_of(study, around),
        deflated=DeflatedSharpe(0.51234, 0.1, 0.2, 33, 59),
        overfitting=Overfitting(0.75, 0.5, 10, 252, 33),
    )
    text = "\n".join(search_lines(found, "python -m app --mode backtest --set a=1"))
    for wanted in (
        "Onetape search: grid over strategy.params.ema_fast=5:20:3, strategy.params.ema_slow=15:40:5; 2023-01-01 to",
        "Trials 33\n",
        "Halted by the kill switch 1 (marked H)",
        "Without a value 4: no trades 4",
        "Infeasible samples, not run 3: ema_fast < ema_slow 3",
        "  python -m app --mode backtest --set a=1\n",
        "0.512   probability that its true Sharpe ratio is above 0, 33 trials over 59 days",
        "0.750   best in one half of the days",
        "Around the best: a plateau; the neighbours' mean loses",
        "  ema_fast 11 -> 14             7",
        "Share of the values' variance by parameter: ema_slow",
        "Mean total_return_pct: ema_slow down, ema_fast across",
        "Warning signs\n  - deflated Sharpe ratio 0.51",
    ):
        assert wanted in text, wanted
    rows = [line for line in text.splitlines() if line.strip().startswith(f"{study.best.number} ")]  # type: ignore[union-attr]
    assert rows[0].split()[1:4] == ["11", "30", "10"]


def test_what_is_not_there_is_said() -> None:
    nothing = StudyRun(plan(), ComputingWorkers(lambda values: None), {}).run()
    text = "\n".join(search_lines(findings_of(nothing, None), None))
    assert text.endswith("No trial has a value for the objective; there is no best.")
    plain = "\n".join(search_lines(findings_of(studied(), None), "x"))
    assert "deflated Sharpe ratio          n/a: it needs 30 days, these are 0" in plain
    assert "probability of overfitting     n/a: it needs 20 days, these are 0" in plain
    assert "No warning sign of those that this report knows; that is no proof." in plain


def test_the_heat_map_marks_the_best() -> None:
    found = heat_map(studied())
    assert found is not None
    lines = "\n".join(heat_map_lines(found, "total_return_pct")).splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["15", "20", "25", "30", "35", "40"]
    assert [cell for line in lines[2:] for cell in line.split() if cell.endswith("*")] == ["10*"]
    assert lines[2].split()[-1] == "."
