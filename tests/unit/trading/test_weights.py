"""Weights by hand: inverse volatility, equal risk contributions, and who has no evidence."""

from collections.abc import Mapping, Sequence
from math import fsum, sqrt
from random import Random

import numpy as np
import pytest

from app.models.allocation import Method
from app.trading.weights import equal_risk_contributions, weights_of

DAYS = range(100, 104)


def by_day(*results: float) -> dict[int, float]:
    return dict(zip(DAYS, results, strict=False))


def contributions(weights: dict[str, float], results: Mapping[str, Sequence[float]]) -> list[float]:
    """Each strategy's part of the variance of the whole, by somebody else's covariance."""
    own = np.array(list(weights.values()))
    risk = own * (np.cov(np.array([results[name] for name in weights])) @ own)
    return list(risk / risk.sum())


def test_equal_looks_at_nothing() -> None:
    weights, how = weights_of(Method.EQUAL, {"a": by_day(1, 9, -9, 1), "b": {}}, DAYS)
    assert (weights, how) == ({"a": 0.5, "b": 0.5}, "equal shares")


def test_inverse_volatility_by_hand() -> None:
    # Deviations 1 : 2 : 4 (a mean beside 0 is no risk), so shares 4 : 2 : 1.
    results = {"a": by_day(1, -1, 1, -1), "b": by_day(12, 8, 12, 8), "c": by_day(-4, 4, 4, -4)}
    weights, how = weights_of(Method.INVERSE_VOLATILITY, results, DAYS)
    assert weights == pytest.approx({"a": 4 / 7, "b": 2 / 7, "c": 1 / 7}, rel=1e-12)
    assert how == "inverse volatility over 4 days"


def test_a_day_without_a_trade_is_nought() -> None:
    # a: 3, 0, 0, -3 has a variance of 18 / 3; b: 1, 1, -1, -1 one of 4 / 3.
    results = {"a": {100: 3.0, 103: -3.0}, "b": by_day(1, 1, -1, -1)}
    weights, _ = weights_of(Method.INVERSE_VOLATILITY, results, DAYS)
    a, b = 1 / sqrt(6), 1 / sqrt(4 / 3)
    assert weights == pytest.approx({"a": a / (a + b), "b": b / (a + b)}, rel=1e-12)


def test_days_outside_of_the_lookback_do_not_count() -> None:
    results = {"a": by_day(1, -1, 1, -1), "b": by_day(2, -2, 2, -2)}
    wider = {"a": {99: 1e6, **results["a"], 104: -1e6}, "b": results["b"]}
    assert weights_of(Method.RISK_PARITY, wider, DAYS) == weights_of(Method.RISK_PARITY, results, DAYS)


@pytest.mark.parametrize("method", [Method.INVERSE_VOLATILITY, Method.RISK_PARITY])
@pytest.mark.parametrize("silent", [{}, {100: 5.0}, by_day(0, 0, 0, 0), by_day(0.1, 0.1, 0.1, 0.1), {7: 1.0, 8: 2.0}])
def test_without_evidence_an_equal_share(method: Method, silent: dict[int, float]) -> None:
    results = {"a": by_day(1, -1, 1, -1), "silent": silent, "b": by_day(3, 3, -3, -3)}
    weights, how = weights_of(method, results, DAYS)
    assert weights == pytest.approx({"a": 2 / 3 * 3 / 4, "silent": 1 / 3, "b": 2 / 3 * 1 / 4}, rel=1e-12)
    assert how.endswith(" over 4 days; fewer than 2 days with a result, or all of them alike: silent")
    alone, how = weights_of(method, {"a": results["a"], "silent": silent}, DAYS)
    assert alone == {"a": 0.5, "silent": 0.5}
    assert how == "equal shares: fewer than 2 days with a result, or all of them alike: silent"


def test_two_of_known_correlation() -> None:
    # Of two strategies each contributes w1 * w2 * covariance and its own variance, so inverse volatility it is.
    one, other = (1.0, -1.0, 1.0, -1.0), (3.0, -1.0, 1.0, -3.0)
    assert np.corrcoef(one, other)[0, 1] == pytest.approx(2 / sqrt(5))
    weights, how = weights_of(Method.RISK_PARITY, {"a": by_day(*one), "b": by_day(*other)}, DAYS)
    assert weights == pytest.approx({"a": sqrt(5) / (1 + sqrt(5)), "b": 1 / (1 + sqrt(5))}, rel=1e-11)
    assert contributions(weights, {"a": one, "b": other}) == pytest.approx([0.5, 0.5], abs=1e-9)
    assert how == "risk parity over 4 days"


def test_two_that_go_together_count_less_than_one_alone() -> None:
    # Deviations 1 and correlations 0.5, 0, 0: 1 / sqrt(1.5) each for the pair, 1 for the third.
    found = equal_risk_contributions([[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert found == pytest.approx([1 / sqrt(1.5), 1 / sqrt(1.5), 1.0], rel=1e-12)


def test_many_contribute_alike() -> None:
    random = Random(5)
    for count in (2, 3, 5, 12):
        market = [random.gauss(0, 1) for _ in range(40)]
        results = {
            f"s{number}": [random.uniform(-1, 1) * day + random.gauss(0, 1 + number) for day in market]
            for number in range(count)
        }
        by_days = {name: dict(enumerate(own)) for name, own in results.items()}
        weights, _ = weights_of(Method.RISK_PARITY, by_days, range(40))
        assert fsum(weights.values()) == pytest.approx(1.0, abs=1e-12)
        assert min(weights.values()) > 0.0
        assert contributions(weights, results) == pytest.approx([1 / count] * count, abs=1e-9)


def test_strategies_that_cancel_out() -> None:
    assert equal_risk_contributions([[1.0, -1.0], [-1.0, 1.0]]) is None
    results = {"a": by_day(1, -1, 1, -1), "b": by_day(-2, 2, -2, 2)}
    weights, how = weights_of(Method.RISK_PARITY, results, DAYS)
    assert weights == pytest.approx({"a": 2 / 3, "b": 1 / 3}, rel=1e-12)
    assert how == "inverse volatility, since no weights give equal risk contributions over 4 days"
