"""Candles out of Parquet and feather files of other programs, by pyarrow.

Text and numbers in a column mean what they mean in a CSV. pyarrow is imported in functions only: it costs a third of a
backtest's start-up.
"""

from pathlib import Path
from typing import Any

import numpy as np

from app.candles.candle_checks import RawCandles
from app.candles.import_columns import (
    TIME_NAMES,
    VALUE_NAMES,
    Place,
    Values,
    floats_from,
    normal_name,
    pick_columns,
    times_from,
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

    named = zip((time_name, *VALUE_NAMES), wanted, strict=True)
    times, *others = (_plain(table.column(names[i]), name, place) for name, i in named)
    floats = [
        floats_from(_values(column, name, place, "it must be a number"), name, place)
        for name, column in zip(VALUE_NAMES, others, strict=True)
    ]
    return RawCandles(path, CandleColumns(_times(times, time_name, place), *floats), rows, "row")


def _times(column: Any, name: str, place: Place) -> Int64Array:
    """Datetimes are UTC in Arrow when they have a zone, and taken as UTC when they have none."""
    import pyarrow
    from pyarrow import types

    if types.is_date(column.type):
        return _int64(column.cast(pyarrow.date64()).cast(pyarrow.int64()))
    if types.is_timestamp(column.type):
        ticks_a_second = _TICKS_A_SECOND[column.type.unit]
        return times_of_unit(_int64(column.cast(pyarrow.int64())), ticks_a_second, name, place)
    return times_from(_values(column, name, place, "a time is an integer, a datetime or text"), name, place)


def _values(column: Any, name: str, place: Place, wanted: str) -> Values:
    import pyarrow
    from pyarrow import types

    kind = column.type
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        texts: list[str] = column.to_pylist()
        return texts
    if types.is_integer(kind):
        return _int64(column.cast(pyarrow.int64()))
    if types.is_floating(kind) or types.is_decimal(kind):
        floats: FloatArray = column.cast(pyarrow.float64(), safe=False).to_numpy()
        return floats
    raise DataError(f"{place(0)}: {name} is of type {kind}; {wanted}")


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


def _damaged(path: Path, error: Exception) -> DataError:
    first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return DataError(f"{path} cannot be read, it is damaged, cut short or of another kind: {first_line}")
