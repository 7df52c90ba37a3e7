"""How much of a search's best is luck: the deflated Sharpe ratio, and the probability of backtest overfitting.

Sources: Bailey and Lopez de Prado, The Deflated Sharpe Ratio, Journal of Portfolio Management 40(5), 2014; Bailey,
Borwein, Lopez de Prado and Zhu, The Probability of Backtest Overfitting, Journal of Computational Finance, 2015.
Pure functions over daily returns; what cannot be said is None, with the reason.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

import numpy as np

from app.runs.quotients import Floats, spread
from app.runs.ratios import DAYS_NEEDED

_EULER = 0.5772156649015329
_NORMAL = NormalDist()
BLOCKS_MAX = 16  # 12,870 ways to halve them
_BLOCKS_MIN, _BLOCK_DAYS = 4, 5


@dataclass(frozen=True)
class DeflatedSharpe:
    """`probability` that the true Sharpe ratio is above 0, given that the best of `trials` was taken.

    `sharpe` and `expected_of_luck` (the best that `trials` of no skill would show) are per day, not annualised.
    """

    probability: float
    sharpe: float
    expected_of_luck: float
    trials: int
    days: int


@dataclass(frozen=True)
class Overfitting:
    """`probability`: how often the best of one half of the days is below the median of the trials in the other.

    `loss`: how often it even loses there. `blocks` of days, `splits` of them into halves.
    """

    probability: float
    loss: float
    blocks: int
    splits: int
    trials: int


def expected_best_sharpe(variance: float, trials: int) -> float:
    """Of the best of `trials` Sharpe ratios with mean 0 and this variance (equation 1 of the 2014 paper)."""
    if trials < 2:
        return 0.0
    one = _NORMAL.inv_cdf(1.0 - 1.0 / trials)
    other = _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return math.sqrt(variance) * ((1.0 - _EULER) * one + _EULER * other)


def probabilistic_sharpe(sharpe: float, benchmark: float, days: int, skew: float, kurtosis: float) -> float | None:
    """Probability that the true Sharpe ratio is above the benchmark; all per day, `kurtosis` 3 for the normal."""
    spread_of_estimate = 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    if spread_of_estimate <= 0.0 or days < 2:
        return None
    return _NORMAL.cdf((sharpe - benchmark) * math.sqrt(days - 1) / math.sqrt(spread_of_estimate))


def deflated_sharpe(best: Floats | None, others: Sequence[Floats | None]) -> DeflatedSharpe | str:
    """Of the best trial's daily returns among all trials' (`others` includes the best); else why there is none.

    The number of trials is taken as it is, although many are alike: the answer errs to the careful side.
    """
    if best is None or best.size < DAYS_NEEDED:
        return f"it needs {DAYS_NEEDED} days, these are {0 if best is None else best.size}"
    sharpe = daily_sharpe(best)
    tried = [ratio for returns in others if returns is not None and (ratio := daily_sharpe(returns)) is not None]
    if sharpe is None or len(tried) < 2:
        return "it needs two trials with returns that vary"
    expected = expected_best_sharpe(float(np.var(tried, ddof=1)), len(tried))
    off = best - best.mean()
    deviation = math.sqrt(float(np.mean(off**2)))
    skew, kurtosis = float(np.mean(off**3)) / deviation**3, float(np.mean(off**4)) / deviation**4
    probability = probabilistic_sharpe(sharpe, expected, best.size, skew, kurtosis)
    if probability is None:
        return "its returns are too skewed"
    return DeflatedSharpe(probability, sharpe, expected, len(tried), best.size)


def daily_sharpe(returns: Floats) -> float | None:
    """Mean over deviation (ddof 1), not annualised; None where the returns do not vary."""
    deviation = spread(returns)
    return None if deviation is None else float(returns.mean()) / deviation


def overfitting(trials: Sequence[Floats | None]) -> Overfitting | str:
    """Combinatorially symmetric cross-validation over the trials' daily returns; else why there is no answer.

    The days are cut into S even blocks (S as large as 16 and 5 days a block allow; days left over at the front are
    not used). For each choice of S/2 blocks the best trial by Sharpe ratio is looked up, and its rank in the others.
    A trial whose returns do not vary in a half has a ratio of 0 there: it earned nothing.
    """
    known = [returns for returns in trials if returns is not None and returns.size]
    days = min((returns.size for returns in known), default=0)
    blocks = min(BLOCKS_MAX, days // _BLOCK_DAYS) // 2 * 2
    if blocks < _BLOCKS_MIN:
        return f"it needs {_BLOCKS_MIN * _BLOCK_DAYS} days, these are {days}"
    table = [returns[-days:] for returns in known if spread(returns) is not None]
    if len(table) < 2:
        return "it needs two trials with returns that vary"
    return cross_validated(np.array(table).T, blocks)


def cross_validated(table: Floats, blocks: int) -> Overfitting:
    """CSCV of a table of returns, a row a day, a column a trial; `blocks` is even and at most the number of days."""
    days, trials = table.shape
    length = days // blocks
    cut = table[days - blocks * length :].reshape(blocks, length, trials)
    # Sums of a block are all that a half's Sharpe ratio needs.
    sums, squares = cut.sum(axis=1), (cut**2).sum(axis=1)
    total, total_squares = sums.sum(axis=0), squares.sum(axis=0)
    half_days = blocks // 2 * length
    below = lost = splits = 0
    for chosen in combinations(range(blocks), blocks // 2):
        picked = list(chosen)
        first, first_squares = sums[picked].sum(axis=0), squares[picked].sum(axis=0)
        seen = _sharpes(first, first_squares, half_days)
        unseen = _sharpes(total - first, total_squares - first_squares, half_days)
        best = int(np.argmax(seen))
        # The rank from the worst, ties in the middle: (below + (equal + 1) / 2) / (N + 1).
        own = unseen[best]
        rank = (np.count_nonzero(unseen < own) + (np.count_nonzero(unseen == own) + 1) / 2.0) / (trials + 1)
        below += bool(rank <= 0.5)
        lost += bool(own < 0.0)
        splits += 1
    return Overfitting(below / splits, lost / splits, blocks, splits, trials)


def _sharpes(sums: Floats, squares: Floats, days: int) -> Floats:
    variance = (squares - sums**2 / days) / max(days - 1, 1)
    noise = 1e-12 * squares / days
    varies = variance > noise
    ratios = np.zeros_like(sums)
    np.divide(sums / days, np.sqrt(np.where(varies, variance, 1.0)), out=ratios, where=varies)
    return ratios
