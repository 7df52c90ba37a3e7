"""Checks whole DataFrames: does the value of a row, or the signal for it, depend on later rows?

A row is held against itself in a frame that begins at the same candle, so only what comes after it can make a
difference. Equal means to 1e-9: arrays of other lengths may be summed in another order. The history is taken in
stretches, so memory does not grow with its length.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from msgspec.structs import replace

from app.candles.cache import CandleColumns
from app.models.market import Candle
from app.models.orders import Line, Signal
from app.research.checks.answer_log import answer_of, relative_difference
from app.research.checks.observed_run import StrategyFailedError, candles_asked, has_frames
from app.research.checks.past_cache import scrambled
from app.research.checks.request import FrameCheck, FrameDifference, Request
from app.session.plan import RunPlan
from app.strategies.loader import LoadedStrategy
from app.times import iso_ms

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 1e-9
STRETCH = 30_000  # rows that are checked at a time
_LEAD = 2_048  # rows before them that a stretch begins with, at least
_BLOCK = 64  # rows that share one frame with a future
_AHEAD = 64  # rows of future behind a block, and behind a stretch
_WINDOW = 256  # rows before a block, at least
_WHOLE_CUTS = 16  # of a whole stretch, for what looks further ahead than a block
_REFINED = 2_000  # rows that are looked through for the very first one
_PRICES = ("open", "high", "low", "close", "volume")


class _Wrong(NamedTuple):
    row: int
    what: str
    with_future: str
    without: str
    how: str


def check_frames(request: Request, plan: RunPlan) -> FrameCheck:
    """Check `add_indicators` and, where there is one, `generate_signal` for each line of the run that has them.

    Every row is cut right behind itself, or `request.rows_max` of a strategy; the answer says how many that were.
    """
    own = [(spec.id, loaded) for spec, loaded in plan.strategies.of if has_frames(loaded)]
    frames = {line: one for id_, loaded in own for line, one in _frames_of(request, plan, id_, loaded)}
    found = [replace(one.first, symbol=str(line)) for line, one in frames.items() if one.first is not None]
    first = min(found, key=lambda one: one.close_time_ms, default=None)
    rows, checked, cuts = (sum(getattr(one, name) for one in frames.values()) for name in ("done", "checked", "cuts"))
    return FrameCheck(rows, checked, cuts, all(one.has_signals for one in frames.values()), first)


def _frames_of(
    request: Request, plan: RunPlan, strategy: str, loaded: LoadedStrategy
) -> Iterator[tuple[Line, "SymbolFrames"]]:
    asked = candles_asked(request, plan, strategy)
    rows = Counter(one.symbol for one in asked if one.close_time_ms > request.start_ms)
    has_signals = callable(getattr(loaded.cls, "generate_signal", None))
    each = max(request.rows_max // max(len(rows), 1), 1)
    symbols = {
        symbol: SymbolFrames(loaded, has_signals, request.start_ms, list(chosen_rows(0, count, each)))
        for symbol, count in rows.items()
    }
    for candle in candles_asked(request, plan, strategy):
        if candle.symbol in symbols:
            symbols[candle.symbol].add(candle)
    for symbol, one in symbols.items():
        one.check_rest()
        yield Line(strategy, symbol), one


class SymbolFrames:
    """The candles of one symbol as they come; `chosen` are the rows to cut behind, the first row of the run is 0.

    `first` is the first difference that was found; after it nothing is checked any more.
    """

    def __init__(self, make: Callable[[], Any], has_signals: bool, start_ms: int, chosen: Sequence[int]) -> None:
        self.checked = self.cuts = 0
        self.first: FrameDifference | None = None
        self.held: list[Candle] = []
        self._make, self.has_signals, self._start_ms, self._chosen = make, has_signals, start_ms, chosen
        self._lead = max(_LEAD, 4 * int(make().warmup_candles))
        self._begin = 0  # of the rows in `held` that are still to be checked
        self.done = 0  # rows of the run before that

    def add(self, candle: Candle) -> None:
        """The next candle; a stretch is checked once it is full and has a future behind it."""
        self.held.append(candle)
        if candle.close_time_ms <= self._start_ms:
            self._begin = len(self.held)
        elif len(self.held) - self._begin >= STRETCH + _AHEAD:
            self._check(self._begin + STRETCH)

    def check_rest(self) -> None:
        """There is no later candle."""
        self._check(len(self.held))

    def _check(self, end: int) -> None:
        begin, done = self._begin, self.done
        if self.first is None and begin < end:
            frames = Frames(self._make, self.held, begin, end, self.has_signals)
            wrong = frames.check([begin + row - done for row in self._chosen if done <= row < done + end - begin])
            self.checked, self.cuts = self.checked + frames.checked, self.cuts + frames.cuts
            if wrong is not None:
                candle = self.held[wrong.row]
                self.first = FrameDifference(candle.symbol, candle.close_time_ms, *wrong[1:])
        self.done += end - begin
        dropped = max(0, end - self._lead)
        del self.held[:dropped]
        self._begin = end - dropped


@dataclass
class Frames:
    """Candles of one symbol, of which `begin` to `end` are checked. `checked` and `cuts` count what was done.

    Frames with a future and frames without are given to instances of their own: what one keeps, the other has not.
    """

    make: Callable[[], Any]
    candles: Sequence[Candle]
    begin: int
    end: int
    has_signals: bool
    checked: int = 0
    cuts: int = 0
    _frame: "pd.DataFrame" = field(init=False)
    _reference: "tuple[int, pd.DataFrame] | None" = None
    _window: int = 0
    _seeing: Any = field(init=False)
    _blind: Any = field(init=False)
    _misled: Any = field(init=False)

    def __post_init__(self) -> None:
        self._frame = frame_of(self.candles)
        self._seeing, self._blind, self._misled = self.make(), self.make(), self.make()

    def check(self, rows: Iterable[int]) -> _Wrong | None:
        """The first row that depends on a later one, of those that were looked at; `rows` are cut behind."""
        whole = self._indicators(self._seeing, self._frame)
        self._window = self._enough(whole)
        found = [self._first_cut_row(rows), self._first_of_whole(whole)]
        return min(filter(None, found), key=lambda one: one.row, default=None)

    def _first_cut_row(self, rows: Iterable[int]) -> _Wrong | None:
        before = self.begin - 1
        for row in rows:
            self.checked += 1
            wrong = self._cut_behind(row)
            if wrong is not None:
                skipped = range(max(before + 1, row - _REFINED), row)
                return next(filter(None, map(self._cut_behind, skipped)), wrong)
            before = row
        return None

    def _cut_behind(self, row: int) -> _Wrong | None:
        start, reference = self._with_future(row)
        known = self._frame.iloc[start : row + 1]
        without = self._indicators(self._blind, known)
        label = self._frame.index[row]
        if found := _row_difference(reference, without, label):
            return _Wrong(row, *found, "future cut")
        if self.has_signals:
            signals = (
                self._signal(self._seeing, reference.loc[:label], row),
                self._signal(self._blind, without.loc[:label], row),
            )
            if signals[0] != signals[1]:
                return _Wrong(row, "generate_signal", *signals, "future cut")
        future = self._frame.iloc[row + 1 : start + len(reference)]
        if len(future):
            import pandas as pd

            other = self._indicators(self._misled, pd.concat([known, scrambled_frame(future)]))
            if found := _row_difference(reference, other, label):
                return _Wrong(row, *found, "future scrambled")
        return None

    def _with_future(self, row: int) -> "tuple[int, pd.DataFrame]":
        # One frame with a future for all rows of a block: the same first candle as the frames without.
        block = row // _BLOCK * _BLOCK
        start = max(0, block - self._window)
        if self._reference is None or self._reference[0] != block:
            self._reference = block, self._indicators(self._seeing, self._frame.iloc[start : block + _BLOCK + _AHEAD])
        return start, self._reference[1]

    def _first_of_whole(self, whole: "pd.DataFrame") -> _Wrong | None:
        count = self.end - self.begin
        found = []
        for number in range(1, _WHOLE_CUTS + 1):
            cut = self.begin + count * number // (_WHOLE_CUTS + 1)
            without = self._indicators(self._blind, self._frame.iloc[: cut + 1])
            self.cuts += 1
            label = first_differing(whole, without, self._frame.index[self.begin : cut + 1])
            if label is not None and (difference := _row_difference(whole, without, label)):
                row = int(self._frame.index.searchsorted(label))
                at = iso_ms(self.candles[cut].close_time_ms)
                found.append(_Wrong(row, *difference, f"history cut at {at}"))
        return min(found, key=lambda one: one.row, default=None)

    def _enough(self, whole: "pd.DataFrame") -> int:
        """Rows before a block until all that has a value in the whole history has one: else nothing is compared."""
        rows = len(self._frame)
        declared = self._blind.warmup_candles
        window, wanted = max(_WINDOW, 2 * int(declared)), _filled(whole)
        while window < rows and wanted - _filled(self._indicators(self._blind, self._frame.iloc[-window:])):
            window *= 2
        return window

    def _indicators(self, strategy: Any, frame: "pd.DataFrame") -> "pd.DataFrame":
        import pandas as pd

        try:
            made = strategy.add_indicators(frame.copy())
        except Exception as error:
            raise StrategyFailedError(error, f"add_indicators() of {len(frame):,} rows") from error
        if not isinstance(made, pd.DataFrame) or not made.index.isin(frame.index).all() or made.index.has_duplicates:
            problem = TypeError("it must return a DataFrame whose index is that of its argument, each label once")
            raise StrategyFailedError(problem, f"add_indicators() of {len(frame):,} rows")
        return made

    def _signal(self, strategy: Any, frame: "pd.DataFrame", row: int) -> str:
        try:
            signal = strategy.generate_signal(frame)
        except Exception as error:
            raise StrategyFailedError(
                error, f"generate_signal() of {iso_ms(self.candles[row].close_time_ms)}"
            ) from error
        return str(answer_of(self.candles[row], signal)) if isinstance(signal, Signal) else repr(signal)


def chosen_rows(begin: int, end: int, rows_max: int) -> Iterator[int]:
    """All rows in `[begin, end)`, or `rows_max` of them: one somewhere in each of so many equal stretches."""
    count = end - begin
    if count <= rows_max:
        yield from range(begin, end)
        return
    for number in range(rows_max):
        low, high = begin + count * number // rows_max, begin + count * (number + 1) // rows_max
        # A fixed step would meet a rule of every n-th candle always or never; 2654435761 is Knuth's multiplier.
        yield low + number * 2_654_435_761 % (1 << 32) % (high - low)


def frame_of(candles: Sequence[Candle]) -> "pd.DataFrame":
    """Columns timestamp_ms (open time), open, high, low, close, volume; indexed by the open time (UTC)."""
    import pandas as pd

    columns = {"timestamp_ms": np.array([one.open_time_ms for one in candles], dtype=np.int64)}
    columns |= {name: np.array([getattr(one, name) for one in candles], dtype=np.float64) for name in _PRICES}
    index = pd.to_datetime(columns["timestamp_ms"], unit="ms", utc=True).rename("timestamp")
    return pd.DataFrame(columns, index=index)


def scrambled_frame(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The same times with other candles."""
    other = scrambled(CandleColumns(*(frame[name].to_numpy() for name in ("timestamp_ms", *_PRICES))))
    return frame.assign(**dict(zip(_PRICES, other.floats(), strict=True)))


def first_differing(whole: "pd.DataFrame", without: "pd.DataFrame", labels: "pd.Index[Any]") -> Any:
    """The first of these rows whose value differs in any column of both; None if none does."""
    import pandas as pd

    differs = np.zeros(len(labels), dtype=bool)
    ours, theirs = whole.reindex(labels), without.reindex(labels)
    for name in whole.columns.intersection(without.columns):
        left, right = ours[name], theirs[name]
        if pd.api.types.is_numeric_dtype(left) and pd.api.types.is_numeric_dtype(right):
            numbers = left.to_numpy(dtype=float, na_value=np.nan), right.to_numpy(dtype=float, na_value=np.nan)
            differs |= ~np.isclose(*numbers, rtol=TOLERANCE, atol=0.0, equal_nan=True)
        else:
            differs |= ~((left == right) | (left.isna() & right.isna())).fillna(False).to_numpy(dtype=bool)
    return labels[int(differs.argmax())] if differs.any() else None


def _row_difference(with_future: "pd.DataFrame", without: "pd.DataFrame", label: Any) -> tuple[str, str, str] | None:
    """What differs in a row, its value with and without the future; None if nothing does."""
    there = label in with_future.index, label in without.index
    if there[0] != there[1]:
        return "the row itself", "kept" if there[0] else "dropped", "kept" if there[1] else "dropped"
    if not there[0]:
        return None
    ours, theirs = with_future.loc[label].to_dict(), without.loc[label].to_dict()
    for name in ours:
        left, right = ours[name], theirs.get(name, "no such column")
        if not _is_same(left, right):
            return f"column {name}", _shown(left), _shown(right)
    return None


def _is_same(left: Any, right: Any) -> bool:
    try:
        return relative_difference(float(left), float(right)) <= TOLERANCE
    except (TypeError, ValueError):
        import pandas as pd

        return bool(pd.isna(left) and pd.isna(right)) or bool(left == right)


def _shown(value: Any) -> str:
    return repr(float(value)) if isinstance(value, (int, float, np.number)) else str(value)


def _filled(frame: "pd.DataFrame") -> set[Any]:
    """Columns that have a value at the end, looking back a few rows: a leak leaves the last ones empty."""
    return set(frame.columns[frame.tail(_AHEAD).notna().any()]) if len(frame) else set()
