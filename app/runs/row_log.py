"""A CSV file of a run that grows row by row: header first, each row handed to the kernel when asked to.

The rule: text is quoted only where it could be taken for structure, numbers are the shortest text that reads back
to the same double. Nothing of the log is kept in memory.
"""

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TextIO

from app.errors import DataError


class RowLog:
    """Writes one file; `close()` when the run is over. `kept_bytes` of one that is there stay, the rest is cut off.

    DataError where there are not so many, or of other columns.
    """

    def __init__(self, path: Path, columns: Sequence[str], kept_bytes: int | None = None) -> None:
        self.path = path
        header = ",".join(columns) + "\n"
        if kept_bytes is None:
            self._file: TextIO = path.open("w", encoding="utf-8", newline="")
            self._file.write(header)
            return
        _cut(path, header, kept_bytes)
        self._file = path.open("a", encoding="utf-8", newline="")

    def add(self, row: str) -> None:
        """A line with its end."""
        self._file.write(row)

    def flush(self) -> None:
        """Everything to the kernel, where it survives this process."""
        self._file.flush()

    def close(self) -> None:
        """Everything to the kernel; idempotent."""
        self._file.close()

    def written_bytes(self) -> int:
        """How long the file is, by what the kernel has of it."""
        return os.fstat(self._file.fileno()).st_size


def _cut(path: Path, header: str, kept_bytes: int) -> None:
    size = path.stat().st_size if path.exists() else 0
    if size < kept_bytes:
        raise DataError(f"{path} is shorter ({size:,} bytes) than when its rows were written ({kept_bytes:,})")
    with path.open("r+b") as file:
        if file.readline() != header.encode():
            raise DataError(f"{path} has other columns than this Onetape writes: it cannot be continued by it")
        file.truncate(kept_bytes)


@lru_cache(maxsize=1024)  # symbols and tags come again and again
def quoted(text: str) -> str:
    """A user's own text, quoted as RFC 4180 has it where it could be taken for structure."""
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
