"""Draws: seeded, apart from each other, of the right block length, and the block length of well-known series."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.research.bootstrap import (
    automatic_block_length,
    block_length,
    draws_of,
    shuffled,
    stationary_indices,
)

# arch 8.0.0, `optimal_block_length(x)["stationary"]`, of the series that `autoregressive` makes in this order.
ARCH = [
    (100, 0.0, 0.7009584853720648),
    (500, 0.3, 5.284611470356195),
    (1000, 0.6, 14.94783535077429),
    (2000, 0.9, 51.48729643291989),
    (300, -0.4, 9.213732950432467),
]


def autoregressive(rng: np.random.Generator, count: int, rho: float) -> np.ndarray:
    noise, series = rng.standard_normal(count), np.zeros(count)
    for i in range(count):
        series[i] = (rho * series[i - 1] if i else 0.0) + noise[i]
    return series


def test_the_automatic_block_length_is_that_of_arch() -> None:
    rng = np.random.default_rng(1)
    for count, rho, expected in ARCH:
        assert automatic_block_length(autoregressive(rng, count, rho)) == pytest.approx(expected, rel=1e-9)


def test_a_block_length_where_there_is_none_of_its_own() -> None:
    assert automatic_block_length(np.ones(50)) is None
    assert automatic_block_length(np.arange(8.0)) is None
    assert block_length([np.ones(64)]) == pytest.approx(4.0)  # n ** (1/3)
    rng = np.random.default_rng(1)
    short, long = autoregressive(rng, 100, 0.0), autoregressive(rng, 500, 0.3)
    assert block_length([short]) == 1.0  # 0.7 of a value is no block
    assert block_length([short, long]) == pytest.approx(5.284611470356195)


@pytest.mark.parametrize("mean_block", [1.0, 4.0, 25.0])
def test_blocks_have_the_mean_length_that_was_asked_for(mean_block: float) -> None:
    count = 200_000
    places = stationary_indices(draws_of(1), 10_000, count, mean_block)
    runs_on = np.diff(places) % 10_000 == 1
    # A new block runs on by chance once in ten thousand.
    blocks = 1 + int(np.sum(~runs_on))
    # The length is geometric: its standard deviation is sqrt(m * (m - 1)).
    error = 4.0 * math.sqrt(mean_block * (mean_block - 1.0) / blocks) + mean_block * 1e-3
    assert count / blocks == pytest.approx(mean_block, abs=error)


@given(length=st.integers(1, 50), count=st.integers(1, 200), mean_block=st.floats(1.0, 60.0), seed=st.integers(0, 9))
def test_places_are_in_the_series_and_each_is_as_likely(length: int, count: int, mean_block: float, seed: int) -> None:
    places = stationary_indices(draws_of(seed), length, count, mean_block)
    assert places.shape == (count,)
    assert places.min() >= 0
    assert places.max() < length


def test_every_place_is_as_likely_as_any_other() -> None:
    # Blocks wrap round, so the ends of the series are not drawn less often.
    places = stationary_indices(draws_of(2), 10, 400_000, 5.0)
    counts = np.bincount(places, minlength=10)
    assert counts.min() > 0.97 * 40_000
    assert counts.max() < 1.03 * 40_000


@given(count=st.integers(1, 100), seed=st.integers(0, 99))
def test_a_shuffle_keeps_everything(count: int, seed: int) -> None:
    assert sorted(shuffled(draws_of(seed), count).tolist()) == list(range(count))


def test_a_path_is_made_of_its_seed_and_its_numbers_alone() -> None:
    first = shuffled(draws_of(1, 0, 5), 20).tolist()
    assert shuffled(draws_of(1, 0, 5), 20).tolist() == first
    others = [shuffled(draws_of(*path), 20).tolist() for path in ((2, 0, 5), (1, 1, 5), (1, 0, 6))]
    assert first not in others
    assert len({tuple(one) for one in others}) == 3
