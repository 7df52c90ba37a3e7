"""Equity rows on disk: `timestamp_ms, equity, balance`, one a slice, as `equity.parquet`.

Rows go to disk in blocks, as an Arrow stream that survives a crash, and become Parquet at the end in bounded
memory. A live session keeps each row as it comes, too: a later epoch of it goes on from them.
"""

import io
import struct
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from arro3.core import Array, RecordBatch, RecordBatchReader
from arro3.io import read_ipc_stream, read_parquet, write_ipc_stream, write_parquet

from app.errors import DataError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from app.runs.daily import EquitySeries

_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
_BLOCK_ROWS = 8_192
_ROW_GROUP_ROWS = 65_536
ROW = struct.Struct("<qdd")  # close time in ms, equity, balance: a row of `kept_path`
ROW_TYPE = np.dtype([("time_ms", "<i8"), ("equity", "<f8"), ("balance", "<f8")])  # the same, for whole blocks


class _Sink(io.FileIO):
    """A file for arro3, which panics where writing fails: the first fault is kept, to be raised afterwards."""

    fault: OSError | None = None

    def write(self, data: "ReadableBuffer", /) -> int:
        if self.fault is None:
            try:
                return super().write(data)
            except OSError as error:
                self.fault = error
        return memoryview(data).nbytes


class EquityLog:
    """Appends rows; keeps peak and maximum drawdown over the rows and the starting balance.

    `max_drawdown` is the largest `1 - equity / peak so far`, a positive fraction. Both are exact after `finish()`.
    """

    def __init__(self, path: Path, starting_balance: float) -> None:
        self.path = path
        self.peak = starting_balance
        self.max_drawdown = 0.0
        self._times_ms: list[int] = []
        self._equities: list[float] = []
        self._balances: list[float] = []
        self._spill_path = path.with_name(path.stem + ".arrows")
        self._spill = self._spill_path.open("wb")
        self._header = _stream([])[: -len(_END_OF_STREAM)]
        self._spill.write(self._header)
        self._kept: BinaryIO | None = None
        self.rows = 0

    def keep_rows(self, earlier: bytes = b"") -> None:
        """From now on each row is in the kernel when `append` returns; before them the `earlier` ones (`kept_rows`)."""
        path = kept_path(self.path)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_bytes(earlier)
        temporary.replace(path)
        for begin in range(0, len(earlier), _BLOCK_ROWS * ROW.size):
            rows = list(ROW.iter_unpack(earlier[begin : begin + _BLOCK_ROWS * ROW.size]))
            self.append(*(list(column) for column in zip(*rows, strict=True)))
        self._kept = path.open("ab", buffering=0)

    def append(self, times_ms: Sequence[int], equities: Sequence[float], balances: Sequence[float]) -> None:
        """Rows of equal number; times strictly rising."""
        self._times_ms += times_ms
        self._equities += equities
        self._balances += balances
        self.rows += len(times_ms)
        if self._kept is not None:
            self._kept.write(b"".join(map(ROW.pack, times_ms, equities, balances)))
        if len(self._times_ms) >= _BLOCK_ROWS:
            self._spill_block()

    def finish(self) -> None:
        """Write the Parquet file in bounded memory and remove the stream."""
        self._spill_block()
        self._spill.write(_END_OF_STREAM)
        self._spill.close()
        temporary = self.path.with_name(self.path.name + ".tmp")
        try:
            with _Sink(temporary, "w") as sink:
                write_parquet(
                    read_ipc_stream(self._spill_path),
                    sink,
                    compression="lz4_raw",
                    dictionary_enabled=False,
                    max_row_group_size=_ROW_GROUP_ROWS,
                    created_by="onetape",
                )
            if sink.fault is not None:
                raise sink.fault
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        temporary.replace(self.path)
        self._spill_path.unlink()
        if self._kept is not None:
            self._kept.close()
            kept_path(self.path).unlink()

    def source(self) -> "Path | EquitySeries":
        """Where the metrics read the rows."""
        return self.path

    def _spill_block(self) -> None:
        if not self._times_ms:
            return
        equity = np.frombuffer(array("d", self._equities))
        peaks = np.maximum(np.maximum.accumulate(equity), self.peak)
        self.max_drawdown = max(self.max_drawdown, float(np.max(1.0 - equity / peaks)))
        self.peak = float(peaks[-1])
        batch = _batch(
            np.frombuffer(array("q", self._times_ms), np.int64),
            equity,
            np.frombuffer(array("d", self._balances)),
        )
        self._spill.write(_stream([batch])[len(self._header) : -len(_END_OF_STREAM)])
        self._times_ms.clear()
        self._equities.clear()
        self._balances.clear()

    def close(self) -> None:
        """Give the file up without finishing; what was appended stays in the stream. Idempotent."""
        self._spill.close()
        if self._kept is not None:
            self._kept.close()


def kept_rows(path: Path, count: int) -> bytes:
    """The first `count` rows of an equity log, finished or not, for `keep_rows`; DataError if there are fewer."""
    kept = kept_path(path)
    if kept.exists():
        with kept.open("rb") as file:
            rows = file.read(count * ROW.size)
    elif path.exists():
        table = read_parquet(path).read_all()
        names = ("timestamp_ms", "equity", "balance") if table.num_rows else ()
        columns = [table[name].to_numpy()[:count].tolist() for name in names]
        rows = b"".join(ROW.pack(*row) for row in zip(*columns, strict=True))
    else:
        rows = b""
    if len(rows) < count * ROW.size:
        raise DataError(f"{path}: its rows are {len(rows) // ROW.size:,}, and were {count:,} when they were written")
    return rows


def equity_before(path: Path, count: int, time_ms: int) -> float | None:
    """Of the first `count` rows the last one's equity that closed at or before a time; None if none did."""
    rows = np.frombuffer(kept_rows(path, count), ROW_TYPE)
    number = int(rows["time_ms"].searchsorted(time_ms, "right"))
    return float(rows["equity"][number - 1]) if number else None


def kept_path(path: Path) -> Path:
    """Where a live session keeps each row as it comes; gone once the log is finished."""
    return path.with_name(path.stem + ".rows")


def _batch(times_ms: "np.ndarray", equity: "np.ndarray", balance: "np.ndarray") -> RecordBatch:
    columns = {"timestamp_ms": times_ms, "equity": equity, "balance": balance}
    return RecordBatch.from_pydict({name: Array.from_numpy(values) for name, values in columns.items()})


def _stream(batches: list[RecordBatch]) -> bytes:
    # A whole Arrow stream: schema, batches, end mark. Streams of one schema share their first bytes, so the
    # batches of many can follow one header.
    nothing = np.empty(0)
    schema = _batch(np.empty(0, np.int64), nothing, nothing).schema
    buffer = io.BytesIO()
    write_ipc_stream(RecordBatchReader.from_batches(schema, batches), buffer)
    return buffer.getvalue()
