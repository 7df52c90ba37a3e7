"""An outcome: what a search keeps of a trial, the same after a journey as JSON."""

import msgspec

from app.research.trial import Outcome, outcome_of, run_trial
from tests.searches import END_MS, START_MS, bench, outcome, settings


def test_it_is_the_trials_and_travels() -> None:
    own = settings("safety.max_drawdown=0.01", "strategy.params.ema_fast=5")
    trial = run_trial(bench().loaded(), own, START_MS, END_MS)
    found = outcome_of(trial)
    assert found.performance == trial.results["performance"]
    assert found.trades_sha256 == trial.trades_sha256
    assert found.halted == trial.results["kill_switch"]["time"]
    assert trial.daily.returns is not None
    assert found.returns == trial.daily.returns.tolist()
    assert msgspec.json.decode(msgspec.json.encode(found), type=Outcome) == found


def test_returns_as_an_array() -> None:
    assert outcome(1.0).daily is None
    daily = outcome(1.0, returns=[0.5, -0.25]).daily
    assert daily is not None
    assert daily.tolist() == [0.5, -0.25]
