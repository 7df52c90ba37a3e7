"""Seeded draws for Monte Carlo: orders, and the stationary bootstrap of Politis and Romano (1994).

Every path has a generator of its own, made of the seed, the method and the path's number, so it is the same path
whichever process draws it and however many are drawn.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from app.runs.quotients import Floats, Ints

Draws = np.random.Generator
_NORMAL = NormalDist()


def draws_of(seed: int, *path: int) -> Draws:
    """The generator of one path; PCG64 over a SeedSequence of the seed and the path's numbers, all at least 0."""
    return np.random.default_rng(np.random.SeedSequence((seed, *path)))


def shuffled(draws: Draws, count: int) -> Ints:
    """The numbers 0 to `count - 1`, each once, in an order that is as likely as any other."""
    return draws.permutation(count)


def stationary_indices(draws: Draws, length: int, count: int, mean_block: float) -> Ints:
    """`count` places in a series of `length`, drawn in blocks that run on and wrap round at its end.

    A block begins anywhere; after each place it ends with probability `1 / mean_block`, so its length is geometric
    with that mean (Politis and Romano 1994). `mean_block` is at least 1: then every place is drawn on its own.
    """
    starts = draws.integers(0, length, count)
    begins = draws.random(count) < 1.0 / mean_block
    begins[0] = True
    places = np.arange(count)
    begun = np.maximum.accumulate(np.where(begins, places, 0))
    return (starts[begun] + places - begun) % length


def largest_normals(draws: Draws, count: int, of: int) -> Floats:
    """`count` times the largest of so many standard normal draws, with one uniform draw for each."""
    # The largest of N draws from a distribution has the quantile u ** (1 / N) of it at a uniform u.
    shares = np.clip(draws.random(count) ** (1.0 / of), 1e-12, 1.0 - 1e-12)
    return np.array([_NORMAL.inv_cdf(share) for share in shares.tolist()])


def block_length(series: Sequence[Floats]) -> float:
    """Mean block for the stationary bootstrap of series that are drawn together: the longest of their own.

    Each series' own is the automatic choice of Politis and White (2004) as corrected by Patton, Politis and White
    (2009); `n ** (1 / 3)` where that is undefined, since nothing varies. At least 1.
    """
    own = ((automatic_block_length(values), values.size) for values in series)
    return max(1.0, *(n ** (1.0 / 3.0) if chosen is None else chosen for chosen, n in own))


def automatic_block_length(values: Floats) -> float | None:
    """The same number as `arch.bootstrap.optimal_block_length(values)["stationary"]`, without that package.

    `(G / S)^(2/3) n^(1/3)`, at most `min(3 sqrt(n), n / 3)`: S sums the autocovariances and G their products with the
    lag, under flat-top weights that reach zero at twice the first lag from which on `max(5, log10 n)` autocorrelations
    in a row are insignificant. None for fewer than eight values, where `arch` fails, or where they do not vary.
    """
    n = values.size
    if n < 8 or float(np.ptp(values)) == 0.0:
        return None
    off = values - values.mean()
    run = max(5, int(math.log10(n)))
    last = math.ceil(math.sqrt(n)) + run
    # Only the first lags are wanted; a product for each is quicker than a transform of the whole series.
    products = np.array([float(off[lag:] @ off[: n - lag]) for lag in range(last + 1)])
    # An autocorrelation refers to the values that overlap, not to all: with short series that makes a difference.
    after = np.array([float(off[lag + 1 :] @ off[lag + 1 :]) for lag in range(last + 1)])
    before = np.array([float(off[: max(n - lag - 1, 0)] @ off[: max(n - lag - 1, 0)]) for lag in range(last + 1)])
    insignificant = np.abs(products) < 2.0 * math.sqrt(math.log10(n) / n) * np.sqrt(after * before)
    first = next((lag for lag in range(last - run + 1) if insignificant[lag : lag + run].all()), last)
    lags = min(2 * max(first, 1), last)
    share = np.arange(1, lags + 1) / lags
    weights = np.where(share <= 0.5, 1.0, 2.0 * (1.0 - share))
    covariance = products / n
    spectrum = covariance[0] + 2.0 * float(weights @ covariance[1 : lags + 1])
    slope = 2.0 * float((weights * np.arange(1, lags + 1)) @ covariance[1 : lags + 1])
    if spectrum == 0.0:
        return None
    return min(math.cbrt(slope**2 / spectrum**2 * n), math.ceil(min(3.0 * math.sqrt(n), n / 3.0)))
