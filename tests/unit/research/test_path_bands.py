"""Paths of equity: added, compounded, their drawdowns, ruin and bands, computed by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.research.path_bands import Outcomes, added, bands, compounded, fan, fan_places, outcomes

STARTS = np.array([[100.0, -50.0, 25.0], [-50.0, 100.0, 25.0]])


def test_pnls_are_added_to_the_start() -> None:
    assert added(1_000.0, STARTS).tolist() == [[1000, 1100, 1050, 1075], [1000, 950, 1050, 1075]]


def test_returns_are_multiplied_and_nothing_comes_of_nothing() -> None:
    returns = np.array([[0.1, -0.5, 1.0], [-1.2, 0.5, 0.5]])
    assert compounded(100.0, returns) == pytest.approx(np.array([[100, 110, 55, 110], [100, 0, 0, 0]]))


def test_final_drawdown_and_ruin_by_hand() -> None:
    found = outcomes(added(1_000.0, STARTS), ruin_level=960.0)
    assert found.final_equity.tolist() == [1075.0, 1075.0]
    assert found.max_drawdown.tolist() == pytest.approx([50 / 1100, 50 / 1000])  # the start is the first peak
    assert found.ruined.tolist() == [False, True]


def test_bands_by_hand() -> None:
    finals = np.array([900.0, 950.0, 1000.0, 1050.0, 1100.0])
    found = Outcomes(finals, np.array([0.1, 0.2, 0.3, 0.4, 0.5]), np.array([True, False, False, False, False]))
    observed = Outcomes(np.array([1000.0]), np.array([0.05]), np.array([False]))
    answer = bands(found, observed, 1_000.0)
    assert answer["final_equity"] == {
        "p5": 910.0, "p25": 950.0, "p50": 1000.0, "p75": 1050.0, "p95": 1090.0,
        "mean": 1000.0, "lowest": 900.0, "highest": 1100.0, "observed": 1000.0, "observed_rank_pct": 60.0,
    }  # fmt: skip
    assert answer["max_drawdown_pct"]["observed_rank_pct"] == 0.0
    assert answer["max_drawdown_pct"]["p50"] == pytest.approx(30.0)
    assert answer["loss_probability_pct"] == 40.0
    assert answer["ruin_probability_pct"] == 20.0


@given(
    arrays(np.float64, st.tuples(st.integers(1, 20), st.integers(1, 30)), elements=st.floats(-1.5, 1.5)),
    st.floats(0.05, 0.95),
)
def test_bands_are_ordered_and_shares_are_shares(returns: np.ndarray, ruin: float) -> None:
    found = outcomes(compounded(100.0, returns), 100.0 * ruin)
    answer = bands(found, outcomes(compounded(100.0, returns[:1]), 100.0 * ruin), 100.0)
    for key in ("final_equity", "max_drawdown_pct"):
        band = answer[key]
        rising = [band[name] for name in ("lowest", "p5", "p25", "p50", "p75", "p95", "highest")]
        # Interpolation between equal doubles may be off in the last bit.
        assert all(high >= low - 1e-9 * abs(low) for low, high in itertools.pairwise(rising))
        assert 0.0 <= band["observed_rank_pct"] <= 100.0
    assert answer["max_drawdown_pct"]["lowest"] >= 0.0
    assert answer["max_drawdown_pct"]["highest"] <= 100.0
    assert 0.0 <= answer["ruin_probability_pct"] <= 100.0


def test_a_fan_has_the_first_and_the_last_step() -> None:
    assert fan_places(3).tolist() == [0, 1, 2, 3]
    places = fan_places(1_000)
    assert len(places) == 60
    assert (places[0], places[-1]) == (0, 1_000)
    answer = fan(fan_places(1), np.array([[10.0, 8.0], [10.0, 12.0], [10.0, 10.0]]))
    assert answer == {
        "step": [0, 1], "p5": [10.0, 8.2], "p25": [10.0, 9.0], "p50": [10.0, 10.0], "p75": [10.0, 11.0],
        "p95": [10.0, 11.8],
    }  # fmt: skip
