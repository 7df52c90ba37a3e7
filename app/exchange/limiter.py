"""The request budget of one exchange: asyncio-throttle's sliding window with weights, pauses and the server's count.

Requests start in the order in which they asked, at most `rate` weight in any second, none before a pause is over, and
none that would take the server's own count of its minute over its limit.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from math import inf

from asyncio_throttle.throttler import Throttler

from app import times

WEIGHT_A_SECOND = 20  # 1200 a minute, Binance US's limit, paced evenly
_SECOND_S = 1.0
_MINUTE_S = 60.0
_POLL_S = 0.01
_QUIET_S = 1.0


class RateLimiter:
    """One limiter for everything that is asked of one exchange; `rate` in weight a second, None for no limit."""

    def __init__(self, rate: int | None) -> None:
        self._rate = rate
        self._window = None if rate is None else Throttler(rate_limit=rate, period=_SECOND_S)
        self._turn = asyncio.Lock()  # one waiter polls at a time: waiting costs next to nothing and keeps its order
        self._paused_until_s = 0.0
        self._minute_limit: float = inf
        self._counted = 0  # by the server, in its minute
        self._counted_s = -inf  # when it last told
        self._overtaken = 0  # weight that was under way then: its answers tell of earlier counts
        self._minute_seen_s = -inf  # when that minute had begun at the latest
        self._in_flight = 0
        self.requests = 0
        self.weight = 0

    @contextlib.asynccontextmanager
    async def request(self, weight: int = 1) -> AsyncIterator[None]:
        """Wait for a start; the body is the request. A waiter that is cancelled has used nothing."""
        async with self._turn:
            while (wait_s := self._wait_s(weight)) > 0:
                await asyncio.sleep(wait_s)
            # Nothing waits from here on: a start takes its whole weight at once, or has taken nothing.
            if self._window is not None:
                for _ in range(self._slots(weight)):
                    await self._window.acquire()  # type: ignore[no-untyped-call]  # the library has none
            self.requests += 1
            self.weight += weight
            self._in_flight += weight
        try:
            yield
        finally:
            self._in_flight -= weight

    @contextlib.contextmanager
    def at_once(self, weight: int = 1) -> Iterator[float]:
        """For an order, which waits behind no other request: the seconds for which the server takes none, 0 to start.

        It is not paced by the second, only counted in the server's minute; there are few of them.
        """
        wait_s = max(0.0, self._paused_until_s - times.monotonic_s())
        if wait_s == 0.0 and not self._fits_minute(weight):
            wait_s = max(_POLL_S, self._minute_seen_s + _MINUTE_S - times.monotonic_s())
        if wait_s > 0.0:
            yield wait_s
            return
        self.requests += 1
        self.weight += weight
        self._in_flight += weight
        try:
            yield 0.0
        finally:
            self._in_flight -= weight

    @property
    def minute_weight(self) -> int:
        """The server's count of its minute as far as it told, with what is under way."""
        is_over = times.monotonic_s() - self._minute_seen_s > _MINUTE_S
        return (0 if is_over else self._counted) + self._in_flight

    @property
    def minute_limit(self) -> float | None:
        """What it allows in a minute; None while it has not said."""
        return None if self._minute_limit == inf else self._minute_limit

    @property
    def is_paused(self) -> bool:
        """Whether nothing may start at this moment."""
        return self._paused_until_s > times.monotonic_s()

    def pause_for(self, seconds: float) -> None:
        """Nothing starts for so long; a shorter pause does not end a longer one."""
        self._paused_until_s = max(self._paused_until_s, times.monotonic_s() + seconds)

    def note_used(self, weight: int) -> None:
        """The server's count of the weight used in its minute, that of other processes included."""
        now_s = times.monotonic_s()
        less = self._counted - weight
        # Answers overtake each other: a count a little lower is an older one, not that of a new minute.
        is_older = 0 < less <= self._overtaken
        is_new_minute = less > 0 and not (is_older and weight > self._overtaken)
        if is_new_minute or now_s - self._counted_s > _QUIET_S:  # in a silence a minute can end unseen
            self._minute_seen_s = now_s
        self._counted_s = now_s
        if not is_older:
            self._counted, self._overtaken = weight, self._in_flight

    def note_limit(self, weight_a_minute: int) -> None:
        """What the server allows in its minute."""
        self._minute_limit = weight_a_minute

    def _wait_s(self, weight: int) -> float:
        """How long to wait before asking this again; 0 if a request of this weight may start now."""
        pause_s = self._paused_until_s - times.monotonic_s()
        if pause_s > 0:
            return pause_s
        return 0.0 if self._fits_minute(weight) and self._fits_window(weight) else _POLL_S

    def _fits_minute(self, weight: int) -> bool:
        now_s = times.monotonic_s()
        if now_s - self._minute_seen_s > _MINUTE_S:
            self._counted, self._overtaken, self._minute_seen_s = 0, 0, now_s
        used = self._counted + self._in_flight
        # A request heavier than the whole limit goes alone: waiting would not help it.
        return not used or used + weight <= self._minute_limit

    def _fits_window(self, weight: int) -> bool:
        if self._window is None or self._rate is None:
            return True
        self._window.flush()  # type: ignore[no-untyped-call]
        return len(self._window._task_logs) + self._slots(weight) <= self._rate

    def _slots(self, weight: int) -> int:
        # A request heavier than a second's budget takes all of it.
        return weight if self._rate is None else min(weight, self._rate)
