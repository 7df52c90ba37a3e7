"""Fills and trades of a finished run as arrays, read from its trade log.

The rule: the log is the truth, so a report made later has the figures of the run. Rows are read in blocks; a last
line that was cut half-way is left out and said. An older log without some of the columns has NaN there. No pandas.
"""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from app.errors import DataError
from app.runs.quotients import Bools, Floats, Ints

_BLOCK_ROWS = 1_024
_NUMBERS = ("price", "quantity", "commission", "slippage", "realized_pnl", "stop_loss", "take_profit")
_LATER_NUMBERS = ("candle_volume", "mae", "mfe")  # logs of 0.1 end before these
_MAY_BE_EMPTY = ("stop_loss", "take_profit", *_LATER_NUMBERS)
_TEXTS = ("symbol", "action", "side", "reason", "tag")
_NEEDED = ("timestamp", *_TEXTS, *_NUMBERS, "trade_id", "both_levels")
_OF_TRADES = (
    "timestamp",
    "symbol",
    "action",
    "side",
    "price",
    "quantity",
    "equity",
    "realized_pnl",
    "reason",
    "trade_id",
)
_NO_NUMBER = "holds what is no number or time"


@dataclass(frozen=True)
class Labels:
    """A column of text: `codes[i]` is the place of row i's text in `names`."""

    codes: Ints
    names: Sequence[str]

    def only(self, where: Bools | Ints | slice) -> "Labels":
        """These rows; the names stay."""
        return Labels(self.codes[where], self.names)

    def equal(self, name: str) -> Bools:
        """Rows with this text."""
        found: Bools = self.codes == (self.names.index(name) if name in self.names else -1)
        return found


@dataclass(frozen=True)
class Fills:
    """One entry per row of the log, in its order; `sign` is +1 for a long, `cut` tells of a half-written last line."""

    time_ms: Ints
    opens: Bools
    sign: Floats
    symbol: Labels
    reason: Labels
    tag: Labels
    trade_id: Ints
    price: Floats
    quantity: Floats
    commission: Floats
    slippage: Floats
    realized_pnl: Floats
    stop: Floats
    target: Floats
    candle_volume: Floats
    both_levels: Bools
    target_touched: Bools
    mae: Floats
    mfe: Floats
    cut: bool = False

    def only(self, where: Bools | Ints | slice) -> "Fills":
        """These rows."""
        rows: dict[str, Any] = {name: _rows(getattr(self, name), where) for name in _columns(self)}
        return replace(self, **rows)


@dataclass(frozen=True)
class Trades:
    """Closed trades in the order in which they were closed: row i of `entry` and of `exit` are the same trade's."""

    entry: Fills
    exit: Fills

    def __len__(self) -> int:
        return len(self.exit.price)

    def only(self, where: Bools | Ints | slice) -> "Trades":
        """These trades."""
        return Trades(self.entry.only(where), self.exit.only(where))

    @property
    def pnl(self) -> Floats:
        """Net of both commissions and slippage."""
        return self.exit.realized_pnl

    @property
    def costs(self) -> Floats:
        """Commission and slippage of both fills."""
        one, other = self.entry, self.exit
        return one.commission + other.commission + one.slippage + other.slippage

    @property
    def held_ms(self) -> Ints:
        """From the entry's fill to the exit's."""
        return self.exit.time_ms - self.entry.time_ms

    @property
    def initial_risk(self) -> Floats:
        """`|entry price - stop| * quantity`, R's unit; NaN where the entry filled at or beyond its own stop (a gap)."""
        distance = self.entry.sign * (self.entry.price - self.entry.stop)
        return np.where(distance > 0.0, distance, np.nan) * self.entry.quantity


def read_fills(path: Path) -> Fills:
    """The whole log; DataError for a file that is none, or a line that cannot be read."""
    with path.open(encoding="utf-8", newline="") as file:
        ends_whole = _ends_with_newline(file)
        reader = csv.reader(file)
        header = next(reader, [])
        missing = [name for name in _NEEDED if name not in header]
        if missing:
            raise DataError(f"{path} is no trade log: it has no column {missing[0]}")
        blocks = list(_blocks(path, reader, header, ends_whole))
    return replace(_joined(blocks), cut=not ends_whole)


def fills_until_fault(path: Path) -> tuple[Fills, str | None]:
    """The fills before the first line that cannot be read, and what is wrong with that line; None for a whole log.

    DataError, as the end of a sentence, for a file without the columns that tell of trades; OSError as it comes.
    """
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        ends_whole = _ends_with_newline(file)
        reader = csv.reader(file)
        header = next(reader, [])
        missing = [name for name in _OF_TRADES if name not in header]
        if missing:
            raise DataError(f"has no column {', '.join(missing)}")
        names: dict[str, dict[str, int]] = {text: {} for text in _TEXTS}
        blocks, line, problem = [no_fills()], 2, None
        rows, damaged = _take(reader)
        while rows or damaged:
            following, next_damaged = ([], False) if damaged else _take(reader)
            if damaged:
                problem = f"line {reader.line_num} {_NO_NUMBER}"
            elif not following and not next_damaged and not ends_whole:
                rows.pop()
                problem = f"line {reader.line_num} was cut"
            block, earlier = _until_fault(rows, header, names, line)
            blocks.append(block)
            if earlier is not None:
                return _joined(blocks), earlier
            line, rows, damaged = line + len(rows), following, next_damaged
    return _joined(blocks), problem


def no_fills() -> Fills:
    """An empty table."""
    return _block({}, {text: {} for text in _TEXTS})


def trades_of(fills: Fills, path: Path) -> Trades:
    """Each CLOSE with its OPEN; positions still open are left out. DataError for a CLOSE whose OPEN is not there."""
    opens, closes = np.flatnonzero(fills.opens), np.flatnonzero(~fills.opens)
    order = np.argsort(fills.trade_id[opens], kind="stable")
    ids, wanted = fills.trade_id[opens][order], fills.trade_id[closes]
    found = among(wanted, ids)
    places = np.searchsorted(ids, wanted)
    if not found.all():
        raise DataError(f"{path}: the CLOSE of trade {wanted[~found][0]} has no OPEN before it")
    return Trades(fills.only(opens[order[places]]), fills.only(closes))


def among(values: Ints, some: Ints) -> Bools:
    """Which of the values are some of those: np.isin without the 10 ms that its first call spends on imports."""
    ascending = np.sort(some)
    places = np.searchsorted(ascending, values)
    found: Bools = places < len(ascending)
    found[found] = ascending[places[found]] == values[found]
    return found


def _blocks(path: Path, reader: Iterator[list[str]], header: list[str], ends_whole: bool) -> Iterator[Fills]:
    names: dict[str, dict[str, int]] = {text: {} for text in _TEXTS}
    line, rows = 2, list(islice(reader, _BLOCK_ROWS))
    while True:
        following = list(islice(reader, _BLOCK_ROWS))
        if not following and not ends_whole and rows:
            rows.pop()
        if set(map(len, rows)) - {len(header)}:
            number, row = next((n, row) for n, row in enumerate(rows, line) if len(row) != len(header))
            raise DataError(f"{path}, line {number}: {len(row)} columns, the header has {len(header)}")
        try:
            yield _rows_block(rows, header, names)
        except ValueError as error:
            raise DataError(f"{path}, lines {line} to {line + len(rows) - 1}: {error}") from None
        if not following:
            return
        line, rows = line + len(rows), following


def _take(reader: Iterator[list[str]]) -> tuple[list[list[str]], bool]:
    # A block of rows, and whether what follows it is no CSV.
    rows: list[list[str]] = []
    try:
        rows.extend(islice(reader, _BLOCK_ROWS))
    except csv.Error:
        return rows, True
    return rows, False


def _until_fault(
    rows: list[list[str]], header: list[str], names: dict[str, dict[str, int]], line: int
) -> tuple[Fills, str | None]:
    problem = None
    for number, row in enumerate(rows):
        if len(row) != len(header):
            rows, problem = rows[:number], f"line {line + number} has {len(row)} of {len(header)} columns"
            break
    try:
        return _rows_block(rows, header, names), problem
    except ValueError:
        for number in range(len(rows)):
            try:
                _rows_block(rows[number : number + 1], header, names)
            except ValueError:
                return _rows_block(rows[:number], header, names), f"line {line + number} {_NO_NUMBER}"
        raise


def _rows_block(rows: list[list[str]], header: list[str], names: dict[str, dict[str, int]]) -> Fills:
    return _block(dict(zip(header, zip(*rows, strict=True), strict=True)) if rows else {}, names)


def _block(columns: dict[str, tuple[str, ...]], names: dict[str, dict[str, int]]) -> Fills:
    count = len(columns.get("timestamp", ()))

    def numbers(name: str) -> Floats:
        texts = columns.get(name)
        if texts is None:
            return np.full(count, math.nan)
        if name in _MAY_BE_EMPTY and "" in texts:
            return np.array([float(text) if text else math.nan for text in texts], np.float64)
        return np.fromiter(map(float, texts), np.float64, count)

    def flags(name: str) -> Bools:
        return np.array([text == "1" for text in columns.get(name, ("",) * count)], np.bool_)

    def labels(name: str) -> Labels:
        seen = names[name]
        codes = [seen.setdefault(text, len(seen)) for text in columns.get(name, ("",) * count)]
        return Labels(np.array(codes, np.int64), list(seen))

    money = {name: numbers(name) for name in (*_NUMBERS, *_LATER_NUMBERS)}
    times = np.array([text.rstrip("Z") for text in columns.get("timestamp", ())], "datetime64[ms]")
    return Fills(
        time_ms=times.astype(np.int64),
        opens=np.array([text == "OPEN" for text in columns.get("action", ())], np.bool_),
        sign=np.array([1.0 if text == "LONG" else -1.0 for text in columns.get("side", ())], np.float64),
        symbol=labels("symbol"),
        reason=labels("reason"),
        tag=labels("tag"),
        trade_id=np.array([int(text) for text in columns.get("trade_id", ())], np.int64),
        price=money["price"],
        quantity=money["quantity"],
        commission=money["commission"],
        slippage=money["slippage"],
        realized_pnl=money["realized_pnl"],
        stop=money["stop_loss"],
        target=money["take_profit"],
        both_levels=flags("both_levels"),
        target_touched=flags("target_touched"),
        candle_volume=money["candle_volume"],
        mae=money["mae"],
        mfe=money["mfe"],
    )


def _joined(blocks: list[Fills]) -> Fills:
    last = blocks[-1]  # its names are those of all blocks

    def whole(name: str) -> Any:
        parts = [getattr(block, name) for block in blocks]
        if isinstance(parts[0], Labels):
            return Labels(np.concatenate([part.codes for part in parts]), parts[-1].names)
        return np.concatenate(parts)

    return replace(last, **{name: whole(name) for name in _columns(last)})


def _columns(table: Fills) -> list[str]:
    return [field.name for field in fields(table) if field.name != "cut"]


def _rows(column: Any, where: Bools | Ints | slice) -> Any:
    return column.only(where) if isinstance(column, Labels) else column[where]


def _ends_with_newline(file: TextIO) -> bool:
    raw = file.buffer
    size = raw.seek(0, 2)
    raw.seek(max(size - 1, 0))
    whole = raw.read(1) in (b"\n", b"")
    file.seek(0)
    return whole
