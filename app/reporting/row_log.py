"""A CSV file of a run that grows row by row: header first, each row handed to the kernel when asked to.

The rule: text is quoted only where it could be taken for structure, numbers are the shortest text that reads back
to the same double. Nothing of the log is kept in memory.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TextIO


class RowLog:
    """Writes one file; `close()` when the run is over."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path = path
        self._file: TextIO = path.open("w", encoding="utf-8", newline="")
        self._file.write(",".join(columns) + "\n")

    def add(self, row: str) -> None:
        """A line with its end."""
        self._file.write(row)

    def flush(self) -> None:
        """Everything to the kernel, where it survives this process."""
        self._file.flush()

    def close(self) -> None:
        """Everything to the kernel; idempotent."""
        self._file.close()


@lru_cache(maxsize=1024)  # symbols and tags come again and again
def quoted(text: str) -> str:
    """A user's own text, quoted as RFC 4180 has it where it could be taken for structure."""
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
