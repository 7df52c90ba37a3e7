"""The two CSV logs of a run, written row by row: its fills, and its signals with what became of each.

Header first; a row is handed to the kernel when asked to, and nothing of a log is kept in memory. Numbers are the
shortest text that reads back to the same double.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import msgspec

from app.errors import DataError
from app.models.orders import Decision, EntryOrder, Fill
from app.runs.fill_columns import COLUMNS, Fills, csv_row, quoted
from app.times import iso_ms

_encode = msgspec.json.Encoder().encode
SIGNAL_COLUMNS = (
    "timestamp", "symbol", "strategy", "action", "outcome", "order_id", "quantity", "reference", "stop", "target",
    "sized_by", "tag",
)  # fmt: skip


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

    def flush(self) -> None:
        """Everything to the kernel, where it survives this process."""
        self._file.flush()

    def close(self) -> None:
        """Everything to the kernel; idempotent."""
        self._file.close()

    def written_bytes(self) -> int:
        """How long the file is, by what the kernel has of it."""
        return os.fstat(self._file.fileno()).st_size


class TradeLog(RowLog):
    """One row a fill."""

    def __init__(self, path: Path, kept_bytes: int | None = None) -> None:
        super().__init__(path, COLUMNS, kept_bytes)
        self._table: Fills | None = None

    def write(self, fill: Fill) -> None:
        """Append one fill."""
        self._file.write(csv_row(fill))

    def source(self) -> Fills:
        """What the metrics read: the fills of the finished log, read back once for all who ask."""
        from app.runs.trade_table import read_fills

        if self._table is None:
            self._table = read_fills(self.path)
        return self._table


class SignalLog(RowLog):
    """One row for each LONG, SHORT and EXIT, in the order of the decisions: what `compare` and `why` read.

    `timestamp` is the close time of the slice decided on; the order's columns are empty where there is none.
    """

    def __init__(self, path: Path, kept_bytes: int | None = None) -> None:
        super().__init__(path, SIGNAL_COLUMNS, kept_bytes)

    def write(self, decision: Decision) -> None:
        """Append one signal."""
        order = decision.order
        entry = ",,,,"
        if isinstance(order, EntryOrder):
            numbers = _encode((order.quantity, order.reference, order.stop, order.target))[1:-1].decode()
            entry = f"{numbers},{order.sized_by}"
        self._file.write(
            f"{iso_ms(decision.time_ms)},{quoted(decision.symbol)},{decision.strategy},{decision.action},{decision.outcome},"
            f"{'' if order is None else order.order_id},{entry},{quoted(decision.tag)}\n"
        )


def _cut(path: Path, header: str, kept_bytes: int) -> None:
    size = path.stat().st_size if path.exists() else 0
    if size < kept_bytes:
        raise DataError(f"{path} is shorter ({size:,} bytes) than when its rows were written ({kept_bytes:,})")
    with path.open("r+b") as file:
        if file.readline() != header.encode():
            raise DataError(f"{path} has other columns than this Onetape writes: it cannot be continued by it")
        file.truncate(kept_bytes)
