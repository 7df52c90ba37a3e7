"""The band that equity should stay in over the days to come, if a strategy is as good as its backtest honestly says.

Three things make it wider or lower than a plain bootstrap: mean and deviation of a short backtest are uncertain, the
best of many trials looks better than it is, and restless days come in clusters. Pure functions of daily returns; see
docs/expectation.md.
"""

from dataclasses import dataclass

import numpy as np

from app.errors import DataError
from app.research.bootstrap import block_length, draws_of, largest_normals, stationary_indices
from app.runs.quotients import Floats

DAYS_MIN = 60
PATHS = 4_000
BELOW, ABOVE = 0.04, 0.01  # how often equity leaves the floor, or the ceiling, by chance within the whole horizon
_SHARES = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Band:
    """Growth since the start at the end of each day, 1.0 first: arrays of `days + 1`.

    `low` to `high` holds 90 % of paths on each day by itself, `mid` half of them on each side. `floor` and `ceiling`
    are left by at most 5 % of paths on any day of all (4 % below, 1 % above): the rule of the alarm. `drawdown`: what
    the largest drawdown up to each day is below in 95 %, a fraction.
    """

    low: Floats
    mid: Floats
    high: Floats
    floor: Floats
    ceiling: Floats
    drawdown: Floats


def expected_band(returns: Floats, trials: int, days: int, *, paths: int = PATHS, seed: int = 1) -> Band:
    """Of daily returns (fractions) that were the best of `trials`; DataError for fewer than sixty or none that vary."""
    growth = growth_paths(returns, trials, days, paths=paths, seed=seed)
    low, mid, high = np.quantile(growth, _SHARES, axis=0)
    peaks = np.maximum.accumulate(growth, axis=1)
    drawdown = np.quantile(np.maximum.accumulate(1.0 - growth / peaks, axis=1), 0.95, axis=0)
    return Band(low, mid, high, _left_by(growth, BELOW), -_left_by(-growth, ABOVE), drawdown)


def growth_paths(returns: Floats, trials: int, days: int, *, paths: int = PATHS, seed: int = 1) -> Floats:
    """A row a path, `days + 1` columns, 1.0 first: draws of what may come, the mean's own uncertainty among it.

    Log returns of a path are blocks of the backtest's, with a deviation of its own (as far off as that of so many days
    may be), about a mean of its own: what was observed, less the error that the best of `trials` makes. That error is
    the standard error of the mean times the largest of `trials` standard normal draws, whose expectation is that of
    the deflated Sharpe ratio (Bailey and Lopez de Prado 2014, equation 1).
    """
    if returns.size < DAYS_MIN:
        raise DataError(f"a band needs {DAYS_MIN} days of returns, these are {returns.size}")
    if float(returns.min()) <= -1.0 or float(np.ptp(returns)) == 0.0:
        raise DataError("a band needs daily returns that vary, and none that loses everything")
    logs = np.log1p(returns)
    off = logs - logs.mean()
    block = block_length([logs, off**2])  # long enough for clusters of restless days
    draws = draws_of(seed)
    error = standard_error(logs, block)
    luck = largest_normals(draws, paths, trials)
    means = logs.mean() - error * luck
    doubt = standard_error(off**2, block) / float(np.mean(off**2)) / 2.0  # of the logarithm of the deviation
    scales = np.sqrt(logs.size / (logs.size - 1.0)) * np.exp(doubt * draws.standard_normal(paths))
    places = stationary_indices(draws, logs.size, paths * days, block).reshape(paths, days)
    summed = np.cumsum(off[places] * scales[:, None] + means[:, None], axis=1)
    growth: Floats = np.exp(np.concatenate((np.zeros((paths, 1)), summed), axis=1))
    return growth


def standard_error(values: Floats, mean_block: float) -> float:
    """Of the mean of a series whose values hang together, as the stationary bootstrap has it, without drawing.

    Politis and Romano (1994), lemma 1: circular autocovariances, weighted by the chance that a block spans the lag;
    the divisor `n - 1` for the variance, and no less than half of what independent values had.
    """
    n = values.size
    off = values - values.mean()
    covariance = np.fft.irfft(np.abs(np.fft.rfft(off)) ** 2, n) / n
    goes_on = 1.0 - 1.0 / mean_block
    lags = np.arange(1, n)
    weights = (1.0 - lags / n) * goes_on**lags + lags / n * goes_on ** (n - lags)
    independent = float(covariance[0]) / (n - 1)
    variance = (float(covariance[0]) + 2.0 * float(weights @ covariance[1:])) / (n - 1)
    return float(np.sqrt(max(variance, independent / 2.0)))


def _left_by(growth: Floats, share: float) -> Floats:
    """The lower bound of which `share` of the paths are below at least once; as far out on each day as on any other."""
    paths = len(growth)
    ranks = np.argsort(np.argsort(growth[:, 1:], axis=0, kind="stable"), axis=0, kind="stable")
    place = min(int(np.quantile(ranks.min(axis=1), share)), paths - 1)
    return np.concatenate((growth[:1, 0], np.sort(growth[:, 1:], axis=0)[place]))
