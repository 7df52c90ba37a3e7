"""The candles that a run traded on: of its own tape, or of the month files that its manifest names by their hash.

Only candles that are surely the run's: what is no longer there is said and never replaced by something near it.
Warm-up candles are left out. A cache is read a month at a time, so a long run needs no more memory than a short one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

import numpy as np

from app.candles.cache import CandleCache
from app.candles.manifest_candles import ManifestCandles
from app.candles.month_file import CandleColumns
from app.errors import DataError
from app.models.events import Event, LateCandle
from app.models.market import Candle, Slice
from app.runs.run_on_disk import RunOnDisk
from app.times import month_bounds_ms, month_of, parse_time_ms, timeframe_ms


@dataclass(frozen=True)
class SymbolCandles:
    """Candles of one symbol, read a month at a time.

    `first_ms` and `last_ms` are the outermost open times; `least` of the candles are there for certain, there may be
    more. `read` gives the candles of one of the months, ascending.
    """

    months: Sequence[str]
    first_ms: int
    last_ms: int
    least: int
    read: Callable[[str], CandleColumns]

    @classmethod
    def of(cls, columns: CandleColumns) -> "SymbolCandles":
        """Of candles in memory, at least one."""
        times = columns.open_time_ms
        first_ms, last_ms = int(times[0]), int(times[-1])
        found: dict[str, slice] = {}
        begin = 0
        while begin < len(times):
            month = month_of(int(times[begin]))
            end = int(times.searchsorted(month_bounds_ms(month)[1]))
            found[month] = slice(begin, end)
            begin = end
        return cls(list(found), first_ms, last_ms, len(times), lambda month: columns.take(found[month]))

    def only(self, month: str) -> "SymbolCandles | None":
        """Those of one month; None where there are none."""
        columns = self.read(month) if month in self.months else None
        return None if columns is None else SymbolCandles.of(columns)

    def whole(self) -> CandleColumns:
        """All of them in memory."""
        return CandleColumns(*(np.concatenate(column) for column in zip(*map(self.read, self.months), strict=True)))


@dataclass(frozen=True)
class RunCandles:
    """By symbol in config order; a symbol without any is absent. `problems` in sentences."""

    by_symbol: Mapping[str, SymbolCandles] = field(default_factory=dict)
    problems: Sequence[str] = ()


def candles_of(run: RunOnDisk, caches: Sequence[CandleCache]) -> RunCandles:
    """What can be found."""
    if run.timeframe is None or not run.symbols:
        return RunCandles(
            problems=["The candles cannot be shown: nothing says which symbols and timeframe these were."]
        )
    try:
        return _of_tape(run) or _of_caches(run, caches)
    except DataError as error:
        return RunCandles(problems=[f"The candles cannot be shown: {error}."])


def _of_caches(run: RunOnDisk, caches: Sequence[CandleCache]) -> RunCandles:
    named = run.manifest.get("data")
    if not named:
        return RunCandles(problems=["The candles cannot be shown: no manifest names the files that were read."])
    period = run.manifest["period"]
    span = parse_time_ms(period["start"]), parse_time_ms(period["end"])
    candles, timeframe = ManifestCandles(named, caches), str(run.timeframe)
    source = candles.of_session(timeframe, span[1])
    found = {symbol: _of_months(source, symbol, timeframe, span) for symbol in run.symbols}
    present = {symbol: own for symbol, own in found.items() if own is not None}
    if not candles.lost:
        return RunCandles(present)
    places = ", ".join(str(cache.root) for cache in caches)
    lost = f"{len(candles.lost)} of {len(candles.hashes)} month files are no longer in {places}"
    return RunCandles(present, [f"Candles are missing from the charts: {lost}; --cache DIR says where to look."])


def _of_months(candles: CandleCache, symbol: str, timeframe: str, span: tuple[int, int]) -> SymbolCandles | None:
    start_ms, end_ms = span

    def read(month: str) -> CandleColumns:
        columns = candles.read(symbol, timeframe, month)
        begin, end = columns.open_time_ms.searchsorted(span).tolist()
        return columns if end - begin == len(columns.open_time_ms) else columns.take(slice(begin, end))

    months, least = [], 0
    first_ms, last_ms = end_ms, start_ms
    for month in candles.months(symbol, timeframe):
        about = candles.describe(symbol, timeframe, month)
        if about.last_open_ms < start_ms or about.first_open_ms >= end_ms:
            continue
        begins, ends = about.first_open_ms >= start_ms, about.last_open_ms < end_ms
        if begins and ends:
            least += about.rows
        elif not begins and not ends and not len(read(about.month).open_time_ms):
            continue  # the period lies in a gap of it
        months.append(about.month)
        first_ms, last_ms = min(first_ms, about.first_open_ms), max(last_ms, about.last_open_ms)
    if not months:
        return None
    last_ms = min(last_ms, end_ms - timeframe_ms(timeframe))
    return SymbolCandles(months, max(first_ms, start_ms), last_ms, least, read)


def _of_tape(run: RunOnDisk) -> RunCandles | None:
    if not (run.folder / "tape").is_dir():
        return None  # a backtest's: the journal need not be imported for it
    from app.feeds.tape import has_tape, read_tape
    from app.feeds.tape_events import event_blocks

    if not has_tape(run.folder):
        return None
    taken: dict[str, list[CandleColumns]] = {symbol: [] for symbol in run.symbols}
    for events in event_blocks(read_tape(run.folder)):
        for symbol, candles in _by_symbol(events).items():
            times_ms = np.fromiter(map(attrgetter("open_time_ms"), candles), np.int64, len(candles))
            floats = (
                np.fromiter(map(attrgetter(name), candles), np.float64, len(candles))
                for name in CandleColumns._fields[1:]
            )
            taken.setdefault(symbol, []).append(CandleColumns(times_ms, *floats))
    return RunCandles({symbol: SymbolCandles.of(_newest(parts)) for symbol, parts in taken.items() if parts})


def _by_symbol(events: Sequence[Event]) -> dict[str, list[Candle]]:
    found: dict[str, list[Candle]] = {}
    for event in events:
        candles: Sequence[Candle] = ()
        if isinstance(event, Slice) and not event.warmup:
            candles = event.candles
        elif isinstance(event, LateCandle) and not event.warmup:
            candles = (event.candle,)
        for candle in candles:
            found.setdefault(candle.symbol, []).append(candle)
    return found


def _newest(parts: Sequence[CandleColumns]) -> CandleColumns:
    # Ascending; of two candles of one time, a late one among them, the newest counts.
    columns = CandleColumns(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    order = np.argsort(columns.open_time_ms, kind="stable")
    return columns.take(order[np.append(np.diff(columns.open_time_ms[order]) > 0, True)])
