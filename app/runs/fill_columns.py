"""The columns of a fill, spelled once: their names in the trade log, how each is written, and how it becomes an array.

The trade log writes `csv_row`, its readers take `COLUMNS`, reports and metrics compute with `Fills`: the same numbers,
whether they come from the rows of a log or from fills in memory. Columns are RULES.md's, then Onetape's own.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
import numpy as np

from app.models.orders import MAIN, Fill
from app.runs.quotients import Bools, Floats, Ints
from app.times import iso_ms

_encode = msgspec.json.Encoder().encode


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
    strategy: Labels
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
        return replace(self, **{name: _rows(getattr(self, name), where) for name in _ARRAYS})

    @property
    def initial_risk(self) -> Floats:
        """Of entries `|price - stop| * quantity`, R's unit; NaN where the fill is at or beyond its own stop (a gap)."""
        distance = self.sign * (self.price - self.stop)
        return np.where(distance > 0.0, distance, np.nan) * self.quantity


class Kind(NamedTuple):
    """What a column holds: as an array of the texts of a log, and of the values of fills (how many there are)."""

    parse: Callable[[Sequence[str]], Any]
    take: Callable[[Iterable[Any], int], Any]


def _optional(texts: Sequence[str]) -> Floats:
    return np.array([float(text) if text else math.nan for text in texts], np.float64)


def _of_type(kind: type) -> Callable[[Iterable[Any], int], Any]:
    return lambda values, count: np.fromiter(values, kind, count)


def _or_nan(values: Iterable[float | None], count: int) -> Floats:
    return np.fromiter((math.nan if value is None else value for value in values), np.float64, count)


TIME = Kind(
    lambda texts: np.array([text.rstrip("Z") for text in texts], "datetime64[ms]").astype(np.int64), _of_type(np.int64)
)
TEXT = Kind(list, lambda values, _: list(map(str, values)))  # becomes Labels
ACTION = Kind(lambda texts: np.array([text == "OPEN" for text in texts], np.bool_), _of_type(np.bool_))
SIDE = Kind(lambda texts: np.array([1.0 if text == "LONG" else -1.0 for text in texts]), _of_type(np.float64))
NUMBER = Kind(lambda texts: np.fromiter(map(float, texts), np.float64, len(texts)), _of_type(np.float64))
OPTIONAL = Kind(lambda texts: _optional(texts) if "" in texts else NUMBER.parse(texts), _or_nan)
INTEGER = Kind(lambda texts: np.array([int(text) for text in texts], np.int64), _of_type(np.int64))
FLAG = Kind(lambda texts: np.array([text == "1" for text in texts], np.bool_), _of_type(np.bool_))


class Column(NamedTuple):
    """A column: its name in the log, the fill's own name of it, what it holds; `array` is its name in `Fills`, if any.

    Older logs have no column that came `later`; in these a text is `absent`.
    """

    name: str
    field: str
    kind: Kind
    array: str = ""
    later: bool = False
    absent: str = ""


FILL = (
    Column("timestamp", "time_ms", TIME, "time_ms"),
    Column("symbol", "symbol", TEXT, "symbol"),
    Column("strategy", "strategy", TEXT, "strategy", later=True, absent=MAIN),
    Column("action", "opens", ACTION, "opens"),
    Column("side", "side", SIDE, "sign"),
    Column("price", "price", NUMBER, "price"),
    Column("quantity", "quantity", NUMBER, "quantity"),
    Column("commission", "commission", NUMBER, "commission"),
    Column("slippage", "slippage", NUMBER, "slippage"),
    Column("balance", "balance", NUMBER),
    Column("equity", "equity", NUMBER),
    Column("realized_pnl", "realized_pnl", NUMBER, "realized_pnl"),
    Column("reason", "reason", TEXT, "reason"),
    Column("trade_id", "trade_id", INTEGER, "trade_id"),
    Column("stop_loss", "stop", OPTIONAL, "stop"),
    Column("take_profit", "target", OPTIONAL, "target"),
    Column("order_id", "order_id", INTEGER),
    Column("sized_by", "sized_by", TEXT),
    Column("both_levels", "both_levels", FLAG, "both_levels"),
    Column("tag", "tag", TEXT, "tag"),
    Column("candle_volume", "candle_volume", OPTIONAL, "candle_volume", later=True),
    Column("mae", "mae", OPTIONAL, "mae", later=True),
    Column("mfe", "mfe", OPTIONAL, "mfe", later=True),
    Column("target_touched", "target_touched", FLAG, "target_touched", later=True),
)
COLUMNS = tuple(column.name for column in FILL)
NEEDED = tuple(column.name for column in FILL if column.array and not column.later)
_ARRAYS = {column.array: column for column in FILL if column.array}


def csv_row(fill: Fill) -> str:
    """One line of the trade log, numbers as the shortest text that reads back as the same double."""
    # A JSON list without its brackets: msgspec prints a double fifteen times as fast as repr(), equally short.
    numbers = _encode(
        (
            fill.price, fill.quantity, fill.commission, fill.slippage, fill.balance, fill.equity, fill.realized_pnl,
            fill.stop, fill.target, fill.candle_volume, fill.mae, fill.mfe,
        )
    )  # fmt: skip
    money, stop, target, *seen = numbers[1:-1].decode().rsplit(",", 5)
    volume, mae, mfe = ("" if number == "null" else number for number in seen)
    return (
        f"{iso_ms(fill.time_ms)},{quoted(fill.symbol)},{fill.strategy},{'OPEN' if fill.opens else 'CLOSE'},"
        f"{'LONG' if fill.side > 0 else 'SHORT'},{money},{fill.reason},{fill.trade_id},"
        f"{stop},{target},{fill.order_id or ''},{fill.sized_by or ''},{int(fill.both_levels)},"
        f"{quoted(fill.tag)},{volume},{mae},{mfe},{int(fill.target_touched)}\n"
    )


@lru_cache(maxsize=1024)  # symbols and tags come again and again
def quoted(text: str) -> str:
    """A user's own text, quoted as RFC 4180 has it where it could be taken for structure."""
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


Names = dict[str, dict[str, int]]  # of each column of text, its texts in the order in which they came


def fills_of(fills: Sequence[Fill]) -> Fills:
    """The arrays that the log of these fills would give."""
    names: Names = {}

    def array(column: Column) -> Any:
        values = column.kind.take(map(attrgetter(column.field), fills), len(fills))
        return _labels(values, column, names) if column.kind is TEXT else values

    return Fills(**{name: array(column) for name, column in _ARRAYS.items()})


def fills_of_rows(columns: Mapping[str, Sequence[str]], names: Names) -> Fills:
    """Of rows of a log, by column; what the log does not have is NaN, empty or False. ValueError where a text is none.

    `names` has the texts of the rows before these, and gets those of these.
    """
    count = len(columns.get("timestamp", ()))

    def array(column: Column) -> Any:
        texts = columns.get(column.name, (column.absent,) * count)
        if column.kind is TEXT:
            return _labels(texts, column, names)
        return (OPTIONAL if column.kind is NUMBER and column.name not in columns else column.kind).parse(texts)

    return Fills(**{name: array(column) for name, column in _ARRAYS.items()})


def joined(blocks: Sequence[Fills]) -> Fills:
    """Blocks of one log, in their order."""
    last = blocks[-1]  # its names are those of all blocks

    def whole(name: str) -> Any:
        parts = [getattr(block, name) for block in blocks]
        if isinstance(parts[0], Labels):
            return Labels(np.concatenate([part.codes for part in parts]), parts[-1].names)
        return np.concatenate(parts)

    return replace(last, **{name: whole(name) for name in _ARRAYS})


def _labels(texts: Sequence[str], column: Column, names: Names) -> Labels:
    seen = names.setdefault(column.name, {})
    codes = [seen.setdefault(text, len(seen)) for text in texts]
    return Labels(np.array(codes, np.int64), list(seen))


def _rows(column: Any, where: Bools | Ints | slice) -> Any:
    return column.only(where) if isinstance(column, Labels) else column[where]
