"""A page with one picture of equity, in HTML and SVG: the account of a walk-forward, or the fan of a Monte Carlo.

The rule: it opens without a network, in light and in dark, and every text that came from outside is escaped. It draws
the numbers that it is given and computes none of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT = 1_000, 340, 80
_MARKS = 5

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem; max-width: 70rem; }}
svg {{ width: 100%; height: auto; }} svg text {{ font-size: 13px; fill: currentColor; }}
.line {{ fill: none; stroke: #2a6fdb; stroke-width: 2; }} .band {{ fill: #2a6fdb; opacity: .18; }}
.rule {{ stroke: currentColor; opacity: .2; }} pre {{ overflow-x: auto; }}
</style></head><body><h1>{title}</h1>
{pictures}
<pre>{text}</pre></body></html>
"""


@dataclass(frozen=True)
class Picture:
    """`x` rises; `line` and each band (low, high) have a value for each x; `rules` are x at which a part begins."""

    title: str
    x: Sequence[float]
    line: Sequence[float]
    bands: Sequence[tuple[Sequence[float], Sequence[float]]] = ()
    rules: Sequence[float] = ()
    x_labels: tuple[str, str] = ("", "")


def curve_page(title: str, pictures: Sequence[Picture], text: str) -> str:
    """The whole page; `text` is shown as it is, under the pictures."""
    drawn = "\n".join(f"<h2>{escape(one.title)}</h2>\n{_svg(one)}" for one in pictures)
    return _PAGE.format(title=escape(title), pictures=drawn, text=escape(text))


def _svg(picture: Picture) -> str:
    values = [*picture.line, *(value for band in picture.bands for side in band for value in side)]
    low, high = min(values), max(values)
    margin = 0.05 * (high - low) or 0.01 * abs(high) or 1.0
    low, high = low - margin, high + margin
    first, last = picture.x[0], picture.x[-1]

    def across(x: float) -> float:
        return LEFT + (WIDTH - LEFT) * ((x - first) / (last - first) if last > first else 0.5)

    def down(value: float) -> float:
        return HEIGHT * (high - value) / (high - low)

    def points(xs: Sequence[float], line: Sequence[float]) -> str:
        return " ".join(f"{across(x):.1f},{down(value):.1f}" for x, value in zip(xs, line, strict=True))

    parts = []
    for i in range(_MARKS):
        value = low + (high - low) * (i + 0.5) / _MARKS
        parts.append(f'<line class="rule" x1="{LEFT}" x2="{WIDTH}" y1="{down(value):.1f}" y2="{down(value):.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{down(value) + 4:.1f}" text-anchor="end">{value:,.0f}</text>')
    for x in picture.rules:
        parts.append(f'<line class="rule" x1="{across(x):.1f}" x2="{across(x):.1f}" y1="0" y2="{HEIGHT}"/>')
    for lower, upper in picture.bands:
        backwards = points(list(reversed(picture.x)), list(reversed(lower)))
        parts.append(f'<polygon class="band" points="{points(picture.x, upper)} {backwards}"/>')
    parts.append(f'<polyline class="line" points="{points(picture.x, picture.line)}"/>')
    for x, anchor, label in zip((LEFT, WIDTH), ("start", "end"), picture.x_labels, strict=True):
        parts.append(f'<text x="{x}" y="{HEIGHT + 18}" text-anchor="{anchor}">{escape(label)}</text>')
    box = f"0 0 {WIDTH} {HEIGHT + 24}"
    return f'<svg viewBox="{box}" role="img" aria-label="{escape(picture.title)}">{"".join(parts)}</svg>'
