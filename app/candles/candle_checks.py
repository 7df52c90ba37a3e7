"""What candles must be before they are stored: finite, sane, on the grid, ascending, each time once.

Nothing is repaired: a wrong candle is refused with its file and row. Only agreeing duplicates are merged, unsorted rows
sorted and, when asked for, off-grid times left out, all counted. Gaps are found, never filled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from app.candles.month_file import COLUMN_NAMES, BoolArray, CandleColumns, FloatArray, Int64Array, concatenated
from app.errors import DataError
from app.times import TIMEFRAMES_MS, iso_ms, timeframe_ms

_LOOK_CANDLES = 3  # one step between two candles says nothing of the others


@dataclass(frozen=True)
class RawCandles:
    """Candles as a file gives them, in its order; `rows` are the numbers that its reader would count."""

    path: Path
    columns: CandleColumns
    rows: Int64Array
    row_word: str

    def place(self, index: int) -> str:
        """Where a candle stands, for an error message: `btc.csv, line 17`."""
        return f"{self.path}, {self.row_word} {self.rows[index]}"


@dataclass(frozen=True)
class CheckedCandles:
    """Candles that may be stored, and what was done to get them so."""

    columns: CandleColumns
    duplicates_merged: int
    off_grid_ms: tuple[int, ...]


@dataclass(frozen=True)
class Gap:
    """A stretch of the grid without candles: open times of the first and last one missing.

    `exchanges` are those that said that they have nothing for all of it.
    """

    first_ms: int
    last_ms: int
    candles: int
    exchanges: tuple[str, ...] = ()


def check_candles(
    files: Sequence[RawCandles], timeframe: str, *, drop_off_grid: bool = False, force: bool = False
) -> CheckedCandles:
    """All files together as one ascending series; DataError with file, row and what would be right.

    `force` takes candles that look like those of a coarser timeframe.
    """
    for raw in files:
        _check_numbers(raw)
    off_grid = [_off_grid(raw, timeframe, drop_off_grid) for raw in files]
    kept = [_kept(raw, ~mask) for raw, mask in zip(files, off_grid, strict=True)]
    if not force:
        for raw in kept:
            _refuse_coarser(raw, timeframe)
    columns, duplicates = _one_series(kept)
    left_out = np.concatenate([raw.columns.open_time_ms[mask] for raw, mask in zip(files, off_grid, strict=True)])
    return CheckedCandles(columns, duplicates, tuple(int(time_ms) for time_ms in np.unique(left_out)))


def find_gaps(open_time_ms: Int64Array, timeframe: str) -> list[Gap]:
    """The gaps inside ascending, on-grid open times."""
    step_ms = timeframe_ms(timeframe)
    before = np.flatnonzero(np.diff(open_time_ms) > step_ms)
    ends = zip(open_time_ms[before].tolist(), open_time_ms[before + 1].tolist(), strict=True)
    return [Gap(last + step_ms, first - step_ms, (first - last) // step_ms - 1) for last, first in ends]


def coarser_timeframe(open_time_ms: Int64Array, timeframe: str) -> str | None:
    """The timeframe above `timeframe` that ascending candles look like: that of most of the steps between them.

    Where no step is that of most, it is what divides all of them.
    """
    if len(open_time_ms) < _LOOK_CANDLES:
        return None
    steps_ms, counts = np.unique(np.diff(open_time_ms), return_counts=True)
    usual_ms = steps_ms[np.argmax(counts)] if 2 * counts.max() > counts.sum() else np.gcd.reduce(steps_ms)
    longer = {ms: name for name, ms in TIMEFRAMES_MS.items() if ms > timeframe_ms(timeframe) and usual_ms % ms == 0}
    return longer[max(longer)] if longer else None


def _refuse_coarser(raw: RawCandles, timeframe: str) -> None:
    looks_like = coarser_timeframe(np.unique(raw.columns.open_time_ms), timeframe)
    if looks_like is not None:
        raise DataError(
            f"{raw.path}: these look like {looks_like} candles, not {timeframe}: most of their times lie {looks_like} "
            f"apart; --timeframe {looks_like} imports them as such, --force as {timeframe} candles with gaps"
        )


def _check_numbers(raw: RawCandles) -> None:
    candles = raw.columns
    named = dict(zip(COLUMN_NAMES[1:], candles.floats(), strict=True))
    for name, column in named.items():
        _refuse(raw, ~np.isfinite(column), name, "is not a finite number")
    for name in ("open", "high", "low", "close"):
        _refuse(raw, named[name] <= 0, name, "is not a price; it must be above zero")
    _refuse(raw, candles.volume < 0, "volume", "is negative; it must be zero or more")
    for name in ("open", "close"):
        other = named[name]
        _refuse(raw, candles.high < other, "high", f"is below {name} {{}}; it must be the highest price", other)
        _refuse(raw, candles.low > other, "low", f"is above {name} {{}}; it must be the lowest price", other)


def _refuse(raw: RawCandles, wrong: BoolArray, name: str, why: str, compared_to: FloatArray | None = None) -> None:
    if not bool(wrong.any()):
        return
    index = int(np.argmax(wrong))
    value = raw.columns[COLUMN_NAMES.index(name)][index]
    reason = why if compared_to is None else why.format(compared_to[index])
    raise DataError(f"{raw.place(index)}: {name} {value} {reason}")


def _off_grid(raw: RawCandles, timeframe: str, drop_off_grid: bool) -> BoolArray:
    off: BoolArray = raw.columns.open_time_ms % timeframe_ms(timeframe) != 0
    count = int(off.sum())
    if count == 0:
        return off
    index = int(np.argmax(off))
    first = iso_ms(int(raw.columns.open_time_ms[index]))
    if 2 * count > len(off):
        raise DataError(
            f"{raw.place(index)}: open time {first} and {count - 1} more of {len(off)} are not on the "
            f"{timeframe} grid; the candles are of another timeframe, or stamped with their close"
        )
    if not drop_off_grid:
        raise DataError(
            f"{raw.place(index)}: open time {first} is not on the {timeframe} grid "
            f"({count} of {len(off)} are not); --drop-off-grid leaves them out and lists them"
        )
    return off


def _kept(raw: RawCandles, keep: BoolArray) -> RawCandles:
    if bool(keep.all()):
        return raw
    return RawCandles(raw.path, raw.columns.take(keep), raw.rows[keep], raw.row_word)


def _one_series(files: Sequence[RawCandles]) -> tuple[CandleColumns, int]:
    """Everything sorted and each time once, and how many duplicates were merged."""
    together = overlaid([raw.columns for raw in files])
    contradicting = np.flatnonzero(together.differs)
    if len(contradicting):
        at = int(contradicting[0])
        raise DataError(
            f"{_place(files, int(together.order[at]))}: the candle of "
            f"{iso_ms(int(together.columns.open_time_ms[at]))} differs from the one in "
            f"{_place(files, int(together.order[at - 1]))} ({len(contradicting)} such); only one can be right"
        )
    return together.merged(), int(together.repeats.sum())


def _place(files: Sequence[RawCandles], index: int) -> str:
    for raw in files:
        if index < len(raw.rows):
            return raw.place(index)
        index -= len(raw.rows)
    raise IndexError(index)


class Overlaid(NamedTuple):
    """Candles of several parts, ascending, and where each stood in the parts one after the other.

    `repeats` are those with the open time of the one before, `differs` those of them with other numbers.
    """

    columns: CandleColumns
    order: Int64Array
    repeats: BoolArray
    differs: BoolArray

    def merged(self) -> CandleColumns:
        """Each open time once."""
        return self.columns.take(~self.repeats) if bool(self.repeats.any()) else self.columns


def overlaid(parts: Sequence[CandleColumns]) -> Overlaid:
    """Parts in any order, which may overlap."""
    together = concatenated(parts)
    order = np.argsort(together.open_time_ms, kind="stable")
    columns = together.take(order)
    repeats, differs = np.zeros((2, len(order)), dtype=np.bool_)
    repeats[1:] = columns.open_time_ms[1:] == columns.open_time_ms[:-1]
    for column in columns.floats():
        differs[1:] |= column[1:] != column[:-1]
    return Overlaid(columns, order, repeats, repeats & differs)


def joined(parts: Sequence[CandleColumns]) -> CandleColumns:
    """Parts in any order, which may overlap, as one ascending series; DataError where they contradict each other."""
    together = overlaid(parts)
    if bool(together.differs.any()):
        time_ms = int(together.columns.open_time_ms[np.argmax(together.differs)])
        raise DataError(f"two candles of {iso_ms(time_ms)} differ")
    return together.merged()
