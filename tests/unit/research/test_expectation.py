"""The band by hand, and its promises: coverage, false alarms, the luck of trials, an edge that is gone."""

import numpy as np
import pytest

from app.errors import DataError
from app.research.bootstrap import block_length
from app.research.expectation import Band, expected_band, growth_paths, standard_error
from app.research.overfitting import expected_best_sharpe
from app.runs.quotients import Floats
from tests.bench.expectation import Case, measure


def returns(days: int = 400, mean: float = 0.001, seed: int = 3) -> Floats:
    return mean + 0.01 * np.random.default_rng(seed).standard_normal(days)


def test_paths_have_the_spread_of_what_comes_and_of_what_is_not_known() -> None:
    observed, days = returns(), 100
    logs = np.log1p(observed)
    ends = np.log(growth_paths(observed, 1, days, paths=20_000)[:, -1])
    assert ends.mean() == pytest.approx(days * logs.mean(), abs=0.004)
    # Variance of the sum of 100 days, and of 100 times a mean that 400 days have told.
    assert ends.std() == pytest.approx(logs.std(ddof=1) * np.sqrt(days + days**2 / 400), rel=0.06)


def test_the_luck_of_trials_is_that_of_the_deflated_sharpe_ratio() -> None:
    observed, days = returns(), 50
    logs = np.log1p(observed)
    error = standard_error(logs, block_length([logs, (logs - logs.mean()) ** 2]))
    assert error == pytest.approx(logs.std(ddof=1) / np.sqrt(400), rel=0.15)
    alone = np.log(growth_paths(observed, 1, days, paths=20_000)[:, -1]).mean()
    for trials in (10, 100):
        chosen = np.log(growth_paths(observed, trials, days, paths=20_000)[:, -1]).mean()
        assert alone - chosen == pytest.approx(days * error * expected_best_sharpe(1.0, trials), rel=0.08)


def test_the_error_of_a_mean() -> None:
    values = np.array([1.0, 2.0, 4.0, 3.0])
    assert standard_error(values, 1.0) == pytest.approx(values.std(ddof=1) / 2.0)
    # By hand, blocks of 1.25: variance 2, circular autocovariances -1, both with the weight 2/3 * 0.2 + 1/3 * 0.04.
    weight = 2.0 / 3.0 * 0.2 + 1.0 / 3.0 * 0.04
    assert standard_error(np.array([0.0, 0.0, 3.0]), 1.25) == pytest.approx(np.sqrt((2.0 - 4.0 * weight) / 2.0))
    together = np.repeat(np.random.default_rng(1).standard_normal(100), 4)
    assert standard_error(together, 12.0) > 1.5 * standard_error(together, 1.0)


def test_bounds_lie_in_their_order_and_are_left_as_often_as_said() -> None:
    observed = returns()
    band, growth = expected_band(observed, 1, 90), growth_paths(observed, 1, 90)
    for one in (band.low, band.mid, band.high, band.floor, band.ceiling):
        assert one[0] == 1.0
        assert one.shape == (91,)
    assert (band.floor <= band.low).all()
    assert (band.low <= band.mid).all()
    assert (band.mid <= band.high).all()
    assert (band.high <= band.ceiling).all()
    assert 0.02 <= (growth < band.floor).any(axis=1).mean() <= 0.04
    assert 0.0 < (growth > band.ceiling).any(axis=1).mean() <= 0.01
    assert (np.diff(band.drawdown) >= 0.0).all()
    assert 0.0 < band.drawdown[-1] < 1.0


def test_the_same_question_has_the_same_answer() -> None:
    first, again, other = (expected_band(returns(), 5, 30, paths=200, seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(getattr(first, name), getattr(again, name)) for name in Band.__dataclass_fields__)
    assert not np.array_equal(first.low, other.low)


@pytest.mark.parametrize(
    ("observed", "words"),
    [
        (returns(59), "needs 60 days of returns, these are 59"),
        (np.zeros(100), "daily returns that vary"),
        (np.append(returns(100), -1.0), "none that loses everything"),
    ],
)
def test_what_tells_nothing_is_refused(observed: Floats, words: str) -> None:
    with pytest.raises(DataError, match=words):
        expected_band(observed, 1, 30)


@pytest.mark.parametrize("trials", [1, 50])
def test_a_band_of_90_percent_covers_85_to_95(trials: int) -> None:
    found = measure(Case(4.0, 730, 90, trials=trials), seeds=60, paths=500)
    assert 0.85 <= found.covered <= 0.95
    assert found.false_alarms <= 0.12


def test_an_edge_that_is_gone_is_flagged() -> None:
    found = measure(Case(8.0, 730, 120), seeds=15, paths=500)
    assert found.flagged >= 0.85
    assert found.days_taken is not None
    assert found.days_taken < 60
    assert found.false_alarms < 0.2 < found.flagged_reversed
