"""Ratios of return to risk, from the daily equity: Sharpe, Sortino, Calmar, Omega, CAGR, VaR and the like.

Definitions are PEERS', else the field's; docs/metrics.md has one line and a source for each. Fewer than thirty days:
None for everything that speaks of a year or of a distribution. Undefined is None. Pure functions.
"""

import math

import numpy as np

from app.runs.daily import EquityPath
from app.runs.quotients import Floats, defined, mean, quantile, ratio, spread
from app.times import DAY_MS

DAYS_NEEDED = 30
_YEAR_DAYS = 365  # of daily returns: crypto trades every day
_CALENDAR_YEAR_DAYS = 365.25
_TAIL = 0.05


def risk_ratios(path: EquityPath) -> dict[str, float | None]:
    """The metrics of a run's equity by name; `*_pct` are percent, VaR and CVaR are losses as positive numbers."""
    returns = path.returns
    enough = path.days >= DAYS_NEEDED
    yearly = returns if enough else None
    growth = cagr(path) if enough else None
    return {
        "days": path.days,
        "cagr_pct": _pct(growth),
        "sharpe": None if yearly is None else sharpe(yearly),
        "sortino": None if yearly is None else sortino(yearly),
        "calmar": None if growth is None else ratio(growth, path.max_drawdown),
        "omega": None if yearly is None else omega(yearly),
        "volatility_pct": None if yearly is None else _pct(volatility(yearly)),
        "var_95_pct": None if yearly is None else _pct(value_at_risk(yearly)),
        "cvar_95_pct": None if yearly is None else _pct(conditional_value_at_risk(yearly)),
        "skew": None if yearly is None else skew(yearly),
        "kurtosis": None if yearly is None else kurtosis(yearly),
        "ulcer_index": ulcer_index(path.marks),
        "time_under_water_pct": _pct(ratio(path.under_water_ms, path.duration_ms)),
        "longest_drawdown_days": path.longest_drawdown_ms / DAY_MS,
        "best_day_pct": None if returns is None or not returns.size else _pct(defined(returns.max())),
        "worst_day_pct": None if returns is None or not returns.size else _pct(defined(returns.min())),
    }


def cagr(path: EquityPath) -> float | None:
    """`(end / start) ** (365.25 / days) - 1`; None for a run without duration or with nothing left."""
    grown = ratio(path.marks[-1], path.marks[0])
    if grown is None or grown <= 0.0 or path.days <= 0.0:
        return None
    try:
        return defined(math.pow(grown, _CALENDAR_YEAR_DAYS / path.days) - 1.0)
    except OverflowError:
        return None


def sharpe(returns: Floats) -> float | None:
    """`mean / std(ddof 1) * sqrt(365)`, risk-free rate 0 (Sharpe 1994)."""
    deviation = spread(returns)
    return None if deviation is None else defined(returns.mean() / deviation * math.sqrt(_YEAR_DAYS))


def sortino(returns: Floats) -> float | None:
    """`mean / sqrt(sum(min(r, 0)^2) / N) * sqrt(365)`, over all N days (Sortino and Price 1994, target 0)."""
    if not returns.size:
        return None
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    average = ratio(returns.mean(), downside)
    return None if average is None else average * math.sqrt(_YEAR_DAYS)


def omega(returns: Floats) -> float | None:
    """`sum(max(r, 0)) / sum(max(-r, 0))`, threshold 0 (Keating and Shadwick 2002); None without a losing day."""
    return ratio(np.maximum(returns, 0.0).sum(), np.maximum(-returns, 0.0).sum())


def volatility(returns: Floats) -> float | None:
    """`std(ddof 1) * sqrt(365)`, a fraction a year; 0 where the returns do not differ."""
    if returns.size < 2:
        return None
    return (spread(returns) or 0.0) * math.sqrt(_YEAR_DAYS)


def value_at_risk(returns: Floats) -> float | None:
    """Historical, one day, 95 %: minus the 5 % quantile of the returns, so a loss is positive."""
    return defined(-quantile(np.sort(returns), _TAIL)) if returns.size else None


def conditional_value_at_risk(returns: Floats) -> float | None:
    """Expected shortfall: minus the mean of the worst `floor((N - 1) * 0.05) + 1` returns (Rockafellar 2000)."""
    if not returns.size:
        return None
    worst = int((returns.size - 1) * _TAIL) + 1
    return defined(-np.partition(returns, worst - 1)[:worst].mean())


def skew(returns: Floats) -> float | None:
    """Of a sample, bias corrected: G1 of Joanes and Gill 1998."""
    n = returns.size
    if n < 3 or spread(returns) is None:
        return None
    off = returns - returns.mean()
    return defined(math.sqrt(n * (n - 1)) / (n - 2) * np.mean(off**3) / np.mean(off**2) ** 1.5)


def kurtosis(returns: Floats) -> float | None:
    """In excess of the normal distribution's, of a sample, bias corrected: G2 of Joanes and Gill 1998."""
    n = returns.size
    if n < 4 or spread(returns) is None:
        return None
    off = returns - returns.mean()
    excess = np.mean(off**4) / np.mean(off**2) ** 2 - 3.0
    return defined((n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * excess + 6.0))


def ulcer_index(marks: Floats) -> float | None:
    """`sqrt(mean(D^2))`, D the drawdown of each daily mark after the first, in percent (Martin and McCann 1989)."""
    if marks.size < 2:
        return None
    drawdowns = 100.0 * (1.0 - marks / np.maximum.accumulate(marks))
    squares = mean(drawdowns[1:] ** 2)
    return None if squares is None else math.sqrt(squares)


def monthly(path: EquityPath) -> list[dict[str, str | float | None]]:
    """Return and profit of each UTC calendar month of the run; the first and the last may be parts of one."""
    months = (path.times_ms[1:] - 1).astype("datetime64[ms]").astype("datetime64[M]")
    ends = np.flatnonzero(np.append(months[1:] != months[:-1], [True])[: months.size])
    table: list[dict[str, str | float | None]] = []
    before = path.marks[0]
    for end in ends:
        after = path.marks[1 + end]
        earned = _pct(ratio(after - before, before)) if before > 0.0 else None
        table.append({"month": str(months[end]), "return_pct": earned, "pnl": float(after - before)})
        before = after
    return table


def _pct(fraction: float | None) -> float | None:
    return None if fraction is None else 100.0 * fraction
