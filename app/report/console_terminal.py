"""The blocks of the report laid out for a terminal's width, with rich: aligned, wrapped, coloured.

Words and figures are those of the plain text; gains are green, losses red, what nobody may miss bold red, in the
terminal's own colours, so that they can be read on light and dark. NO_COLOR is respected.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from app.report.console_blocks import LABEL_WIDTH, Block, Grid, Lines, Summary, Table, plain_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_COLUMNS_LEAST = 60  # narrower, a terminal wraps plain lines better than tables can be
_VALUE_WIDTH = 14
_PADDING = re.compile(r" +(?=(?:\x1b\[[0-9;]*m)*$)", re.MULTILINE)
# A figure is printed with its sign where the sign is what matters: what was gained or lost.
_GAIN, _LOSS = r"(?<!\S)\+(?=[\d,.]*[1-9])[\d,.]*\d", r"(?<!\S)-(?=[\d,.]*[1-9])[\d,.]*\d"


def terminal_text(blocks: Sequence[Block], console: "Console | None" = None) -> str:
    """The blocks as text with the terminal's codes; the console is standard output's unless one is given."""
    from rich.console import Console

    out = console or Console(highlight=False)
    if out.width < _COLUMNS_LEAST:
        return plain_text(blocks)
    with out.capture() as captured:
        for number, block in enumerate(blocks):
            if number:
                out.print()
            for part in _laid_out(block):
                # A path that the terminal itself wraps can be copied whole.
                out.print(part, soft_wrap=isinstance(block, Summary))
    return _PADDING.sub("", captured.get())


def _laid_out(block: Block) -> list[Any]:
    from rich.text import Text

    match block:
        case Lines():
            styles = ["bold", *["bold red" if block.alarm else ""] * len(block.lines)]
            return [Text(line, style) for line, style in zip(block.lines, styles, strict=False)]
        case Summary():
            return [Text(f"{label + ':':<{LABEL_WIDTH}}").append(_figure(value)) for label, value in block.rows]
        case Table():
            return [Text(block.title, "bold"), _rows(block)]
        case Grid():
            return [_grid(block)]


def _rows(block: Table) -> Any:
    from rich.table import Table as RichTable
    from rich.text import Text

    table = RichTable.grid(padding=(0, 2, 0, 0))
    table.add_column(width=LABEL_WIDTH + 1, no_wrap=True)
    table.add_column(min_width=_VALUE_WIDTH, no_wrap=True, justify="right")
    table.add_column()
    for row in block.rows:
        detail = Text(row.detail)
        detail.highlight_regex(_GAIN, "green")
        detail.highlight_regex(_LOSS, "red")
        table.add_row(Text(f"  {row.label}"), _figure(row.value), detail)
    return table


def _grid(grid: Grid) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    table = RichTable(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for number, name in enumerate(grid.header):
        table.add_column(Text(name), justify="right" if number else "left", no_wrap=number > 0, overflow="fold")
    for row in grid.rows:
        table.add_row(Text(row[0]), *(_figure(cell) for cell in row[1:]))
    return table


def _figure(value: str) -> "Text":
    from rich.text import Text

    style = "green" if re.match(_GAIN, value) else "red" if re.match(_LOSS, value) else ""
    return Text(value, style)
