"""Undefined is None: never 0, NaN or infinity, and never a warning."""

import numpy as np
import pytest

from app.runs.quotients import defined, mean, quantile, quantiles, ratio, spread


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), np.float64("nan")])
def test_what_json_cannot_hold_is_none(value: float) -> None:
    assert defined(value) is None


def test_a_number_stays_a_plain_one() -> None:
    assert type(defined(np.float64(1.5))) is float


@pytest.mark.parametrize(("part", "whole", "expected"), [(1, 0, None), (0, 0, None), (1, -0.0, None), (-3, 2, -1.5)])
def test_ratio(part: float, whole: float, expected: float | None) -> None:
    assert ratio(part, whole) == expected


def test_a_quotient_beyond_the_doubles_is_none() -> None:
    assert ratio(1e300, 1e-300) is None


def test_mean_and_spread_of_too_few() -> None:
    nothing, one = np.array([]), np.array([2.0])
    assert (mean(nothing), mean(one), spread(nothing), spread(one)) == (None, 2.0, None, None)


def test_equal_values_have_no_spread_whatever_rounding_says() -> None:
    same = np.full(7, 0.1) * 1.1
    assert spread(same) is None
    assert spread(np.array([0.0, 0.0])) is None
    assert spread(np.array([1.0, 3.0])) == pytest.approx(2.0**0.5)


def test_quantiles_by_name() -> None:
    assert quantiles(np.array([4.0, 0.0, 2.0]), (0.25, 0.5)) == {"p25": 1.0, "p50": 2.0, "max": 4.0}
    assert quantiles(np.array([]), (0.25, 0.5)) == {"p25": None, "p50": None, "max": None}


def test_a_quantile_is_numpys() -> None:
    random = np.random.default_rng(6)
    for size in (1, 2, 3, 20, 101):
        values = np.sort(random.normal(size=size))
        for share in (0.0, 0.05, 0.1, 0.5, 0.9, 1.0):
            assert quantile(values, share) == pytest.approx(np.quantile(values, share), rel=1e-12)
