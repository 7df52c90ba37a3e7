"""Weights of strategies from their daily results: equal, by inverse volatility, by equal risk contributions.

Pure arithmetic whose sums are rounded once (fsum), so that every machine gives the same bytes.
"""

from collections.abc import Mapping, Sequence
from math import fsum, sqrt

from app.models.allocation import Method

_DAYS_NEEDED = 2  # with a result, or there is no telling how much a strategy moves
_SWEEPS = 2_000
_TOLERANCE = 1e-12
_NO_MOVE = 1e-9  # of the largest result: less is rounding
Matrix = Sequence[Sequence[float]]


def weights_of(
    method: Method, results: Mapping[str, Mapping[int, float]], days: Sequence[int]
) -> tuple[dict[str, float], str]:
    """A weight for each strategy, above 0, together 1, and how they were found.

    `results` are those of each strategy by day; a day without one counts as 0. A strategy without evidence has an equal
    share; the others divide what is left.
    """
    equal = 1.0 / len(results)
    if method is Method.EQUAL:
        return dict.fromkeys(results, equal), "equal shares"
    series = {name: [own.get(day, 0.0) for day in days] for name, own in results.items()}
    known = [name for name, own in results.items() if sum(day in own for day in days) >= _DAYS_NEEDED]
    covariances = {name: _covariance(series[name], series[name]) for name in known}
    known = [name for name in known if sqrt(covariances[name]) > _NO_MOVE * max(map(abs, series[name]))]
    if len(known) < 2:
        return dict.fromkeys(results, equal), f"equal shares: {_lacking(results, known)}"
    deviations = [sqrt(covariances[name]) for name in known]
    how, risks = method.value.replace("_", " "), [1.0] * len(known)
    if method is Method.RISK_PARITY:
        of_known = [series[name] for name in known]
        found = equal_risk_contributions(_correlations(of_known, deviations))
        if found is None:
            how = "inverse volatility, since no weights give equal risk contributions"
        else:
            risks = found
    shares = [risk / deviation for risk, deviation in zip(risks, deviations, strict=True)]
    whole, part = fsum(shares), len(known) * equal
    weights = dict.fromkeys(results, equal) | {
        name: part * share / whole for name, share in zip(known, shares, strict=True)
    }
    without = "" if len(known) == len(results) else f"; {_lacking(results, known)}"
    return weights, f"{how} over {len(days)} days{without}"


def equal_risk_contributions(correlations: Matrix) -> list[float] | None:
    """Positive x with `x[i] * (C x)[i] = 1` for every i, or None where this does not find any.

    Divided by the deviations they are risk parity weights. Cyclical coordinate descent, each step the root of a
    quadratic equation: Griveau-Billion, Richard, Roncalli, A Fast Algorithm for Computing High-dimensional Risk Parity
    Portfolios (2013, arXiv 1311.4057), here on correlations. There are none where strategies cancel out exactly.
    """
    found = [1.0] * len(correlations)
    for _ in range(_SWEEPS):
        for place, row in enumerate(correlations):
            others = fsum(of * x for other, (of, x) in enumerate(zip(row, found, strict=True)) if other != place)
            found[place] = 0.5 * (sqrt(others * others + 4.0) - others)
        risks = (x * fsum(map(float.__mul__, row, found)) for x, row in zip(found, correlations, strict=True))
        if all(abs(risk - 1.0) < _TOLERANCE for risk in risks):
            return found
    return None


def _correlations(series: Matrix, deviations: Sequence[float]) -> Matrix:
    return [
        [1.0 if a == b else _covariance(one, other) / (deviations[a] * deviations[b]) for b, other in enumerate(series)]
        for a, one in enumerate(series)
    ]


def _covariance(one: Sequence[float], other: Sequence[float]) -> float:
    mean, other_mean = fsum(one) / len(one), fsum(other) / len(other)
    products = fsum((a - mean) * (b - other_mean) for a, b in zip(one, other, strict=True))
    return products / (len(one) - 1)


def _lacking(results: Mapping[str, object], known: Sequence[str]) -> str:
    names = ", ".join(name for name in results if name not in known)
    return f"fewer than {_DAYS_NEEDED} days with a result, or all of them alike: {names}"
