"""One symbol's candles on their way to a slice: which are final, which the exchange has none for, which are open.

A candle is final by the exchange's word: its closed flag, or a checked answer after its close. It is handed out once
and in order, and a copy of it is dropped; other values for one that was handed out are a revision, told once.
"""

from collections import deque
from collections.abc import Iterable
from enum import Enum

from app.candles.ranges import Ranges, clip, contains, subtract, union
from app.models.market import Candle
from app.times import timeframe_ms

_KEPT = 300  # candles that were handed out, to know copies and revisions by and to hold answers to
_DOUBTS = 4  # answers in a row that leave a known candle out, before the exchange is taken at its word


class Known(Enum):
    """What is known of an open time."""

    FINAL = "final"
    ABSENT = "absent"
    OPEN = "open"


class SeriesTrack:
    """One symbol from `begin_ms` on; everything before is somebody else's. Times are open times in ms UTC."""

    def __init__(self, symbol: str, timeframe: str, begin_ms: int) -> None:
        self.symbol = symbol
        self.step_ms = timeframe_ms(timeframe)
        self.next_ms = begin_ms  # the first that was neither handed out nor passed over
        self.last_ms = begin_ms - self.step_ms  # the newest that was handed out
        self.closed_ms = 0  # all before it have closed, by what the exchange showed of this symbol
        self.asked_ms: int | None = None  # the exchange's time when it began to be asked in vain
        self.late_for_ms: int | None = None  # the slot that waited too long for it, while slices go without it
        self.revised: deque[Candle] = deque()
        self.returned: deque[Candle] = deque()  # passed over as absent, then shown after all
        self.replaced = 0  # final frames that differ from what was final before them
        self._ready: dict[int, Candle] = {}
        self._absent: Ranges = ()
        self._handed: dict[int, Candle] = {}
        self._anchors: dict[int, int] = {}  # open times that exist -> answers in a row that left them out
        self._told_revised: set[int] = set()

    @property
    def late(self) -> bool:
        """Whether slices go without it."""
        return self.late_for_ms is not None

    def add_final(self, candle: Candle) -> bool:
        """A final candle; whether it is news, and no copy or too late to be in order."""
        time_ms = candle.open_time_ms
        self.closed_ms = max(self.closed_ms, time_ms + self.step_ms)
        if time_ms >= self.next_ms:
            known = self._ready.setdefault(time_ms, candle)
            self.replaced += known != candle
            return known is candle
        earlier = self._handed.get(time_ms)
        if earlier is not None and earlier != candle and time_ms not in self._told_revised:
            self._told_revised.add(time_ms)
            self.revised.append(candle)
            return True
        if earlier is None and time_ms > self.last_ms:
            self.returned.append(candle)
            self._hand_out(candle)
            return True
        return False

    def note_forming(self, open_time_ms: int) -> None:
        """A candle that has begun: all before it have closed."""
        self.closed_ms = max(self.closed_ms, open_time_ms)

    def forget_after(self, latest_ms: int) -> None:
        """It is no later than this after all: what was taken for closed since has not been."""
        self.closed_ms = min(self.closed_ms, latest_ms // self.step_ms * self.step_ms)
        self._ready = {time_ms: one for time_ms, one in self._ready.items() if time_ms < self.closed_ms}
        self._absent = clip(self._absent, self.next_ms, max(self.next_ms, self.closed_ms))

    def first_open_ms(self) -> int:
        """The first open time of which nothing is known yet, or at which a final candle waits."""
        end_ms = next((end for begin, end in self._absent if begin <= self.next_ms < end), self.next_ms)
        return min([end_ms, *self._ready])

    def skip_to(self, time_ms: int) -> None:
        """There is no candle before this time."""
        self.next_ms = max(self.next_ms, time_ms)

    def note_absent(self, ranges: Ranges) -> None:
        """The exchange has no candle there."""
        self._absent = clip(union(self._absent, ranges), self.next_ms, 10**15)

    def known(self, time_ms: int) -> Known:
        """What is known of an open time that is not before `next_ms`."""
        if time_ms in self._ready:
            return Known.FINAL
        return Known.ABSENT if contains(self._absent, time_ms) else Known.OPEN

    def first_final_ms(self) -> int | None:
        """The first final candle that waits."""
        return min(self._ready, default=None)

    def wanted(self, until_ms: int) -> Ranges:
        """Of what opens before `until_ms`, all that is open."""
        if self.next_ms >= until_ms:
            return ()
        ready = union((time_ms, time_ms + self.step_ms) for time_ms in self._ready)
        return subtract(((self.next_ms, until_ms),), union(self._absent, ready))

    def take(self) -> Candle:
        """The next candle, which is final, goes out."""
        candle = self._ready.pop(self.next_ms)
        self.next_ms += self.step_ms
        self._hand_out(candle)
        return candle

    def skip(self) -> None:
        """There is no next candle."""
        self.next_ms += self.step_ms

    def warm(self, candle: Candle) -> None:
        """A candle that went out before this began: a copy of it is known, and answers must hold it."""
        self._hand_out(candle)

    def resume_after(self, open_time_ms: int) -> None:
        """The newest candle that an earlier session handled, its values unknown here."""
        self.last_ms = open_time_ms
        self._anchors[open_time_ms] = 0

    # What an answer must hold.

    def oldest_ms(self) -> int:
        """The oldest open time that is remembered, or the next one."""
        return next(iter(self._handed), self.next_ms)

    def newest_before_ms(self, time_ms: int) -> int | None:
        """The newest open time before this one of which it is known that the exchange has a candle."""
        sure = (anchor_ms for anchor_ms, doubts in self._anchors.items() if doubts < _DOUBTS)
        return max((known_ms for known_ms in (*sure, *self._ready) if known_ms < time_ms), default=None)

    def anchors(self, since_ms: int, end_ms: int) -> Ranges:
        """Open times in `[since_ms, end_ms)` that the exchange has shown."""
        sure = [time_ms for time_ms, doubts in self._anchors.items() if doubts < _DOUBTS]
        there = [time_ms for time_ms in (*sure, *self._ready) if since_ms <= time_ms < end_ms]
        return union((time_ms, time_ms + self.step_ms) for time_ms in there)

    def doubt(self, left_out: Ranges) -> None:
        """An answer left these out; so many in a row, and the exchange has them no more."""
        for time_ms in self._anchors:
            if contains(left_out, time_ms):
                self._anchors[time_ms] += 1

    def trust(self, shown_ms: Iterable[int]) -> None:
        """An answer showed these open times: another one must hold them, too."""
        oldest_ms = self.next_ms - _KEPT * self.step_ms
        self._anchors.update((time_ms, 0) for time_ms in shown_ms if oldest_ms <= time_ms < self.next_ms)

    def _hand_out(self, candle: Candle) -> None:
        time_ms = candle.open_time_ms
        self.last_ms = time_ms
        self._handed[time_ms] = candle
        self._anchors[time_ms] = 0
        if len(self._handed) > 2 * _KEPT:
            cut = list(self._handed)[-_KEPT:]
            self._handed = {kept: self._handed[kept] for kept in cut}
            self._anchors = {kept: doubts for kept, doubts in self._anchors.items() if kept >= cut[0]}
            self._told_revised = {kept for kept in self._told_revised if kept >= cut[0]}
            self._absent = clip(self._absent, self.next_ms, 10**15)
