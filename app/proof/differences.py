"""What two runs were fed and built with, held against each other: each difference with its class and its evidence.

A difference is a fact of the tapes, candles or manifests, with the values of both runs; whether it led to anything is
not asked here. Both inputs are read once, side by side; kept is only what has no partner yet.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from msgspec.structs import replace as replace_fields

from app.models.events import Close, Command, Event, LateCandle, MarkedSlice, RevisedCandle, Stop
from app.models.market import Candle, Slice
from app.report.pairing import by_time
from app.times import iso_ms

NAMES = ("A", "B")
_FIELDS = ("open", "high", "low", "close", "volume")
Key = tuple[str, int]  # symbol and open time


class Cause(StrEnum):
    """Why two runs may part."""

    CONFIG = "config"
    CODE = "code"
    WARM_UP = "warm-up"
    DATA = "data"
    GAP = "gap"
    TIMING = "timing"
    SAFETY = "safety"
    FILL = "fill"
    REAL_ORDERS = "real orders"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True)
class Difference:
    """One difference; `time_ms`: a candle's open time if `of_candle`, else a slice's close time; None: from the start.

    `symbol` is empty where it concerns all of them.
    """

    cause: Cause
    time_ms: int | None
    symbol: str
    said: str
    of_candle: bool = False


@dataclass
class _Beat:
    """A slice and everything that came between it and the next."""

    close_ms: int
    slice: Slice | None = None
    late: list[Candle] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)


@dataclass
class _Stretch:
    """Slices in a row on which one run alone has a mark."""

    begin_ms: int
    last_ms: int
    slices: int = 1


class InputComparison:
    """Compares two streams of events over the symbols that both runs have."""

    def __init__(
        self, symbols: Sequence[str], end_cause: Cause = Cause.GAP, unread: Sequence[tuple[str, int, int]] = ()
    ) -> None:
        self._symbols = symbols
        self._end_cause = end_cause  # of one run that goes on where the other has ended
        self._unread = unread  # symbol, begin, end: what one of the runs could not be asked for
        self._waiting: tuple[dict[Key, tuple[Candle, int | None]], ...] = ({}, {})
        self._revised: set[Key] = set()
        self._marks: dict[tuple[int, str], _Stretch] = {}
        self._found: list[Difference] = []
        self._keep = True  # candles without a partner; after the end of one run they are too many, and told as one

    def run(self, a: Iterable[Event], b: Iterable[Event]) -> list[Difference]:
        """All differences, by time; those from the start on first."""
        first: list[_Beat | None] = [None, None]
        last: list[_Beat | None] = [None, None]
        for pair, one_ended in by_time(self._beats(a), self._beats(b), lambda beat: beat.close_ms):
            for side, beat in enumerate(pair):
                if beat is not None and beat.slice is not None:
                    first[side], last[side] = first[side] or beat, beat
            if None in pair and None in first:
                self._compare_commands(pair)
                continue  # before the other run begins: its candles are told as one, by where each begins
            self._keep = not one_ended
            self._compare(pair)
        if not self._unread:
            self._tell_start(first)
            self._tell_end(last)
        self._tell_gaps()
        for (side, symbol), stretch in self._marks.items():
            self._tell_mark(side, symbol, stretch)
        found = [self._with_revision(one) for one in self._found]
        return sorted(found, key=lambda one: (-1 if one.time_ms is None else one.time_ms, one.symbol))

    def _beats(self, events: Iterable[Event]) -> Iterator[_Beat]:
        beat = _Beat(-1)
        for event in events:
            if isinstance(event, Slice):
                # A stop that the session went on after kept everything as it was: it decided nothing.
                beat.commands = [one for one in beat.commands if not isinstance(one, Stop)]
                if beat.slice is not None or beat.late or beat.commands:
                    yield beat
                beat = _Beat(event.close_time_ms, event)
            elif isinstance(event, LateCandle):
                beat.late.append(event.candle)
            elif isinstance(event, RevisedCandle):
                self._revised.add((event.candle.symbol, event.candle.open_time_ms))
            elif isinstance(event, Command):
                beat.commands.append(event)
        if beat.slice is not None or beat.late or beat.commands:
            yield beat

    def _compare(self, pair: Sequence[_Beat | None]) -> None:
        slices = [None if beat is None else beat.slice for beat in pair]
        one, other = slices
        if one is None or other is None or one.candles != other.candles:
            for side, slice_ in enumerate(slices):
                for candle in () if slice_ is None else slice_.candles:
                    self._arrive(side, candle, None)
        if one is not other:
            self._compare_marks(slices)
        for side, beat in enumerate(pair):
            for candle in () if beat is None else beat.late:
                self._arrive(side, candle, beat.close_ms if beat is not None else None)
        self._compare_commands(pair)

    def _compare_commands(self, pair: Sequence[_Beat | None]) -> None:
        given = [[] if beat is None else beat.commands for beat in pair]
        wanted = [[replace_fields(one, why="") for one in own] for own in given]
        if wanted[0] != wanted[1]:
            for side, commands in enumerate(given):
                for command in commands:
                    self._tell_command(side, command, pair)

    def _arrive(self, side: int, candle: Candle, late_ms: int | None) -> None:
        if candle.symbol not in self._symbols or any(
            symbol == candle.symbol and begin_ms <= candle.open_time_ms < end_ms
            for symbol, begin_ms, end_ms in self._unread
        ):
            return
        key = (candle.symbol, candle.open_time_ms)
        partner = self._waiting[1 - side].pop(key, None)
        if partner is None:
            if self._keep:
                self._waiting[side][key] = candle, late_ms
            return
        both = (candle, late_ms), partner
        (mine, my_late), (theirs, their_late) = both if side == 0 else both[::-1]
        if my_late != their_late:
            said = f"it came {_when(my_late)} in A and {_when(their_late)} in B"
            self._add(Cause.TIMING, key, f"{_candle(key)}: {said}")
        values = [
            f"{name} {getattr(mine, name)!r} in A, {getattr(theirs, name)!r} in B"
            for name in _FIELDS
            if getattr(mine, name) != getattr(theirs, name)
        ]
        if values:
            self._add(Cause.DATA, key, f"{_candle(key)}: {'; '.join(values)}")

    def _compare_marks(self, slices: Sequence[Slice | None]) -> None:
        marks = [_marks(one, self._symbols) for one in slices]
        times_ms = [one.close_time_ms for one in slices if one is not None]
        for side, mine in enumerate(marks):
            alone = [symbol for symbol in mine if symbol not in marks[1 - side]]
            for symbol in alone:
                stretch = self._marks.get((side, symbol))
                if stretch is None:
                    self._marks[side, symbol] = _Stretch(times_ms[0], times_ms[0])
                else:
                    stretch.last_ms, stretch.slices = times_ms[0], stretch.slices + 1
            for ended in [key for key in self._marks if key[0] == side and key[1] not in alone]:
                self._tell_mark(*ended, self._marks.pop(ended))

    def _tell_mark(self, side: int, symbol: str, stretch: _Stretch) -> None:
        what = f"{symbol} was stale" if symbol else "the slice was handled late"
        until = "" if stretch.slices == 1 else f" and {stretch.slices - 1} more until {iso_ms(stretch.last_ms)}"
        said = f"{what} in {NAMES[side]} only, so no entry: the slice that closes {iso_ms(stretch.begin_ms)}{until}"
        self._found.append(Difference(Cause.TIMING, stretch.begin_ms, symbol, said))

    def _tell_command(self, side: int, command: Command, pair: Sequence[_Beat | None]) -> None:
        close_ms = max(beat.close_ms for beat in pair if beat is not None)
        symbol = command.symbol if isinstance(command, Close) else ""
        name = f"{type(command).__name__.lower()} {symbol}".strip()
        what = f"{name} ({command.why}) in {NAMES[side]}"
        when = "before the first slice" if close_ms < 0 else f"after the slice that closes {iso_ms(close_ms)}"
        self._found.append(Difference(Cause.SAFETY, None if close_ms < 0 else close_ms, symbol, f"{what}, {when}"))

    def _tell_start(self, first: Sequence[_Beat | None]) -> None:
        a, b = first
        if a is None or b is None or a.close_ms == b.close_ms:
            return
        earlier = a if a.close_ms < b.close_ms else b
        said = f"the first slice closes {iso_ms(a.close_ms)} in A and {iso_ms(b.close_ms)} in B"
        if earlier.slice is not None and earlier.slice.warmup:
            self._found.append(Difference(Cause.WARM_UP, None, "", f"the indicators start elsewhere: {said}"))
        else:
            self._found.append(Difference(Cause.GAP, None, "", f"candles before the run begins in the other: {said}"))

    def _tell_end(self, last: Sequence[_Beat | None]) -> None:
        a, b = last
        if a is None or b is None or a.close_ms == b.close_ms:
            return
        shorter, name, other = (a, *NAMES) if a.close_ms < b.close_ms else (b, *NAMES[::-1])
        said = f"{name} ends with the slice that closes {iso_ms(shorter.close_ms)}, {other} goes on"
        self._found.append(Difference(self._end_cause, shorter.close_ms, "", said))

    def _tell_gaps(self) -> None:
        for side, waiting in enumerate(self._waiting):
            for key, (_, late_ms) in waiting.items():
                late = "" if late_ms is None else f", where it came {_when(late_ms)}"
                self._add(Cause.GAP, key, f"{_candle(key)}: it is there in {NAMES[side]} only{late}")

    def _with_revision(self, one: Difference) -> Difference:
        # Known only at the end: the exchange may revise a candle long after it was handled.
        if one.cause is not Cause.DATA or (one.symbol, one.time_ms) not in self._revised:
            return one
        return replace(one, said=f"{one.said}; the exchange revised it later")

    def _add(self, cause: Cause, key: Key, said: str) -> None:
        self._found.append(Difference(cause, key[1], key[0], said, of_candle=True))


def _marks(slice_: Slice | None, symbols: Sequence[str]) -> list[str]:
    """`""` for a late slice, and the symbols that were stale in it."""
    if not isinstance(slice_, MarkedSlice):
        return []
    return [*([""] if slice_.late else []), *(symbol for symbol in symbols if symbol in slice_.stale)]


def _candle(key: Key) -> str:
    return f"candle of {key[0]} that opens {iso_ms(key[1])}"


def _when(late_ms: int | None) -> str:
    return "in its slice" if late_ms is None else f"late, after the slice that closes {iso_ms(late_ms)}"
