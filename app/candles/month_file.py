"""One month of candles as bytes: a Parquet file that any reader opens, sealed so that damage is seen.

Equal candles give equal bytes (one encoding, no date, no origin, -0 written as 0). No byte reaches the decoder before
its digest was checked: a decoder may panic or allocate without bound on damaged input. The seal lies between pages and
footer, where Parquet permits a gap.

    "PAR1" pages | "onetape\\1" sha256(all before) sha256(all after) | footer, its length (4 bytes), "PAR1"
"""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from arro3.core import Array, RecordBatchReader, Table
from arro3.io import read_parquet, write_parquet

from app.candles.sealed_json import check_version
from app.errors import DataError

FORMAT_VERSION = 1
COLUMN_NAMES = ("timestamp_ms", "open", "high", "low", "close", "volume")

_MAGIC = b"PAR1"
_SEAL_MAGIC = b"onetape\x01"
_DIGEST_BYTES = 32
_SEAL_BYTES = len(_SEAL_MAGIC) + 2 * _DIGEST_BYTES
_TAIL_BYTES = 8
# Above every month's rows (a month of 1s candles has 2.7 million): one row group, one page a column.
_ROWS_MAX = 1 << 22
# The order of several metadata keys would follow a random hash; one key with sorted JSON is canonical.
_METADATA_KEY = "onetape"

Int64Array = np.ndarray[tuple[int], np.dtype[np.int64]]
FloatArray = np.ndarray[tuple[int], np.dtype[np.float64]]
BoolArray = np.ndarray[tuple[int], np.dtype[np.bool_]]


class CandleColumns(NamedTuple):
    """Candles of one series, columns of one length, ascending by open time (ms UTC); volume in base units."""

    open_time_ms: Int64Array
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray

    def floats(self) -> tuple[FloatArray, ...]:
        """Open, high, low, close and volume."""
        return self[1:]

    def take(self, which: "Int64Array | BoolArray | slice") -> "CandleColumns":
        """The candles at these positions, of every column."""
        return CandleColumns(self.open_time_ms[which], *(column[which] for column in self.floats()))

    def between(self, start_ms: int, end_ms: int) -> "CandleColumns":
        """Those that open at or after `start_ms` and before `end_ms`; a view."""
        return self.take(slice(*self.open_time_ms.searchsorted((start_ms, end_ms)).tolist()))


def concatenated(parts: Sequence[CandleColumns]) -> CandleColumns:
    """The parts one after the other, in their order; of none, no candles."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return CandleColumns(np.empty(0, dtype=np.int64), *(np.empty(0, dtype=np.float64) for _ in COLUMN_NAMES[1:]))
    return CandleColumns(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


@dataclass(frozen=True)
class MonthFile:
    """What a month file says of itself; `sha256` is over its raw little-endian columns, in their order."""

    path: Path
    symbol: str
    timeframe: str
    month: str
    rows: int
    first_open_ms: int
    last_open_ms: int
    sha256: str


def encode_month(symbol: str, timeframe: str, month: str, columns: CandleColumns) -> bytes:
    """The file's bytes, the same for the same candles. `columns` holds at least one, all of that month."""
    canonical = _canonical(columns)
    about = {
        "first_open_ms": int(canonical.open_time_ms[0]),
        "format_version": FORMAT_VERSION,
        "last_open_ms": int(canonical.open_time_ms[-1]),
        "month": month,
        "rows": len(canonical.open_time_ms),
        "sha256": _columns_sha256(canonical),
        "symbol": symbol,
        "timeframe": timeframe,
    }
    table = Table.from_pydict(
        {name: Array.from_numpy(column) for name, column in zip(COLUMN_NAMES, canonical, strict=True)}
    )
    buffer = io.BytesIO()
    write_parquet(
        table,
        buffer,
        compression="lz4_raw",
        dictionary_enabled=False,
        encoding="plain",
        column_encoding={"timestamp_ms": "delta_binary_packed"},
        data_page_row_count_limit=_ROWS_MAX,
        data_page_size_limit=1 << 30,
        max_row_group_size=_ROWS_MAX,
        skip_arrow_metadata=True,
        created_by="onetape",
        key_value_metadata={_METADATA_KEY: json.dumps(about, sort_keys=True)},
    )
    return _sealed(buffer.getvalue())


def describe_month(path: Path) -> MonthFile:
    """What the footer says, its digest checked, without reading a candle; DataError if it is damaged."""
    try:
        with path.open("rb") as file:
            size_bytes = file.seek(0, io.SEEK_END)
            _checked_footer(file, size_bytes, path)
            return _about(read_parquet(file), path)
    except OSError as error:
        raise _unreadable(path, error) from error


def check_month(path: Path) -> bytes:
    """The file's bytes, all held against their digests and none decoded; DataError if one is wrong."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    pages_end, pages_digest = _checked_footer(io.BytesIO(data), len(data), path)
    if hashlib.sha256(memoryview(data)[:pages_end]).digest() != pages_digest:
        raise _damaged(path, "its candles do not match their checksum")
    return data


def read_month(path: Path) -> tuple[MonthFile, CandleColumns]:
    """The file's candles, every byte checked; DataError with one line if one is wrong."""
    data = check_month(path)
    about = _about(read_parquet(io.BytesIO(data)), path)
    columns = _decode(read_parquet(io.BytesIO(data), batch_size=about.rows), path)
    _check_against(about, columns, path)
    return about, columns


def _sealed(parquet: bytes) -> bytes:
    footer_at = len(parquet) - _TAIL_BYTES - int.from_bytes(parquet[-8:-4], "little")
    pages, footer = parquet[:footer_at], parquet[footer_at:]
    return pages + _SEAL_MAGIC + hashlib.sha256(pages).digest() + hashlib.sha256(footer).digest() + footer


def _checked_footer(file: BinaryIO, size_bytes: int, path: Path) -> tuple[int, bytes]:
    """Where the pages end and the digest they must have, after the footer was held against its own."""
    if size_bytes < len(_MAGIC) + _SEAL_BYTES + _TAIL_BYTES:
        raise _damaged(path, f"it is cut short ({size_bytes} bytes)")
    file.seek(-_TAIL_BYTES, io.SEEK_END)
    tail = file.read(_TAIL_BYTES)
    if tail[4:] != _MAGIC:
        raise _damaged(path, "its end is missing or it is no Parquet file")
    footer_bytes = int.from_bytes(tail[:4], "little") + _TAIL_BYTES
    pages_end = size_bytes - footer_bytes - _SEAL_BYTES
    if pages_end < len(_MAGIC):
        raise _damaged(path, "its footer is longer than the file")
    file.seek(pages_end)
    seal = file.read(_SEAL_BYTES)
    footer = file.read(footer_bytes)
    if not seal.startswith(_SEAL_MAGIC):
        raise DataError(
            f"{path} is damaged or was not written by Onetape (it has no seal); "
            "candles of other programs come in with `python -m app data import`"
        )
    pages_digest = seal[len(_SEAL_MAGIC) : -_DIGEST_BYTES]
    if hashlib.sha256(footer).digest() != seal[-_DIGEST_BYTES:]:
        raise _damaged(path, "its footer does not match its checksum")
    return pages_end, pages_digest


def _about(reader: RecordBatchReader, path: Path) -> MonthFile:
    about = json.loads(reader.schema.metadata[_METADATA_KEY.encode()])
    check_version(path, about.pop("format_version"), FORMAT_VERSION)
    return MonthFile(path=path, **about)


def _decode(reader: RecordBatchReader, path: Path) -> CandleColumns:
    table = reader.read_all()
    if tuple(table.column_names) != COLUMN_NAMES or table.num_rows == 0:
        raise _damaged(path, f"it should hold the columns {', '.join(COLUMN_NAMES)}")
    return CandleColumns(*(table.column(name).to_numpy() for name in COLUMN_NAMES))


def _check_against(about: MonthFile, columns: CandleColumns, path: Path) -> None:
    """The seal shows a damaged disk; this shows a program that sealed something else than it said."""
    times = columns.open_time_ms
    ends = (len(times), int(times[0]), int(times[-1]))
    if ends != (about.rows, about.first_open_ms, about.last_open_ms):
        raise _damaged(path, "its rows are not those that its footer names")
    if not bool(np.all(times[1:] > times[:-1])):
        raise _damaged(path, "its open times do not ascend")
    if _columns_sha256(columns) != about.sha256:
        raise _damaged(path, "its columns do not match their sha256")


def _canonical(columns: CandleColumns) -> CandleColumns:
    # -0.0 equals 0.0 but is another byte; adding 0.0 leaves every other double as it is.
    return CandleColumns(
        np.ascontiguousarray(columns.open_time_ms, dtype="<i8"),
        *(np.ascontiguousarray(column, dtype="<f8") + 0.0 for column in columns.floats()),
    )


def _columns_sha256(columns: CandleColumns) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(columns.open_time_ms, dtype="<i8").data)
    for column in columns.floats():
        digest.update(np.ascontiguousarray(column, dtype="<f8").data)
    return digest.hexdigest()


def _damaged(path: Path, what: str) -> DataError:
    return DataError(f"{path} is damaged: {what}")


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} cannot be read: {error.strerror or error}")
