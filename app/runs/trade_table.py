"""Fills and closed trades of a finished run as arrays, read from its trade log: whole, or up to the first fault.

A report made later has the figures of the run, because both read the log. Rows are read in blocks; a last line that
was cut half-way is left out and said. No pandas.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from app.errors import DataError
from app.models.orders import GOES_ON
from app.runs.fill_columns import NEEDED, Fills, Names, fills_of_rows, joined
from app.runs.quotients import Bools, Floats, Ints

_BLOCK_ROWS = 1_024
_OF_TRADES = (
    "timestamp", "symbol", "action", "side", "price", "quantity", "equity", "realized_pnl", "reason", "trade_id",
)  # fmt: skip
_NO_NUMBER = "holds what is no number or time"


@dataclass(frozen=True)
class Trades:
    """Closed trades in the order in which they were closed: row i of each table is the same trade's.

    `last` is the last CLOSE as the log has it; `exit` is the same row with the trade's legs added to its money (PnL,
    costs, excursions). `kept_legs` are the legs of positions that are still open: money of the run, of no closed trade.
    """

    entry: Fills
    exit: Fills
    last: Fills
    kept_legs: Fills

    def __len__(self) -> int:
        return len(self.exit.price)

    def only(self, where: Bools | Ints | slice) -> "Trades":
        """These trades."""
        exits = self.exit.only(where)
        last = exits if self.last is self.exit else self.last.only(where)
        return Trades(self.entry.only(where), exits, last, self.kept_legs)

    @property
    def pnl(self) -> Floats:
        """Net of both commissions and slippage."""
        return self.exit.realized_pnl

    @property
    def costs(self) -> Floats:
        """Commission and slippage of all its fills."""
        one, other = self.entry, self.exit
        return one.commission + other.commission + one.slippage + other.slippage

    @property
    def held_ms(self) -> Ints:
        """From the entry's fill to the exit's."""
        return self.exit.time_ms - self.entry.time_ms

    @property
    def initial_risk(self) -> Floats:
        """R's unit; NaN where the entry filled at or beyond its own stop."""
        return self.entry.initial_risk


def read_fills(path: Path) -> Fills:
    """The whole log; DataError for a file that is none, or a line that cannot be read."""
    with path.open(encoding="utf-8", newline="") as file:
        ends_whole = _ends_with_newline(file)
        reader = csv.reader(file)
        header = next(reader, [])
        missing = [name for name in NEEDED if name not in header]
        if missing:
            raise DataError(f"{path} is no trade log: it has no column {missing[0]}")
        blocks = list(_blocks(path, reader, header, ends_whole))
    return replace(joined(blocks), cut=not ends_whole)


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
        names: Names = {}
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
                return joined(blocks), earlier
            line, rows, damaged = line + len(rows), following, next_damaged
    return joined(blocks), problem


def no_fills() -> Fills:
    """An empty table."""
    return fills_of_rows({}, {})


def trades_of(fills: Fills, path: Path) -> Trades:
    """Each trade's last CLOSE with its OPEN; positions still open are left out.

    DataError for a CLOSE whose OPEN is not there.
    """
    is_leg, entries = legs_among(fills), entries_of(fills)
    closes = np.flatnonzero(~fills.opens & ~is_leg)
    order = np.argsort(entries.trade_id, kind="stable")
    ids, wanted = entries.trade_id[order], fills.trade_id[closes]
    found = among(wanted, ids)
    places = np.searchsorted(ids, wanted)
    if not found.all():
        raise DataError(f"{path}: the CLOSE of trade {wanted[~found][0]} has no OPEN before it")
    last, legs = fills.only(closes), fills.only(is_leg)
    exits = with_legs(last, legs) if is_leg.any() else last
    kept = legs.only(~among(legs.trade_id, last.trade_id))
    return Trades(entries.only(order[places]), exits, last, kept)


def entries_of(fills: Fills) -> Fills:
    """A row for each trade that was opened: one whose entry was filled in parts has their mean price and their sums,
    and the time of the first.
    """
    opens = fills.only(fills.opens)
    ids = opens.trade_id
    if (np.diff(ids) > 0).all():
        return opens
    place: dict[int, int] = {}
    places = np.array([place.setdefault(trade_id, len(place)) for trade_id in ids.tolist()])
    sums: dict[str, Any] = {name: np.zeros(len(place)) for name in ("quantity", "commission", "slippage")}
    for name, total in sums.items():
        np.add.at(total, places, getattr(opens, name))
    paid = np.zeros(len(place))
    np.add.at(paid, places, opens.price * opens.quantity)
    first = np.full(len(place), len(ids))
    np.minimum.at(first, places, np.arange(len(ids)))
    return replace(opens.only(first), price=paid / sums["quantity"], **sums)


def legs_among(fills: Fills) -> Bools:
    """Which rows closed a part of a trade that went on."""
    goes_on: Bools = np.logical_or.reduce([fills.reason.equal(reason) for reason in GOES_ON])
    goes_on = goes_on & ~fills.opens
    if goes_on.any():
        goes_on[_written_off(fills, goes_on)] = False
    return goes_on


def _written_off(fills: Fills, goes_on: Bools) -> list[int]:
    # The last row of a trade whose rest was too little to be sold: its line has one position, and opened another.
    rows = np.flatnonzero(among(fills.trade_id, fills.trade_id[goes_on]) & ~fills.opens)
    last = {int(fills.trade_id[row]): int(row) for row in rows.tolist()}
    ends = [row for row in last.values() if goes_on[row]]
    return [row for row in ends if _opens_again(fills, row)]


def _opens_again(fills: Fills, row: int) -> bool:
    later = slice(row + 1, None)
    own = (fills.symbol.codes[later] == fills.symbol.codes[row]) & (
        fills.strategy.codes[later] == fills.strategy.codes[row]
    )
    return bool((own & fills.opens[later] & (fills.trade_id[later] != fills.trade_id[row])).any())


def with_legs(exits: Fills, legs: Fills) -> Fills:
    """Last CLOSEs with the money of their trades' legs added; a trade that is still open has no last CLOSE."""
    order = np.argsort(exits.trade_id, kind="stable")
    ended = legs.only(among(legs.trade_id, exits.trade_id))
    places = order[np.searchsorted(exits.trade_id[order], ended.trade_id)]
    sums = {name: getattr(exits, name).copy() for name in ("realized_pnl", "commission", "slippage", "mae", "mfe")}
    for name, total in sums.items():
        np.add.at(total, places, getattr(ended, name))
    return replace(exits, **sums)


def among(values: Ints, some: Ints) -> Bools:
    """Which of the values are some of those: np.isin without the 10 ms that its first call spends on imports."""
    ascending = np.sort(some)
    places = np.searchsorted(ascending, values)
    found: Bools = places < len(ascending)
    found[found] = ascending[places[found]] == values[found]
    return found


def _blocks(path: Path, reader: Iterator[list[str]], header: list[str], ends_whole: bool) -> Iterator[Fills]:
    names: Names = {}
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


def _until_fault(rows: list[list[str]], header: list[str], names: Names, line: int) -> tuple[Fills, str | None]:
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


def _rows_block(rows: list[list[str]], header: list[str], names: Names) -> Fills:
    return fills_of_rows(dict(zip(header, zip(*rows, strict=True), strict=True)) if rows else {}, names)


def _ends_with_newline(file: TextIO) -> bool:
    raw = file.buffer
    size = raw.seek(0, 2)
    raw.seek(max(size - 1, 0))
    whole = raw.read(1) in (b"\n", b"")
    file.seek(0)
    return whole
