"""Candles out of text: CSV with a header, Binance's headerless CSV, freqtrade's json.

Every row counts: one with a field too many or too few, or a value that is no number, refuses the file and names its
line. What a file is wrapped in (gzip, zip) is opened in importing.py.
"""

import csv
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from app.candles.candle_checks import RawCandles
from app.candles.import_columns import (
    HEADERLESS_WIDTHS,
    VALUE_NAMES,
    Place,
    Values,
    floats_from,
    is_number,
    pick_columns,
    times_from,
)
from app.candles.month_file import CandleColumns, Int64Array, concatenated
from app.errors import DataError

if TYPE_CHECKING:
    import _csv

# Rows turned into numbers at a time, so that the text of a large file never lies in memory as a whole.
_BLOCK_ROWS = 65_536
_HEADERLESS_TIME_NAME = "time"


def read_csv(stream: TextIO, path: Path) -> RawCandles:
    """The rows of a CSV as they stand; separated by comma, semicolon or tab."""
    lines = enumerate(stream, start=1)
    # Some publishers put a few lines of comment before the header.
    skipped, first_line = next(
        ((n - 1, line) for n, line in lines if line.strip() and not line.startswith("#")), (0, "")
    )
    if not first_line:
        raise DataError(f"{path} is empty; a header timestamp_ms,open,high,low,close,volume is expected")
    delimiter = max(",;\t", key=first_line.count)
    reader = csv.reader(itertools.chain([first_line], stream), delimiter=delimiter)
    parts = []
    row_numbers = []
    try:
        header = next(reader)
        time_name, wanted, headerless = _layout(header, path)
        rows = itertools.chain([header] if headerless else [], reader)
        for block, numbers in _blocks(rows, reader, skipped, len(header), path):
            parts.append(_csv_columns(block, numbers, time_name, wanted, path))
            row_numbers.append(numbers)
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num + skipped}: {error}") from error
    if not parts:
        raise DataError(f"{path} has a header but no candles")
    return RawCandles(path, concatenated(parts), np.concatenate(row_numbers), "line")


def read_json(text: str, path: Path) -> RawCandles:
    """A list of [time, open, high, low, close, volume] lists (Binance's twelve columns, too)."""
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON, or is cut short: {error}") from error
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{path} holds no candles; a list of [time, open, high, low, close, volume] is expected")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, list) or len(row) not in HEADERLESS_WIDTHS:
            raise DataError(f"{path}, row {number}: not a list of time, open, high, low, close, volume")
    row_numbers = np.arange(1, len(rows) + 1)

    def place(index: int) -> str:
        return f"{path}, row {row_numbers[index]}"

    names = (_HEADERLESS_TIME_NAME, *VALUE_NAMES)
    fields = [_json_values([row[i] for row in rows], name, place) for i, name in enumerate(names)]
    return RawCandles(path, _candles(fields, _HEADERLESS_TIME_NAME, place), row_numbers, "row")


def _layout(header: Sequence[str], path: Path) -> tuple[str, Sequence[int], bool]:
    """The time column's name, where the six columns stand, and whether the first row is a candle already."""
    if not is_number(header[0]):
        time_name, wanted = pick_columns(header, str(path))
        return time_name, wanted, False
    if len(header) not in HEADERLESS_WIDTHS:
        raise DataError(
            f"{path} has no header and {len(header)} columns; without a header it must be Binance's 12, "
            "or the six timestamp, open, high, low, close, volume"
        )
    return _HEADERLESS_TIME_NAME, range(6), True


def _blocks(
    rows: Iterable[list[str]], reader: "_csv.Reader", skipped: int, width: int, path: Path
) -> Iterator[tuple[list[list[str]], Int64Array]]:
    """Rows that are not blank, many at a time, with the numbers of their lines."""
    block: list[list[str]] = []
    numbers: list[int] = []
    for row in rows:
        if len(row) == width:
            block.append(row)
            numbers.append(reader.line_num + skipped)
        elif any(cell.strip() for cell in row):
            number = reader.line_num + skipped
            raise DataError(f"{path}, line {number}: {len(row)} fields where the first line has {width}")
        if len(block) == _BLOCK_ROWS:
            yield block, np.array(numbers, dtype=np.int64)
            block, numbers = [], []
    if block:
        yield block, np.array(numbers, dtype=np.int64)


def _csv_columns(
    rows: list[list[str]], numbers: Int64Array, time_name: str, wanted: Sequence[int], path: Path
) -> CandleColumns:
    # A function of its own, so that a block's texts are gone before the next is read.
    def place(index: int) -> str:
        return f"{path}, line {numbers[index]}"

    fields = list(zip(*rows, strict=True))
    return _candles([fields[i] for i in wanted], time_name, place)


def _candles(fields: Sequence[Values], time_name: str, place: Place) -> CandleColumns:
    times, *floats = fields
    return CandleColumns(
        times_from(times, time_name, place),
        *(floats_from(values, name, place) for values, name in zip(floats, VALUE_NAMES, strict=True)),
    )


def _json_values(values: list[Any], name: str, place: Place) -> Values:
    """Texts alone as they are, numbers alone as an array; anything else is refused."""
    if all(type(value) is str for value in values):
        return values
    for index, value in enumerate(values):
        # A bool is an int to Python, and an int beyond a double would raise: neither is a price.
        if type(value) not in (int, float) or (type(value) is int and abs(value) > 1 << 63):
            raise DataError(f"{place(index)}: {name} {value!r} is not a number")
    if all(type(value) is int and abs(value) < 1 << 63 for value in values):
        return np.array(values, dtype=np.int64)
    return np.array(values, dtype=np.float64)
