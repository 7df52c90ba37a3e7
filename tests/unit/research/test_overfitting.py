"""Deflated Sharpe ratio and CSCV: the papers' own numbers, tables small enough for the hand, and pure noise."""

import math

import numpy as np
import pytest

from app.research.overfitting import (
    DeflatedSharpe,
    Overfitting,
    cross_validated,
    daily_sharpe,
    deflated_sharpe,
    expected_best_sharpe,
    overfitting,
    probabilistic_sharpe,
)


def test_the_example_of_the_2014_paper() -> None:
    # Bailey and Lopez de Prado 2014, the numerical example: an annualised Sharpe ratio of 2.5 over 1,250 days of 250
    # a year, skewness -3, kurtosis 10, variance of the trials' annualised ratios 1/2.
    sharpe, variance = 2.5 / math.sqrt(250), 0.5 / 250
    assert expected_best_sharpe(variance, 100) == pytest.approx(0.1132, abs=5e-5)
    for trials, expected in ((100, 0.9004), (46, 0.9505)):
        found = probabilistic_sharpe(sharpe, expected_best_sharpe(variance, trials), 1250, -3.0, 10.0)
        assert found == pytest.approx(expected, abs=5e-5)
    normal = probabilistic_sharpe(sharpe, expected_best_sharpe(variance, 88), 1250, 0.0, 3.0)
    assert normal == pytest.approx(0.9505, abs=5e-5)


def test_one_trial_is_not_deflated() -> None:
    assert expected_best_sharpe(0.5, 1) == 0.0


def test_from_returns() -> None:
    days = np.arange(60) % 4
    best = np.array([0.03, -0.01, 0.02, -0.02])[days]
    others = [np.array([0.01, -0.01, 0.02, -0.03])[days], np.zeros(60), None]
    found = deflated_sharpe(best, [best, *others])
    assert isinstance(found, DeflatedSharpe)
    assert (found.trials, found.days) == (2, 60)
    mean, deviation = 0.005, math.sqrt(60 / 59 * (0.025**2 + 0.015**2 + 0.015**2 + 0.025**2) / 4)
    assert found.sharpe == pytest.approx(mean / deviation)
    other = daily_sharpe(others[0])  # type: ignore[arg-type]
    assert other is not None
    variance = (found.sharpe - other) ** 2 / 2
    assert found.expected_of_luck == pytest.approx(expected_best_sharpe(variance, 2))
    # Deviations +-0.025 and +-0.015: no skew, and a kurtosis of their fourth powers.
    kurtosis = ((0.025**4 + 0.015**4) / 2) / ((0.025**2 + 0.015**2) / 2) ** 2
    by_hand = (found.sharpe - found.expected_of_luck) * math.sqrt(59)
    by_hand /= math.sqrt(1 + (kurtosis - 1) / 4 * found.sharpe**2)
    assert found.probability == pytest.approx(0.5 * (1 + math.erf(by_hand / math.sqrt(2))))


def test_what_cannot_be_said() -> None:
    month = np.tile([0.01, -0.01], 15)
    assert deflated_sharpe(month[:29], [month, month]) == "it needs 30 days, these are 29"
    assert deflated_sharpe(None, [month]) == "it needs 30 days, these are 0"
    assert deflated_sharpe(month, [month, np.zeros(30)]) == "it needs two trials with returns that vary"
    assert deflated_sharpe(np.zeros(30), [month, month]) == "it needs two trials with returns that vary"
    assert overfitting([month[:19], month]) == "it needs 20 days, these are 19"
    assert overfitting([]) == "it needs 20 days, these are 0"
    assert overfitting([month, None]) == "it needs two trials with returns that vary"


def test_a_table_for_the_hand() -> None:
    # Two blocks of two days, three trials. First half best: trial 0, which in the second half is the worst of three
    # (rank 1/4). Second half best: trial 2 (Sharpe ratio 2.5 / 0.71), in the first half the middle one (2/4).
    table = np.array([
        [3.0, 1.0, 1.0],
        [4.0, -2.0, 2.0],
        [-3.0, 1.0, 2.0],
        [-2.0, 2.0, 3.0],
    ])  # fmt: skip
    found = cross_validated(table, 2)
    assert found == Overfitting(probability=1.0, loss=0.5, blocks=2, splits=2, trials=3)
    # Best everywhere: never overfitted.
    table[:, 0] = [30.0, 31.0, 32.0, 33.0]
    assert cross_validated(table, 2).probability == 0.0


def test_ties_stand_in_the_middle_and_flat_halves_at_nought() -> None:
    # Trial 1 earns nothing in the second half: 0 there, better than a loss, worse than a gain.
    table = np.array([[1.0, 9.0, 0.5], [2.0, 10.0, 0.6], [-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0]])
    found = cross_validated(table, 2)
    # First half best: trial 1; in the second its 0 is the middle of three: 2/4, counted as below. Second half best:
    # trial 2, in the first half between the two others or below.
    assert found.loss == 0.0
    same = np.array([[1.0, 1.0], [2.0, 2.0], [1.0, 1.0], [2.0, 2.0]])
    assert cross_validated(same, 2).probability == 1.0  # two equal trials: the rank is the middle, 1.5/3


def test_blocks_are_even_and_the_first_days_are_left_over() -> None:
    random = np.random.default_rng(4)
    trials = [random.normal(size=37) for _ in range(5)]
    found = overfitting(trials)
    assert isinstance(found, Overfitting)
    assert (found.blocks, found.splits, found.trials) == (6, 20, 5)
    assert found == cross_validated(np.array(trials).T[1:], 6)
    long = overfitting([random.normal(size=400) for _ in range(3)])
    assert isinstance(long, Overfitting)
    assert (long.blocks, long.splits) == (16, 12_870)


def test_noise_is_overfitted_half_of_the_time_and_skill_never() -> None:
    random = np.random.default_rng(11)
    found = [cross_validated(random.normal(size=(160, 20)), 8).probability for _ in range(60)]
    assert 0.4 < float(np.mean(found)) < 0.6
    skilled = random.normal(size=(160, 20))
    skilled[:, 7] += 1.0
    assert cross_validated(skilled, 8).probability == 0.0
