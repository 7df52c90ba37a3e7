"""Candles on disk: `<root>/BTC_USDT/1m/2025-10.parquet`, one file per symbol, timeframe and UTC month.

The cache is canonical: the same candles give the same files, in whatever order they came. A candle that was stored is
never changed, files are written whole or not at all, and every byte that is read was checked. Neither pyarrow nor
pandas is imported, so a backtest from cache starts fast.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.candles.absences import Absences, add_absences, drop_absences, known_absences, read_absences
from app.candles.candle_checks import overlaid
from app.candles.durable import replace_files
from app.candles.locks import locked
from app.candles.month_file import (
    COLUMN_NAMES,
    CandleColumns,
    MonthFile,
    check_month,
    describe_month,
    encode_month,
    read_month,
)
from app.candles.ranges import Ranges, clip, ranges_of, subtract, union
from app.errors import ConfigError, DataError, NewerFormatError, OutputError
from app.times import TIME_MAX_MS, TIMEFRAMES_MS, iso_ms, month_bounds_ms, month_of, timeframe_ms

__all__ = ["COLUMN_NAMES", "CandleCache", "CandleColumns", "MergeReport", "MonthFile"]

_MONTH_FILE = re.compile(r"(\d{4}-(?:0[1-9]|1[0-2]))\.parquet", re.ASCII)
# Letters and digits of any script (exchanges list some), '-' and '.' inside; '/' and ':' become '_' and '~'.
_SYMBOL = re.compile(r"[^\W_](?:[^\W_]|[/:.\-](?=[^\W_])){0,99}")
_FOLDER = str.maketrans("/:", "_~")
_SYMBOL_OF_FOLDER = str.maketrans("_~", "/:")
_DISAGREEMENTS_SHOWN = 3


@dataclass(frozen=True)
class MergeReport:
    """What a merge did: candles new to the cache, candles it had already, months whose file changed."""

    new: int
    already_there: int
    months_written: tuple[str, ...]


class CandleCache:
    """The cache below `root`, which need not exist before something is merged.

    A symbol or timeframe that cannot be stored raises ConfigError, a file that is absent, damaged or foreign
    DataError, a disk that is full or read-only OutputError.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def series(self) -> list[tuple[str, str]]:
        """(symbol, timeframe) of everything on disk, sorted by name, then by length of timeframe."""
        found = []
        for folder in (one for parent in _entries(self.root) if parent.is_dir() for one in _entries(parent)):
            symbol = folder.parent.name.translate(_SYMBOL_OF_FOLDER)
            if folder.name in TIMEFRAMES_MS and folder.is_dir() and _SYMBOL.fullmatch(symbol) and _months_in(folder):
                found.append((symbol, folder.name))
        return sorted(found, key=lambda pair: (pair[0], TIMEFRAMES_MS[pair[1]]))

    def months(self, symbol: str, timeframe: str) -> list[str]:
        """The months on disk, ascending; a directory listing, no file is opened."""
        return _months_in(self._folder(symbol, timeframe))

    def path(self, symbol: str, timeframe: str, month: str) -> Path:
        """Where the month's file lies, or would."""
        month_bounds_ms(month)
        return self._folder(symbol, timeframe) / f"{month}.parquet"

    def describe(self, symbol: str, timeframe: str, month: str) -> MonthFile:
        """What the month's footer says; decodes no candle."""
        with _pointing_at_verify():
            about = describe_month(self.path(symbol, timeframe, month))
            _check_place(about, symbol, timeframe, month)
            return about

    def read(self, symbol: str, timeframe: str, month: str) -> CandleColumns:
        """The month's candles, ascending, every byte checked."""
        with _pointing_at_verify():
            return self._read(symbol, timeframe, month)

    def months_between(self, symbol: str, timeframe: str, start_ms: int, end_ms: int) -> list[str]:
        """The months on disk that may hold open times in `[start_ms, end_ms)`, ascending."""
        bounds = {month: month_bounds_ms(month) for month in self.months(symbol, timeframe)}
        return [month for month, (first_ms, next_ms) in bounds.items() if first_ms < end_ms and next_ms > start_ms]

    def damaged(self, symbol: str, timeframe: str, start_ms: int, end_ms: int) -> dict[str, str]:
        """Months in `[start_ms, end_ms)` whose bytes are not those that were sealed, and what is wrong with each."""
        months = self.months_between(symbol, timeframe, start_ms, end_ms)
        faults = {month: fault_of(check_month, self.path(symbol, timeframe, month)) for month in months}
        return {month: fault for month, fault in faults.items() if fault is not None}

    def fault(self, symbol: str, timeframe: str, month: str) -> str | None:
        """What is wrong with the month's file, naming it; None if it can be read to the last byte."""
        return fault_of(self._read, symbol, timeframe, month)

    def strangers(self) -> list[Path]:
        """Parquet files below the root that are none of the cache's by place and name, so never read."""
        known = {self._folder(symbol, timeframe) for symbol, timeframe in self.series()}
        return sorted(
            path
            for path in self.root.rglob("*.parquet")
            if path.parent not in known or not _MONTH_FILE.fullmatch(path.name)
        )

    def merge(self, symbol: str, timeframe: str, columns: CandleColumns) -> MergeReport:
        """Adds candles; those that are stored already must agree.

        `columns` ascend without duplicates, on the timeframe's grid, every number finite; else DataError.
        All months are read and compared before one is written: a disagreement writes nothing.
        """
        _check_mergeable(columns, timeframe)
        if len(columns.open_time_ms) == 0:
            self._folder(symbol, timeframe)
            return MergeReport(0, 0, ())
        with self._changing(symbol, timeframe):
            return self._merge_locked(symbol, timeframe, columns)

    def present(self, symbol: str, timeframe: str, start_ms: int, end_ms: int) -> Ranges:
        """Which open times in `[start_ms, end_ms)` have a candle; footers answer for months without a gap."""
        step_ms = timeframe_ms(timeframe)
        found: list[tuple[int, int]] = []
        for month in self.months_between(symbol, timeframe, start_ms, end_ms):
            about = self.describe(symbol, timeframe, month)
            if about.rows == (about.last_open_ms - about.first_open_ms) // step_ms + 1:
                found.append((about.first_open_ms, about.last_open_ms + step_ms))
            else:
                found += ranges_of(self.read(symbol, timeframe, month).open_time_ms, step_ms)
        return clip(union(found), start_ms, end_ms)

    def absent(self, symbol: str, timeframe: str, exchange: str, start_ms: int, end_ms: int) -> Ranges:
        """Open times in `[start_ms, end_ms)` for which this exchange said that it has nothing."""
        return clip(known_absences(self._folder(symbol, timeframe)).get(exchange, ()), start_ms, end_ms)

    def absences(self, symbol: str, timeframe: str) -> Absences:
        """All that exchanges said they have nothing for; DataError if the record is damaged."""
        return read_absences(self._folder(symbol, timeframe))

    def add_absent(self, symbol: str, timeframe: str, exchange: str, ranges: Ranges) -> None:
        """Writes down what the exchange has nothing for; stored candles are left out."""
        if not ranges:
            return
        with self._changing(symbol, timeframe) as folder:
            present = self.present(symbol, timeframe, ranges[0][0], ranges[-1][1])
            add_absences(folder, exchange, subtract(ranges, present))

    def set_aside(self, symbol: str, timeframe: str, month: str) -> Path:
        """Renames a damaged month file, so that its candles count as missing; where it is now."""
        path = self.path(symbol, timeframe, month)
        aside = path.with_name(f"{path.name}.damaged")
        with self._changing(symbol, timeframe):
            path.replace(aside)
        return aside

    @contextlib.contextmanager
    def _changing(self, symbol: str, timeframe: str) -> Iterator[Path]:
        folder = self._folder(symbol, timeframe)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with locked(folder):
                yield folder
        except OSError as error:
            raise OutputError(
                f"candles cannot be written below {folder}: {error.strerror or error}; what was stored is unchanged"
            ) from error

    def _merge_locked(self, symbol: str, timeframe: str, columns: CandleColumns) -> MergeReport:
        stored_months = set(self.months(symbol, timeframe))
        changed: dict[Path, bytes] = {}
        months_written = []
        new = 0
        disagreements: list[int] = []
        for month, incoming in _by_month(columns):
            stored = [self.read(symbol, timeframe, month)] if month in stored_months else []
            together = overlaid([*stored, incoming])
            disagreements += together.columns.open_time_ms[together.differs].tolist()
            added = len(incoming.open_time_ms) - int(together.repeats.sum())
            if added and not disagreements:
                new += added
                months_written.append(month)
                data = encode_month(symbol, timeframe, month, together.merged())
                changed[self.path(symbol, timeframe, month)] = data
        if disagreements:
            raise _disagreement(symbol, timeframe, self.root, disagreements)
        folder = self._folder(symbol, timeframe)
        # First: a crash in between leaves candles that are asked for again, not an absence beside a candle.
        drop_absences(folder, ranges_of(columns.open_time_ms, timeframe_ms(timeframe)))
        replace_files(folder, changed)
        return MergeReport(new, len(columns.open_time_ms) - new, tuple(months_written))

    def _read(self, symbol: str, timeframe: str, month: str) -> CandleColumns:
        about, columns = read_month(self.path(symbol, timeframe, month))
        _check_place(about, symbol, timeframe, month)
        return columns

    def _folder(self, symbol: str, timeframe: str) -> Path:
        timeframe_ms(timeframe)
        if not _SYMBOL.fullmatch(symbol):
            raise ConfigError(
                f"{symbol!r} cannot name a folder of the cache; a symbol is letters and digits, "
                "with single '/', ':', '-' or '.' between them, like BTC/USDT"
            )
        return self.root / symbol.translate(_FOLDER) / timeframe


def fault_of(read: Callable[..., object], *what: object) -> str | None:
    """Why a file cannot be read; None if it can."""
    try:
        read(*what)
    except DataError as error:
        return str(error)
    return None


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"the cache folder {folder} cannot be listed: {error.strerror or error}") from error


def _months_in(folder: Path) -> list[str]:
    matches = [_MONTH_FILE.fullmatch(entry.name) for entry in _entries(folder)]
    return sorted(match[1] for match in matches if match)


@contextlib.contextmanager
def _pointing_at_verify() -> Iterator[None]:
    try:
        yield
    except NewerFormatError:
        raise
    except DataError as error:
        raise DataError(f"{error}; `python -m app data verify` checks the whole cache") from error


def _check_place(about: MonthFile, symbol: str, timeframe: str, month: str) -> None:
    if (about.symbol, about.timeframe, about.month) != (symbol, timeframe, month):
        raise DataError(
            f"{about.path} holds {about.symbol} {about.timeframe} of {about.month}: it was moved or renamed"
        )


def _check_mergeable(columns: CandleColumns, timeframe: str) -> None:
    times = columns.open_time_ms
    if len({len(column) for column in columns}) != 1:
        raise DataError("candle columns differ in length")
    if len(times) == 0:
        return
    if not bool(np.all(times[1:] > times[:-1])):
        raise DataError("candles to store must ascend by open time, each time once")
    if times[0] < 0 or times[-1] >= TIME_MAX_MS:
        raise DataError(f"open times must lie between 1970 and 9999, these span {times[0]} to {times[-1]} ms")
    off_grid = times[times % timeframe_ms(timeframe) != 0]
    if len(off_grid):
        raise DataError(f"open time {iso_ms(int(off_grid[0]))} is not on the {timeframe} grid")
    for name, column in zip(COLUMN_NAMES[1:], columns.floats(), strict=True):
        if not bool(np.all(np.isfinite(column))):
            raise DataError(f"a candle to store has a {name} that is not a finite number")


def _by_month(columns: CandleColumns) -> Iterator[tuple[str, CandleColumns]]:
    while len(columns.open_time_ms):
        month = month_of(int(columns.open_time_ms[0]))
        next_ms = month_bounds_ms(month)[1]
        yield month, columns.between(0, next_ms)
        columns = columns.between(next_ms, TIME_MAX_MS)


def _disagreement(symbol: str, timeframe: str, root: Path, times_ms: list[int]) -> DataError:
    shown = ", ".join(iso_ms(time_ms) for time_ms in times_ms[:_DISAGREEMENTS_SHOWN])
    more = f" and {len(times_ms) - _DISAGREEMENTS_SHOWN} more" if len(times_ms) > _DISAGREEMENTS_SHOWN else ""
    return DataError(
        f"{symbol} {timeframe}: candles differ from those stored in {root} at {shown}{more}; nothing was written"
    )
