"""Candles out of Parquet and feather files of other programs, by pyarrow.

The rule: pyarrow is imported inside these functions only, because it costs a third of a backtest's start-up;
a damaged file ends in one DataError. Text and numbers in a column mean what they mean in a CSV.
"""

from pathlib import Path
from typing import Any

import numpy as np

from app.candles.candle_checks import RawCandles
from app.candles.import_columns import (
    TIME_NAMES,
    VALUE_NAMES,
    Place,
    floats_from_text,
    normal_name,
    pick_columns,
    times_from_floats,
    times_from_integers,
    times_from_text,
    times_of_unit,
)
from app.candles.month_file import CandleColumns, FloatArray, Int64Array
from app.errors import DataError

# What pandas calls an index without a name when it writes one.
_UNNAMED_INDEX = "__index_level_0__"
_TICKS_A_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def read_parquet(path: Path) -> RawCandles:
    """A Parquet file with the usual columns; a pandas index of times counts as its time column."""
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path, page_checksum_verification=True) as file:
            names = file.schema_arrow.names
            wanted = [names[i] for i in _picked(names, path)[1]]
            return _raw(file.read(columns=wanted), names, path)
    except (pyarrow.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def read_feather(path: Path) -> RawCandles:
    """A feather file, as freqtrade writes them."""
    import pyarrow
    import pyarrow.feather

    try:
        table = pyarrow.feather.read_table(path, memory_map=False)
        return _raw(table, table.column_names, path)
    except (pyarrow.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def _picked(names: list[str], path: Path) -> tuple[str, list[int]]:
    if not any(normal_name(name) in TIME_NAMES for name in names):
        names = ["date" if name == _UNNAMED_INDEX else name for name in names]
    return pick_columns(names, str(path))


def _raw(table: Any, names: list[str], path: Path) -> RawCandles:
    if table.num_rows == 0:
        raise DataError(f"{path} holds no candles")
    time_name, wanted = _picked(names, path)
    rows = np.arange(1, table.num_rows + 1)

    def place(index: int) -> str:
        return f"{path}, row {rows[index]}"

    times = _times(table.column(names[wanted[0]]), time_name, place)
    floats = [_floats(table.column(names[i]), name, place) for i, name in zip(wanted[1:], VALUE_NAMES, strict=True)]
    return RawCandles(path, CandleColumns(times, *floats), rows, "row")


def _times(column: Any, name: str, place: Place) -> Int64Array:
    """Datetimes are UTC in Arrow when they have a zone, and taken as UTC when they have none."""
    import pyarrow
    from pyarrow import types

    column = _plain(column, name, place)
    if types.is_date(column.type):
        return _int64(column.cast(pyarrow.date64()).cast(pyarrow.int64()))
    if types.is_timestamp(column.type):
        ticks_a_second = _TICKS_A_SECOND[column.type.unit]
        return times_of_unit(_int64(column.cast(pyarrow.int64())), ticks_a_second, name, place)
    if types.is_integer(column.type):
        return times_from_integers(_int64(column.cast(pyarrow.int64())), name, place)
    if types.is_floating(column.type):
        return times_from_floats(column.cast(pyarrow.float64()).to_numpy(), name, place)
    if _is_text(column.type):
        return times_from_text(column.to_pylist(), name, place)
    raise DataError(f"{place(0)}: {name} is of type {column.type}; a time is an integer, a datetime or text")


def _floats(column: Any, name: str, place: Place) -> FloatArray:
    import pyarrow
    from pyarrow import types

    column = _plain(column, name, place)
    kind = column.type
    if _is_text(kind):
        return floats_from_text(column.to_pylist(), name, place)
    if types.is_floating(kind) or types.is_integer(kind) or types.is_decimal(kind):
        floats: FloatArray = column.cast(pyarrow.float64(), safe=False).to_numpy()
        return floats
    raise DataError(f"{place(0)}: {name} is of type {kind}; it must be a number")


def _plain(column: Any, name: str, place: Place) -> Any:
    """One array of plain values: dictionaries resolved, and not a null among them."""
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if column.null_count:
        first = next(i for i, value in enumerate(column) if not value.is_valid)
        raise DataError(f"{place(first)}: {name} is empty")
    return column


def _int64(column: Any) -> Int64Array:
    # Arrow's own buffer is read-only and dies with the table: a copy is ours.
    return np.array(column.to_numpy(), dtype=np.int64)


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _damaged(path: Path, error: Exception) -> DataError:
    first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return DataError(f"{path} cannot be read, it is damaged, cut short or of another kind: {first_line}")
