"""Seeded draws for Monte Carlo: orders, and the stationary bootstrap of Politis and Romano (1994).

The rule: every path has a generator of its own, made of the seed, the method and the path's number, so it is the same
path whichever process draws it and however many are drawn. Nothing else in app/research draws for Monte Carlo.
"""

import math
from collections.abc import Sequence

import numpy as np

from app.runs.quotients import Floats, Ints

Draws = np.random.Generator


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


def block_length(series: Sequence[Floats]) -> float:
    """Mean block for the stationary bootstrap of series that are drawn together: the longest of their own.

    Each series' own is the automatic choice of Politis and White (2004) as corrected by Patton, Politis and White
    (2009); `n ** (1 / 3)` where that is undefined, since nothing varies. At least 1.
    """
    return max((_own_block_length(values) for values in series), default=1.0)


def _own_block_length(values: Floats) -> float:
    n = values.size
    chosen = automatic_block_length(values)
    return max(1.0, n ** (1.0 / 3.0) if chosen is None else chosen)


def automatic_block_length(values: Floats) -> float | None:
    """`(2 G^2 / D)^(1/3) n^(1/3)`, D = 2 g(0)^2, with flat-top weights up to twice the last lag that matters.

    The last lag that matters is, as in the authors' own code, the first of `max(5, log10 n)` insignificant ones in a
    row. At most `min(3 sqrt(n), n / 3)`. None for fewer than nine values, or where they do not vary.
    """
    n = values.size
    if n < 9 or float(np.ptp(values)) == 0.0:
        return None
    off = values - values.mean()
    run = max(5, int(math.log10(n)))
    lags_max = min(math.ceil(math.sqrt(n)) + run, n - 2)
    # Only the first lags are wanted; a product for each is quicker than a transform of the whole series.
    covariance = np.array([float(off[lag:] @ off[: n - lag]) / n for lag in range(lags_max + 1)])
    if covariance[0] <= 0.0:
        return None
    relevant = _last_relevant_lag(covariance / covariance[0], n, run)
    lags = min(2 * relevant, lags_max)
    share = np.arange(1, lags + 1) / lags
    weights = np.where(share <= 0.5, 1.0, 2.0 * (1.0 - share))
    own = covariance[1 : lags + 1]
    spectrum = covariance[0] + 2.0 * float(weights @ own)
    slope = 2.0 * float((weights * np.arange(1, lags + 1)) @ own)
    if spectrum == 0.0:
        return None
    length = math.cbrt(slope**2 / spectrum**2 * n)
    return min(length, math.ceil(min(3.0 * math.sqrt(n), n / 3.0)))


def _last_relevant_lag(correlation: Floats, n: int, run: int) -> int:
    insignificant = np.abs(correlation[1:]) < 2.0 * math.sqrt(math.log10(n) / n)
    for lag in range(len(insignificant) - run + 1):
        if insignificant[lag : lag + run].all():
            return lag + 1
    significant = np.flatnonzero(~insignificant)
    return int(significant[-1]) + 1
