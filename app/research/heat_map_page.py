"""heat_map.html: the heat map of a study as one page of HTML and CSS, for a browser without a network.

The rule: text and colour say the same, and the colour scale is symmetric to neither good nor bad: it runs from the
worst cell to the best. It computes no figure.
"""

from html import escape

from app.research.landscape import HeatMap

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 2rem; color: #1c1c1c; background: #fff; }}
table {{ border-collapse: collapse; }} th, td {{ padding: .4rem .7rem; text-align: right; }}
td {{ border: 1px solid #fff; }} td.best {{ outline: 3px solid #1c1c1c; outline-offset: -3px; font-weight: 700; }}
td small {{ display: block; opacity: .7; }} td.none {{ background: #f1f1f1; color: #777; }}
</style></head><body><h1>{title}</h1>
<p>{rows} down, {columns} across. A cell is the mean of its trials, and their number; the frame is around the best.</p>
<table><tr><th>{rows} \\ {columns}</th>{header}</tr>
{body}
</table></body></html>
"""


def heat_map_page(found: HeatMap, figure: str) -> str:
    """The whole page."""
    known = [cell for line in found.cells for cell in line if cell is not None]
    low, high = min(known), max(known)
    lines = []
    for i, (label, line) in enumerate(zip(found.row_labels, found.cells, strict=True)):
        cells = "".join(
            _cell(cell, found.counts[i][j], low, high, is_best=(i, j) == found.best) for j, cell in enumerate(line)
        )
        lines.append(f"<tr><th>{escape(label)}</th>{cells}</tr>")
    return _PAGE.format(
        title=escape(f"Mean {figure} by {found.rows} and {found.columns}"),
        rows=escape(found.rows),
        columns=escape(found.columns),
        header="".join(f"<th>{escape(label)}</th>" for label in found.column_labels),
        body="\n".join(lines),
    )


def _cell(value: float | None, count: int, low: float, high: float, *, is_best: bool) -> str:
    if value is None:
        return '<td class="none">n/a</td>'
    share = 0.5 if high == low else (value - low) / (high - low)
    # From a pale yellow to a deep blue: brightness alone carries it, for eyes that see no colours.
    colour = f"hsl({60 + 160 * share:.0f} 70% {94 - 56 * share:.0f}%)"
    ink = "#fff" if share > 0.55 else "#1c1c1c"
    mark = ' class="best"' if is_best else ""
    return f'<td{mark} style="background:{colour};color:{ink}">{value:.4g}<small>{count}</small></td>'
