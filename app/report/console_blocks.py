"""What the report on the console is made of, before it is laid out: lines, labelled rows, grids.

The plain layout is here: text for a pipe, aligned, the same everywhere. A terminal gets the same blocks from
console_terminal. No figure is computed or formatted here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LABEL_WIDTH = 22


@dataclass(frozen=True)
class Row:
    """One line: a label, the figure that stands right, and what is said of it besides."""

    label: str
    value: str
    detail: str = ""
    value_width: int = 14  # in plain text

    def plain(self) -> str:
        """As a line in a pipe."""
        detail = f"   {self.detail}" if self.detail else ""
        return f"  {self.label:<{LABEL_WIDTH}}{self.value:>{self.value_width}}{detail}"


@dataclass(frozen=True)
class Table:
    """Rows under a title."""

    title: str
    rows: tuple[Row, ...]

    def plain(self) -> Iterator[str]:
        """Its lines in a pipe."""
        yield self.title
        for row in self.rows:
            yield row.plain()


@dataclass(frozen=True)
class Lines:
    """A title and sentences under it; those of an `alarm` are what nobody may miss."""

    lines: tuple[str, ...]
    alarm: bool = False

    def plain(self) -> Iterator[str]:
        """Its lines in a pipe."""
        yield from self.lines


@dataclass(frozen=True)
class Summary:
    """The lines that programs read: `Label: value`, in an order that never changes."""

    rows: tuple[tuple[str, str], ...]

    def plain(self) -> Iterator[str]:
        """Its lines in a pipe."""
        for label, value in self.rows:
            yield f"{label + ':':<{LABEL_WIDTH}}{value}"


@dataclass(frozen=True)
class Grid:
    """A table with a header: names to the left, then figures to the right, `widths` in plain text."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...]

    def plain(self) -> Iterator[str]:
        """Its lines in a pipe."""
        name_width = max(len(row[0]) for row in (self.header, *self.rows))
        for name, *figures in (self.header, *self.rows):
            cells = (f"{figure:>{width}}" for figure, width in zip(figures, self.widths, strict=True))
            yield f"{name:<{name_width}}{''.join(cells)}"


Block = Table | Lines | Summary | Grid


def plain_text(blocks: Sequence[Block]) -> str:
    """The blocks with an empty line between them, ended with a newline."""
    return "\n\n".join("\n".join(block.plain()) for block in blocks) + "\n"
