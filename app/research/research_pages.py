"""The pages that research writes: heat_map.html, walk_forward.html and monte_carlo.html.

Each is one file that opens without a network, in light and in dark. Every text that came from outside is escaped, and
no path and no time of day is in a page, so equal answers give equal pages.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from arro3.io import read_parquet

from app.research.landscape import HeatMap
from app.times import parse_time_ms, short_time

POINTS = 1_500
WIDTH, HEIGHT, LEFT = 1_000, 340, 80
_MARKS = 5
Content = Mapping[str, Any]

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem; max-width: 70rem; }}
svg {{ width: 100%; height: auto; }} svg text {{ font-size: 13px; fill: currentColor; }}
.line {{ fill: none; stroke: #2a6fdb; stroke-width: 2; }} .band {{ fill: #2a6fdb; opacity: .18; }}
.rule {{ stroke: currentColor; opacity: .2; }} pre {{ overflow-x: auto; }}
table {{ border-collapse: collapse; }} th, td {{ padding: .4rem .7rem; text-align: right; }}
td.best {{ outline: 3px solid currentColor; outline-offset: -3px; font-weight: 700; }}
td small {{ display: block; opacity: .7; }} td.none {{ opacity: .6; }}
</style></head><body><h1>{title}</h1>
{body}</body></html>
"""


def heat_map_page(found: HeatMap, figure: str) -> str:
    """The heat map of a study as a table; the colours run from the worst cell to the best."""
    known = [cell for line in found.cells for cell in line if cell is not None]
    low, high = min(known), max(known)
    rows, columns = escape(found.rows), escape(found.columns)
    header = "".join(f"<th>{escape(label)}</th>" for label in found.column_labels)
    lines = [
        f"<p>{rows} down, {columns} across. A cell is the mean of its trials, and their number; the frame is around the"
        f" best.</p>\n<table><tr><th>{rows} \\ {columns}</th>{header}</tr>"
    ]
    for i, (label, line) in enumerate(zip(found.row_labels, found.cells, strict=True)):
        cells = "".join(
            _cell(cell, found.counts[i][j], low, high, is_best=(i, j) == found.best) for j, cell in enumerate(line)
        )
        lines.append(f"<tr><th>{escape(label)}</th>{cells}</tr>")
    title = escape(f"Mean {figure} by {found.rows} and {found.columns}")
    return _PAGE.format(title=title, body="\n".join([*lines, "</table>"]))


def _cell(value: float | None, count: int, low: float, high: float, *, is_best: bool) -> str:
    if value is None:
        return '<td class="none">n/a</td>'
    share = 0.5 if high == low else (value - low) / (high - low)
    # From a pale yellow to a deep blue: brightness alone carries it, for eyes that see no colours.
    colour = f"hsl({60 + 160 * share:.0f} 70% {94 - 56 * share:.0f}%)"
    ink = "#fff" if share > 0.55 else "#1c1c1c"
    mark = ' class="best"' if is_best else ""
    return f'<td{mark} style="background:{colour};color:{ink}">{value:.4g}<small>{count}</small></td>'


def walk_page(found: Content, folder: Path, lines: Iterable[str]) -> str:
    """The account of a walk-forward; a rule where a window begins. `folder` holds its equity."""
    starts_ms = [float(parse_time_ms(block["out_of_sample"]["start"])) for block in found["windows"]]
    x, line = [starts_ms[0]], [float(found["performance"]["starting_balance"])]
    for time_ms, equity in _points(folder / found["files"]["equity"]):
        x.append(time_ms)
        line.append(equity)
    labels = short_time(int(x[0])), short_time(int(x[-1]))
    picture = Picture("Equity out of sample, one account", x, line, rules=starts_ms[1:], x_labels=labels)
    return curve_page("Walk-forward", [picture], "\n".join(lines))


def _points(path: Path) -> Iterator[tuple[float, float]]:
    """Times and equity of at most so many rows, first and last among them; the file is read block by block."""
    rows = sum(batch.num_rows for batch in read_parquet(path))
    shown = np.unique(np.linspace(0, rows - 1, min(rows, POINTS)).round().astype(np.int64))
    begin = 0
    for batch in read_parquet(path):
        end = begin + batch.num_rows
        own = shown[(begin <= shown) & (shown < end)] - begin
        columns = (batch[name].to_numpy()[own].astype(float).tolist() for name in ("timestamp_ms", "equity"))
        yield from zip(*columns, strict=True)
        begin = end


def monte_carlo_page(found: Content, lines: Iterable[str]) -> str:
    """A fan for each method that has one: 5 to 95 % and 25 to 75 % of the paths, the line is the run itself."""
    pictures = []
    for name, answer in found["methods"].items():
        fan = answer.get("fan")
        if fan is not None:
            bands = [(fan["p5"], fan["p95"]), (fan["p25"], fan["p75"])]
            title = f"{name}: equity by {answer['unit']}, the run and 50 and 90 % of {answer['runs']:,} paths"
            labels = ("start", f"{fan['step'][-1]:,} {answer['unit']}s")
            pictures.append(Picture(title, fan["step"], fan["observed"], bands, x_labels=labels))
    return curve_page("Monte Carlo", pictures, "\n".join(lines))


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
    return _PAGE.format(title=escape(title), body=f"{drawn}\n<pre>{escape(text)}</pre>")


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
