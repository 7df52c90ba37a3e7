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
    largest_normals,
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
# The same of short series, of their sizes and of their sums; `autoregressive` makes them of a generator with seed 2.
ARCH_SHORT: list[tuple[int, float, tuple[float, float, float]]] = [
    (8, -0.6, (3.0, 3.0, 3.0)),
    (8, 0.2, (3.0, 3.0, 3.0)),
    (8, 0.95, (3.0, 3.0, 3.0)),
    (9, -0.6, (3.0, 3.0, 3.0)),
    (9, 0.2, (3.0, 3.0, 3.0)),
    (9, 0.95, (0.07968531571012781, 0.8891085788132612, 3.0)),
    (12, -0.6, (4.0, 4.0, 3.7440412069882782)),
    (12, 0.2, (1.1147579545477644, 4.0, 4.0)),
    (12, 0.95, (4.0, 0.973393920200301, 0.6378741678054898)),
    (20, -0.6, (5.976261512363849, 1.5104109885991293, 3.438067656046481)),
    (20, 0.2, (2.7731116197191983, 1.4171594197205732, 1.6516888841836808)),
    (20, 0.95, (6.0713840580479586, 4.320489228694811, 7.0)),
    (60, -0.6, (20.0, 3.4821605326680087, 8.041350120435132)),
    (60, 0.2, (1.877396698270025, 1.295240756667189, 9.779882143793682)),
    (60, 0.95, (6.069040925597993, 4.2169820639736635, 10.417432493074218)),
    (365, -0.6, (10.310193227540301, 3.28252679520782, 31.84467630431828)),
    (365, 0.2, (3.318991469115212, 1.015096894215282, 31.047650680619316)),
    (365, 0.95, (24.749300983526116, 24.279992361035216, 31.867210234845185)),
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


def test_short_series_their_sizes_and_their_sums_have_the_block_length_of_arch_too() -> None:
    rng = np.random.default_rng(2)
    for count, rho, expected in ARCH_SHORT:
        series = autoregressive(rng, count, rho)
        found = [automatic_block_length(one) for one in (series, np.abs(series), np.cumsum(series))]
        assert found == pytest.approx(expected, rel=1e-9), (count, rho)


def test_a_block_length_where_there_is_none_of_its_own() -> None:
    assert automatic_block_length(np.ones(50)) is None
    assert automatic_block_length(np.arange(7.0)) is None
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


def test_the_largest_of_normal_draws() -> None:
    for of in (1, 5, 100):
        found = largest_normals(draws_of(1), 20_000, of)
        drawn = draws_of(2).standard_normal((20_000, of)).max(axis=1)
        assert found.mean() == pytest.approx(drawn.mean(), abs=0.03)
        assert found.std() == pytest.approx(drawn.std(), rel=0.04)
