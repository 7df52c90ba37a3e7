"""The aligner: final candles of all symbols in, the session's events out, in the order that RULES.md ("Live") gives.

Slices come in strictly rising close time, each with all candles that the exchange has for it. One that waited too long
for a symbol goes without it; what that symbol has then comes late, in order, before its next slice. There is no slice
for a time at which nobody has a candle.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.feeds.finality import Known, SeriesTrack
from app.models.events import LateCandle, MarkedSlice, RevisedCandle
from app.models.market import Candle, Slice

FeedEvent = Slice | LateCandle | RevisedCandle


@dataclass(frozen=True)
class Patience:
    """How long to wait, in ms by the exchange's candles, and when a symbol is stale, in timeframes."""

    grace_ms: int
    late_ms: int
    stale_candles: int


class Aligner:
    """`tracks` in config order. Slots begin at open time `slot_ms`; those before `start_ms` are warm-up.

    `done` once the slot before `end_ms` went out or nobody has a candle for it.
    """

    def __init__(
        self, tracks: Sequence[SeriesTrack], patience: Patience, *, slot_ms: int, start_ms: int, end_ms: int | None
    ) -> None:
        self._tracks = tracks
        self._step_ms = tracks[0].step_ms
        self._patience = patience
        self._slot_ms, self._start_ms = slot_ms, start_ms
        self._end_ms = 10**15 if end_ms is None else end_ms
        self.done = False
        self.slices = 0
        self.last_close_ms: int | None = None

    def wanted_until_ms(self, track: SeriesTrack, now_ms: int) -> int:
        """Up to where the track's open times ought to be known: closed by its own candles, or the grace is over."""
        over_ms = (now_ms - self._patience.grace_ms) // self._step_ms * self._step_ms
        return min(self._end_ms, max(track.closed_ms, over_ms))

    def next_event(self, now_ms: int) -> FeedEvent | None:
        """The event that is due, if one is; `now_ms` by the exchange's candles."""
        while not self.done:
            event = self._told() or self._caught_up()
            if event is not None:
                return event
            if self._slot_ms >= self._end_ms:
                self.done = True
            elif self._is_settled():
                slice_ = self._slice(now_ms)
                if slice_ is not None:
                    return slice_
            elif not self._give_up(now_ms):
                return None
        return None

    def _told(self) -> FeedEvent | None:
        """What the exchange said of candles that went out, or that it had denied."""
        for track in self._tracks:
            if track.revised:
                return RevisedCandle(track.revised.popleft())
            if track.returned:
                return self._late(track.returned.popleft())
        return None

    def _late(self, candle: Candle) -> LateCandle:
        return LateCandle(candle, candle.open_time_ms < self._start_ms)

    def _caught_up(self) -> LateCandle | None:
        """The next candle of a symbol that slices went on without; who has caught up is back in them."""
        for track in self._tracks:
            while track.next_ms < self._slot_ms and (known := track.known(track.next_ms)) is not Known.OPEN:
                if known is Known.FINAL:
                    return self._late(track.take())
                track.skip_to(min(track.first_open_ms(), self._slot_ms))
            if track.late and self._is_back(track):
                track.late_for_ms, track.asked_ms = None, None
        return None

    def _is_back(self, track: SeriesTrack) -> bool:
        """Caught up with the slices, and past the one that went without it unless that is known by now."""
        if track.late_for_ms is None or track.next_ms < self._slot_ms:
            return False
        return track.next_ms > track.late_for_ms or track.known(track.next_ms) is not Known.OPEN

    def _waited_for(self) -> list[SeriesTrack]:
        return [track for track in self._tracks if not track.late]

    def _is_open(self, track: SeriesTrack, slot_ms: int) -> bool:
        if track.next_ms == slot_ms:  # the usual case, without walking over all that waits
            return track.known(slot_ms) is Known.OPEN
        return bool(track.wanted(slot_ms + self._step_ms))

    def _is_settled(self) -> bool:
        waited_for = self._waited_for()
        return bool(waited_for) and not any(self._is_open(track, self._slot_ms) for track in waited_for)

    def _slice(self, now_ms: int) -> Slice | None:
        """The slot is over: its slice, if anybody has a candle."""
        candles: list[Candle] = []
        for track in self._waited_for():
            if track.known(self._slot_ms) is Known.FINAL:
                candles.append(track.take())
            else:
                track.skip()
        open_time_ms = self._slot_ms
        close_ms = self._slot_ms = open_time_ms + self._step_ms
        if not candles:
            self._pass_over_nothing()
            return None
        self.last_close_ms = close_ms
        self.slices += 1
        if open_time_ms < self._start_ms:
            return Slice(close_ms, tuple(candles), True)
        late = now_ms - close_ms > self._patience.late_ms
        stale = self._stale(open_time_ms)
        if late or stale:
            return MarkedSlice(close_ms, tuple(candles), False, late, stale)
        return Slice(close_ms, tuple(candles), False)

    def _pass_over_nothing(self) -> None:
        """On to the next slot of which anything is to be known, however far it is."""
        waited_for = self._waited_for()
        self._slot_ms = max(self._slot_ms, min(self._end_ms, *(track.first_open_ms() for track in waited_for)))
        for track in waited_for:
            track.skip_to(self._slot_ms)

    def _stale(self, open_time_ms: int) -> tuple[str, ...]:
        oldest_ms = open_time_ms - self._patience.stale_candles * self._step_ms
        return tuple(track.symbol for track in self._tracks if track.last_ms <= oldest_ms)

    def _give_up(self, now_ms: int) -> bool:
        """Whoever made the first slice that could go wait too long is late now; whether anything changed."""
        waited_for = self._waited_for()
        firsts = [first for track in waited_for if (first := track.first_final_ms()) is not None]
        if not firsts:
            return self._end_without(waited_for, now_ms)
        slot_ms = max(self._slot_ms, min(firsts))
        overdue = [track for track in waited_for if self._is_overdue(track, slot_ms, now_ms)]
        for track in overdue:
            track.late_for_ms = slot_ms
        return bool(overdue)

    def _is_overdue(self, track: SeriesTrack, slot_ms: int, now_ms: int) -> bool:
        """Not only is the slice old: the exchange was asked for as long, and in vain."""
        if track.asked_ms is None or not self._is_open(track, slot_ms):
            return False
        since_ms = max(slot_ms + self._step_ms, track.asked_ms - self._patience.grace_ms)
        return now_ms > since_ms + self._patience.late_ms

    def _end_without(self, waited_for: Sequence[SeriesTrack], now_ms: int) -> bool:
        """The end has passed, and whoever was asked has nothing for it."""
        last_ms = self._end_ms - self._step_ms
        self.done = all(self._is_overdue(track, last_ms, now_ms) for track in (waited_for or self._tracks))
        return self.done
