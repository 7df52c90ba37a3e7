"""Lines of the page: equity with its drawdown in as many points as a screen shows, and the rolling Sharpe ratio.

Of each stretch its lowest, its highest, its deepest and its last row are kept, so no peak or trough is lost; the
figures are those of the metrics' own functions. The rows are read twice, block by block: to be counted, and to be
thinned.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from app.runs.daily import EquityScan
from app.runs.quotients import Floats, Ints
from app.runs.ratios import DAYS_NEEDED, sharpe
from app.runs.run_on_disk import EquityCurve

_STRETCHES = 900


class EquityLine(NamedTuple):
    """Times in ms, equity in quote currency, drawdown in percent as a number at or below zero."""

    times_ms: list[int]
    equity: list[float]
    drawdown_pct: list[float]


@dataclass(frozen=True)
class SharpeLine:
    """A value a day, each over the thirty days before it; a day on which it is undefined is left out."""

    times_ms: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


class CurveFacts(NamedTuple):
    """What one reading of the rows gives."""

    rows: int
    sharpe: SharpeLine


def curve_facts(curve: EquityCurve, starting_balance: float, start_ms: int) -> CurveFacts:
    """Sharpe ratios, annualised, risk-free rate 0; none for a run under thirty days or whose equity reached zero."""
    scan, rows = EquityScan(starting_balance, start_ms), 0
    for times_ms, equity in curve.blocks():
        scan.add(times_ms, equity)
        rows += len(times_ms)
    path, line = scan.path(), SharpeLine()
    returns = path.returns
    if returns is not None:
        for end in range(DAYS_NEEDED, len(returns) + 1):
            value = sharpe(returns[end - DAYS_NEEDED : end])
            if value is not None:
                line.times_ms.append(int(path.times_ms[end]))
                line.values.append(round(value, 4))
    return CurveFacts(rows, line)


def equity_line(curve: EquityCurve, starting_balance: float, rows: int) -> EquityLine:
    """Thinned to what a chart can show, of `rows` rows; the starting balance is the first peak."""
    every = rows <= 4 * _STRETCHES
    edges = np.arange(rows + 1) if every else np.linspace(0, rows, _STRETCHES + 1).astype(np.int64)
    line, peak, stretch = EquityLine([], [], []), starting_balance, 0
    rest: tuple[Ints, Floats, Floats] = (np.empty(0, np.int64), np.empty(0), np.empty(0))  # of a stretch that goes on
    for times_ms, equity in curve.blocks():
        peaks = np.maximum(np.maximum.accumulate(equity), peak)
        peak = float(peaks[-1])
        block = (times_ms, equity, -100.0 * (1.0 - equity / peaks))
        held_ms, held, drawdown = (np.concatenate(pair) for pair in zip(rest, block, strict=True))
        begin = int(edges[stretch])
        ended = int(edges.searchsorted(begin + len(held), side="right")) - 1
        own = edges[stretch : ended + 1] - begin  # those that end inside of what is held
        kept = np.arange(own[-1]) if every else _extremes(held, drawdown, own.tolist(), first=stretch == 0)
        line.times_ms.extend(held_ms[kept].tolist())
        line.equity.extend(np.round(held[kept], 4).tolist())
        line.drawdown_pct.extend(np.round(drawdown[kept], 4).tolist())
        rest, stretch = (held_ms[own[-1] :], held[own[-1] :], drawdown[own[-1] :]), ended
    return line


def _extremes(equity: Floats, drawdown: Floats, edges: list[int], *, first: bool) -> Ints:
    kept = {0} if first and len(edges) > 1 else set()
    for begin, end in pairwise(edges):
        part = equity[begin:end]
        kept.update((begin + int(part.argmin()), begin + int(part.argmax()), end - 1))
        kept.add(begin + int(drawdown[begin:end].argmin()))
    return np.array(sorted(kept), np.int64)
