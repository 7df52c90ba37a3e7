"""The exchange's time as it tells it: its clock where it was asked, frames as far as that bears them out.

The time is never this machine's, and stands still between two tellings. The local monotonic clock only says which claim
nobody can believe before the exchange is asked again: one further ahead than the last answer and the seconds since
allow (a testnet's pace is learnt; its clock may be held). Where the exchange's clock disagrees with its own candles (a
frame of a forming candle after its close), the candles are right. Other answers are believed once frames bear them
out, or once they were repeated for a while and no frame spoke against them.
"""

from typing import NamedTuple

_SLACK_MS, _SLACK_S = 250, 0.05
_UNDER_WAY_MS = 2_000  # what a frame may need to come
_PACE_S = 0.05  # two answers closer together say nothing of the pace
_REPEATS, _REPEATED_S = 3, 10.0


class TimeAnswer(NamedTuple):
    """What the exchange's clock showed, at a moment between the two of the local monotonic clock."""

    time_ms: int
    asked_s: float
    answered_s: float


class _Pace(NamedTuple):
    """Milliseconds of the exchange in one of this machine, as measured: at least and at most."""

    least: float
    most: float


_REAL = _Pace(1.0, 1.0)  # every exchange's but a testnet's
_FAST = 1.2  # a testnet's pace at least; what is slower is an exchange's, or was held


class ExchangeClock:
    """`time_ms` as the exchange told it last (0: never), `candle_ms` that time by its candles."""

    def __init__(self, step_ms: int, *, has_own_pace: bool = False) -> None:
        self.time_ms = 0
        self.ahead_ms = 0  # its clock against its candles, as far as frames have proved
        self.doubted = 0  # answers that were not believed
        self._step_ms = step_ms
        self._has_own_pace, self._pace = has_own_pace, _REAL
        self._told: TimeAnswer | None = None
        self._has_jumped = False  # to the answer that is believed; a second jump in a row is another pace
        self._is_sure = False  # a second answer has borne out the first
        self._doubts: list[TimeAnswer] = []  # in a row, each bearing out the one before
        self._frame: tuple[int, float] | None = None  # newest event time that was heard, and when
        self._fitting_s = float("-inf")  # when a frame last fitted what is believed
        self._newest_open_ms = 0

    @property
    def candle_ms(self) -> int:
        """What time it is by the exchange's candles."""
        return self.time_ms - self.ahead_ms

    @property
    def is_sure(self) -> bool:
        """Whether two answers have borne each other out."""
        return self._is_sure

    def latest_ms(self, now_s: float) -> int:
        """What time it can be at most, by the exchange's candles: no candle has opened after it."""
        return self._latest_ms(now_s) - self.ahead_ms

    def told_age_s(self, now_s: float) -> float:
        """How long ago the last answer that is believed was given."""
        return float("inf") if self._told is None else now_s - self._told.answered_s

    def note_answer(self, answer: TimeAnswer) -> bool:
        """It was asked and answered; whether that is believed. This is also how time may go back."""
        told = self._told
        if told is None:
            self._believe(answer)
        elif self._follows(told, answer, self._slack_ms) and not self._is_held_back(answer):
            self._learn_pace(told, answer)
            self._is_sure |= _pace_between(told, answer) is not None
            self._has_jumped = False
            self._believe(answer)
        elif self._is_shown_by_frames(answer) or self._is_pace(told, answer) or self._is_repeated(answer):
            if self._has_jumped:
                self._learn_pace(told, answer, again=True)
            self._is_sure = self._has_jumped = True
            self.ahead_ms = 0
            self._newest_open_ms = min(self._newest_open_ms, answer.time_ms)
            self._believe(answer)
        else:
            self.doubted += 1
            return False
        return True

    def hear(self, event_time_ms: int, now_s: float) -> bool:
        """A frame's own time; whether it is one that only another answer could explain."""
        self._frame = event_time_ms, now_s
        if self._least_ms(now_s) <= event_time_ms <= self._latest_ms(now_s):
            self._fitting_s = now_s
            return False
        return True

    def note_frame(self, open_time_ms: int, event_time_ms: int, now_s: float, *, closed: bool) -> bool:
        """A frame of a candle that has opened; whether what it says of the time is news that can be believed."""
        if event_time_ms > self._latest_ms(now_s):
            return False
        into_ms = event_time_ms - open_time_ms
        most_ms = into_ms - self._step_ms if closed else into_ms  # a candle that is there has opened
        least_ms = into_ms - self._step_ms + 1  # one that is forming has not closed
        # An old candle that is shown again proves nothing.
        if not closed and open_time_ms >= self._newest_open_ms:
            self.ahead_ms = max(self.ahead_ms, least_ms)
        self.ahead_ms = max(0, min(self.ahead_ms, most_ms))
        self._newest_open_ms = max(self._newest_open_ms, open_time_ms)
        if event_time_ms <= self.time_ms:
            return False
        self.time_ms = event_time_ms
        return True

    @property
    def _slack_ms(self) -> int:
        return int(_SLACK_MS + _SLACK_S * 1000.0 * self._pace.most)

    def _latest_ms(self, now_s: float) -> int:
        told = self._told
        if told is None:
            return 0
        return told.time_ms + int((now_s - told.asked_s) * 1000.0 * self._pace.most) + self._slack_ms

    def _least_ms(self, now_s: float) -> int:
        """What time it must be, by the last answer and the seconds since, give or take a candle."""
        told = self._told
        if told is None:
            return 0
        passed_ms = int(max(0.0, now_s - told.answered_s) * 1000.0 * self._least_pace)
        return told.time_ms + passed_ms - self._slack_ms - self._step_ms

    def _believe(self, answer: TimeAnswer) -> None:
        self._told, self._doubts = answer, []
        self.time_ms = answer.time_ms

    @property
    def _least_pace(self) -> float:
        return 1.0 if self._pace == _REAL else 0.0

    def _follows(self, before: TimeAnswer, answer: TimeAnswer, slack_ms: int) -> bool:
        """Whether as much time passed between two answers as the local clock saw pass."""
        least_s, most_s = answer.asked_s - before.answered_s, answer.answered_s - before.asked_s
        passed_ms = answer.time_ms - before.time_ms
        least_ms, most_ms = max(0.0, least_s) * 1000.0 * self._least_pace, most_s * 1000.0 * self._pace.most
        return least_ms - slack_ms <= passed_ms <= most_ms + slack_ms

    def _is_held_back(self, answer: TimeAnswer) -> bool:
        """Whether a testnet's clock, which may stand, is behind what its frames have told since: an old answer."""
        return self._pace != _REAL and answer.time_ms < self.time_ms - self._slack_ms

    def _learn_pace(self, before: TimeAnswer, answer: TimeAnswer, *, again: bool = False) -> None:
        pace = _pace_between(before, answer)
        if not self._has_own_pace or pace is None or pace.most < _FAST:
            return
        if again or self._pace == _REAL:
            self._pace = pace
        elif max(self._pace.least, pace.least) <= min(self._pace.most, pace.most):  # it was not held in between
            self._pace = _Pace(max(self._pace.least, pace.least), min(self._pace.most, pace.most))

    def _is_pace(self, told: TimeAnswer, answer: TimeAnswer) -> bool:
        """At the start: three answers on one line are a clock of another pace, as a testnet's is."""
        if not self._has_own_pace or self._is_sure or not self._doubts:
            return False
        before, after = _pace_between(told, self._doubts[-1]), _pace_between(self._doubts[-1], answer)
        if before is None or after is None or before.most < after.least or after.most < before.least:
            return False
        self._learn_pace(told, answer)
        return True

    def _is_shown_by_frames(self, answer: TimeAnswer) -> bool:
        """Whether the newest frame tells the time of this answer, and not the one that is believed."""
        if self._frame is None or self._fitting_s == self._frame[1]:
            return False
        event_ms, heard_s = self._frame
        shown = TimeAnswer(event_ms, heard_s, heard_s)
        return self._follows(shown, answer, self._slack_ms + _UNDER_WAY_MS)

    def _is_repeated(self, answer: TimeAnswer) -> bool:
        if self._doubts and not self._follows(self._doubts[-1], answer, self._slack_ms):
            self._doubts = []
        self._doubts.append(answer)
        first = self._doubts[0]
        is_long = not self._is_sure or answer.answered_s - first.asked_s >= _REPEATED_S
        return len(self._doubts) >= _REPEATS and is_long and self._fitting_s < first.asked_s


def _pace_between(before: TimeAnswer, answer: TimeAnswer) -> _Pace | None:
    least_s, most_s = answer.asked_s - before.answered_s, answer.answered_s - before.asked_s
    passed_ms = answer.time_ms - before.time_ms
    if least_s < _PACE_S or passed_ms < 0:
        return None
    return _Pace(passed_ms / most_s / 1000.0, passed_ms / least_s / 1000.0)
