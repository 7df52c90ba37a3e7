"""The exchange's time for signed requests: never ahead of it, so that what is signed is valid no longer than it says.

An answer of its clock is a lower bound: when it came, it was at least that late there. Of many answers the greatest
bound counts, carried on by this machine's monotonic clock; this machine's time of day plays no part. A testnet's clock
has a pace of its own, learnt from two answers.
"""

from typing import NamedTuple

_REAL_PACE = 0.9998  # what this machine's clock may run fast by: a request signed too early is harmless
_PACE_S = 0.05  # two answers closer together say nothing of the pace
_OLD_S, _TESTNET_OLD_S = 300.0, 2.0  # asked again after so long
_VAGUE_MS = 500.0  # or when the pace of a testnet leaves so much open


class _Told(NamedTuple):
    time_ms: int
    asked_s: float
    answered_s: float


class ServerClock:
    """`has_own_pace`: a testnet, whose time may run at another speed than this machine's."""

    def __init__(self, *, has_own_pace: bool = False) -> None:
        self._has_own_pace = has_own_pace
        # Milliseconds of the exchange in one of this machine: at least, and at most.
        self._pace = 0.0 if has_own_pace else _REAL_PACE
        self._most_pace = float("inf")
        self._first: _Told | None = None  # of the answers that the pace is learnt from
        self._is_paced = False
        self._bound: tuple[int, float] | None = None  # the time that it was at least, and when
        self._noted_s = float("-inf")
        self._is_doubted = False

    @property
    def knows(self) -> bool:
        """Whether there is anything to sign with."""
        return self._bound is not None and not self._is_doubted and (self._is_paced or not self._has_own_pace)

    def is_old(self, now_s: float, times: float = 1.0) -> bool:
        """Whether it is time to ask again."""
        if self._bound is None or not self.knows:
            return True
        if not self._has_own_pace:
            return now_s - self._noted_s > _OLD_S * times
        is_vague = (self._most_pace - self._pace) * (now_s - self._bound[1]) * 1000.0 > _VAGUE_MS
        return is_vague or now_s - self._noted_s > _TESTNET_OLD_S * times

    def doubt(self) -> None:
        """The exchange refused a time stamp: what is known counts no more."""
        self._is_doubted = True

    def at_least_ms(self, now_s: float) -> int:
        """The exchange's time now, or a little less."""
        if self._bound is None:
            raise RuntimeError("the exchange's clock was never asked")
        bound_ms, then_s = self._bound
        return bound_ms + int(max(0.0, now_s - then_s) * 1000.0 * self._pace)

    def note(self, time_ms: int, asked_s: float, answered_s: float) -> None:
        """It was asked, and answered."""
        told = _Told(time_ms, asked_s, answered_s)
        if self._has_own_pace:
            self._learn_pace(told)
        most_ms = time_ms + int((answered_s - asked_s) * 1000.0 * max(1.0, self._pace)) + 1
        carried_ms = -1 if self._bound is None or self._is_doubted else self.at_least_ms(answered_s)
        if not time_ms <= carried_ms <= most_ms:  # else what is known is closer, and this answer bears it out
            self._bound = time_ms, answered_s
        self._noted_s, self._is_doubted = answered_s, False

    def _learn_pace(self, told: _Told) -> None:
        first, seen_s = self._first, 0.0
        if first is not None:
            seen_s = told.asked_s - first.answered_s
        if first is None or self._is_doubted:
            self._begin(told)
        elif seen_s >= _PACE_S:
            passed_ms = told.time_ms - first.time_ms
            least = passed_ms / (told.answered_s - first.asked_s) / 1000.0
            most = passed_ms / seen_s / 1000.0
            if least > self._most_pace or most < self._pace or passed_ms < 0:  # its clock was set, or held
                self._begin(told)
            else:
                self._pace, self._most_pace = max(self._pace, least), min(self._most_pace, most)
                self._is_paced = True

    def _begin(self, told: _Told) -> None:
        self._first, self._pace, self._most_pace, self._is_paced = told, 0.0, float("inf"), False
        self._is_doubted = True  # so that this answer is the bound
