"""Lines of the page: equity with its drawdown in as many points as a screen shows, and the rolling Sharpe ratio.

The rule: of each stretch its lowest, its highest, its deepest and its last row are kept, so no peak or trough is lost;
the figures are those of the metrics' own functions.
"""

from dataclasses import dataclass

import numpy as np

from app.runs.daily import EquityScan
from app.runs.ratios import DAYS_NEEDED, sharpe
from app.runs.run_read import EquityCurve

_STRETCHES = 900


@dataclass(frozen=True)
class EquityLine:
    """Times in ms, equity in quote currency, drawdown in percent as a number at or below zero."""

    times_ms: list[int]
    equity: list[float]
    drawdown_pct: list[float]


@dataclass(frozen=True)
class SharpeLine:
    """A value a day, each over the thirty days before it; a day on which it is undefined is left out."""

    times_ms: list[int]
    values: list[float]


def equity_line(curve: EquityCurve, starting_balance: float) -> EquityLine:
    """Thinned to what a chart can show; the starting balance is the first peak."""
    equity = curve.equity
    peaks = np.maximum(np.maximum.accumulate(equity), starting_balance)
    drawdown = -100.0 * (1.0 - equity / peaks)
    chosen = _extremes(equity, drawdown)
    return EquityLine(
        curve.times_ms[chosen].tolist(), np.round(equity[chosen], 4).tolist(), np.round(drawdown[chosen], 4).tolist()
    )


def sharpe_line(curve: EquityCurve, starting_balance: float, start_ms: int) -> SharpeLine:
    """Rolling, annualised, risk-free rate 0; empty for a run under thirty days or whose equity reached zero."""
    scan = EquityScan(starting_balance, start_ms)
    scan.add(curve.times_ms, curve.equity)
    path = scan.path()
    returns = path.returns
    line = SharpeLine([], [])
    if returns is None:
        return line
    for end in range(DAYS_NEEDED, len(returns) + 1):
        value = sharpe(returns[end - DAYS_NEEDED : end])
        if value is not None:
            line.times_ms.append(int(path.times_ms[end]))
            line.values.append(round(value, 4))
    return line


def _extremes(equity: "np.ndarray", drawdown: "np.ndarray") -> "np.ndarray":
    count = len(equity)
    if count <= 4 * _STRETCHES:
        return np.arange(count)
    edges = np.linspace(0, count, _STRETCHES + 1).astype(np.int64)
    kept = {0, count - 1}
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = equity[begin:end]
        kept.update((begin + int(part.argmin()), begin + int(part.argmax()), end - 1))
        kept.add(begin + int(drawdown[begin:end].argmin()))
    return np.array(sorted(kept))
