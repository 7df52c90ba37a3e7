"""Plain text tables and long lists for the console: the same on a terminal and in a pipe.

Columns stand two spaces apart, numbers to the right; a list that would scroll everything else away is cut and says so.
"""

from collections.abc import Iterator, Sequence

LISTED_MAX = 500


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: int) -> str:
    """A line per row under the header; the last `numbers` columns stand right."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = []
    for row in (header, *rows):
        cells = [
            cell.rjust(width) if i >= len(header) - numbers else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def limited(lines: Sequence[str]) -> Iterator[str]:
    """The lines, indented; of more than 500 the first 500 and how many there are besides."""
    yield from (f"    {line}" for line in lines[:LISTED_MAX])
    if len(lines) > LISTED_MAX:
        yield f"    and {len(lines) - LISTED_MAX:,} more"
