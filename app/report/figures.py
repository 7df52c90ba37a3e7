"""Small pictures as SVG of a run's trades: how their results are spread, how far each went against and for it.

Colours are the page's CSS variables, exact numbers are in titles, so they are themed, printed and read without a
script. Pure functions from numbers to markup; every text in it is a number.
"""

from collections.abc import Sequence

import numpy as np

from app.runs.quotients import Floats, quantile
from app.runs.trade_read import TradeTable

_WIDTH, _HEIGHT = 560, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 10, 28
_BARS = 31
_DOTS_MAX = 1_500
_CUT = 0.99  # beyond this quantile the few widest would press the others into a corner


def histogram(numbers: Floats, unit: str) -> str | None:
    """Numbers of trades by net result; the outermost bars hold all that lies beyond them. None without a trade."""
    if not len(numbers):
        return None
    reach = quantile(np.sort(np.abs(numbers)), _CUT) or 1.0
    edges = np.linspace(-reach, reach, _BARS)  # zero is an edge
    below = np.sort(numbers).searchsorted(edges[1:-1])
    counts = np.diff(np.concatenate(([0], below, [len(numbers)])))
    x, y = _axis(edges[0], edges[-1], _LEFT, _WIDTH - _RIGHT), _axis(0, counts.max(), _HEIGHT - _BOTTOM, _TOP)
    bars = []
    for count, begin, end in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        kind = "good" if begin >= 0.0 else "bad"
        top = y(count)
        bars.append(
            f'<rect class="{kind}" x="{x(begin) + 0.5:.1f}" y="{top:.1f}" width="{x(end) - x(begin) - 1:.1f}" '
            f'height="{_HEIGHT - _BOTTOM - top:.1f}"><title>{count:,} trades from {begin:,.2f} to {end:,.2f} {unit}'
            "</title></rect>"
        )
    average = float(numbers.mean())
    mean_x = x(min(max(average, edges[0]), edges[-1]))
    bars.append(
        f'<line class="mean" x1="{mean_x:.1f}" x2="{mean_x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}">'
        f"<title>mean {average:,.3f} {unit}</title></line>"
    )
    ticks = _x_ticks(np.linspace(edges[0], edges[-1], 5).tolist(), x) + _y_ticks(_round_counts(int(counts.max())), y)
    return _svg(f"Trades by net result, {unit}", ticks + bars)


def scatter(trades: TradeTable) -> tuple[str | None, str]:
    """MAE across, MFE up, in R if most trades have one, else in currency; and a note on what is drawn."""
    risk, pnl, mae, mfe = trades.risk, trades.pnl, trades.mae, trades.mfe
    in_r = bool(2 * np.isfinite(risk).sum() > len(trades))
    if in_r:
        mae, mfe = mae / risk, mfe / risk
    known = np.flatnonzero(np.isfinite(pnl) & np.isfinite(mae) & np.isfinite(mfe))
    if not len(known):
        return None, ""
    unit = "R" if in_r else "currency"
    shown = known[:: -(-len(known) // _DOTS_MAX)]
    reach_x, reach_y = (quantile(np.sort(values[known]), _CUT) * 1.05 or 1.0 for values in (mae, mfe))
    x, y = _axis(0, reach_x, _LEFT, _WIDTH - _RIGHT), _axis(0, reach_y, _HEIGHT - _BOTTOM, _TOP)
    columns = (column[shown].tolist() for column in (trades.entry.trade_id, mae, mfe, pnl))
    dots = [
        f'<circle class="{"good" if gained > 0 else "bad"}" r="2.2" cx="{x(min(against, reach_x)):.1f}" '
        f'cy="{y(min(favour, reach_y)):.1f}"><title>#{trade_id}: MAE {against:,.2f}, MFE {favour:,.2f} {unit}, '
        f"PnL {gained:+,.2f}</title></circle>"
        for trade_id, against, favour, gained in zip(*columns, strict=True)
    ]
    ticks = _x_ticks(np.linspace(0, reach_x, 5).tolist(), x) + _y_ticks(np.linspace(0, reach_y, 4).tolist(), y)
    note = f"In {unit}; the widest 1 % lie on the edge."
    without = int(np.isfinite(pnl).sum()) - len(known)
    if without:
        note += f" Without such a value: {without:,} ({'filled beyond their stop' if in_r else 'an older log'})."
    if len(shown) < len(known):
        note += f" {len(shown):,} of {len(known):,} trades are drawn, evenly chosen."
    return _svg(f"MAE and MFE of each trade, {unit}", ticks + dots), note


class _Axis:
    def __init__(self, low: float, high: float, begin: float, end: float) -> None:
        self._low, self._begin = low, begin
        self._scale = (end - begin) / ((high - low) or 1.0)

    def __call__(self, value: float) -> float:
        return self._begin + (value - self._low) * self._scale


def _axis(low: float, high: float, begin: float, end: float) -> _Axis:
    return _Axis(float(low), float(high), begin, end)


def _round_counts(most: int) -> list[float]:
    return sorted({0.0, float(most // 2), float(most)})


def _x_ticks(values: Sequence[float], x: _Axis) -> list[str]:
    return [
        f'<line class="grid" x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>'
        f'<text x="{x(value):.1f}" y="{_HEIGHT - 10}" text-anchor="{_anchor(number, len(values))}">'
        f"{_short(value)}</text>"
        for number, value in enumerate(values)
    ]


def _anchor(number: int, count: int) -> str:
    return "start" if number == 0 else "end" if number == count - 1 else "middle"


def _y_ticks(values: Sequence[float], y: _Axis) -> list[str]:
    return [
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{_short(value)}</text>'
        for value in values
    ]


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.1f}"


def _svg(title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg class="figure" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}">{"".join(parts)}</svg>'
    )
