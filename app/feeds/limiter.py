"""The request budget of one exchange: asyncio-throttle's sliding window with weights, pauses and the server's count.

The rule: requests start in the order in which they asked, at most `rate` weight in any second, none before a pause
is over, and none that would take the server's own count of its minute over its limit. It knows no request.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from math import inf

from asyncio_throttle.throttler import Throttler

from app.runtime import clock

_MINUTE_S = 60.0
_POLL_S = 0.05


class RateLimiter:
    """One limiter for everything that is asked of one exchange; `rate` in weight a second, None for no limit."""

    def __init__(self, rate: int | None) -> None:
        self._window = None if rate is None else Throttler(rate_limit=rate, period=1.0)
        self._turn = asyncio.Lock()  # one waiter polls at a time: waiting costs next to nothing and keeps its order
        self._paused_until_s = 0.0
        self._minute_limit: float = inf
        self._counted = 0  # by the server, in its minute
        self._minute_seen_s = -inf  # when that minute had begun at the latest
        self._in_flight = 0
        self.requests = 0
        self.weight = 0

    @contextlib.asynccontextmanager
    async def request(self, weight: int = 1) -> AsyncIterator[None]:
        """Wait for a start; the body is the request. A waiter that is cancelled has used nothing."""
        async with self._turn:
            await self._wait_for_pause()
            await self._wait_for_minute(weight)
            if self._window is not None:
                for _ in range(weight):
                    await self._window.acquire()  # type: ignore[no-untyped-call]  # the library has none
                await self._wait_for_pause()  # one that came while this request waited for its slot
            self.requests += 1
            self.weight += weight
            self._in_flight += weight
        try:
            yield
        finally:
            self._in_flight -= weight

    def pause_for(self, seconds: float) -> None:
        """Nothing starts for so long; a shorter pause does not end a longer one."""
        self._paused_until_s = max(self._paused_until_s, clock.monotonic_s() + seconds)

    def note_used(self, weight: int) -> None:
        """The server's count of the weight used in its minute, that of other processes included."""
        if weight < self._counted or self._minute_seen_s == -inf:
            self._minute_seen_s = clock.monotonic_s()
        self._counted = weight

    def note_limit(self, weight_a_minute: int) -> None:
        """What the server allows in its minute."""
        self._minute_limit = weight_a_minute

    async def _wait_for_pause(self) -> None:
        while (left_s := self._paused_until_s - clock.monotonic_s()) > 0:
            await asyncio.sleep(left_s)

    async def _wait_for_minute(self, weight: int) -> None:
        # A request heavier than the whole limit goes alone: waiting would not help it.
        while self._counted + self._in_flight and self._counted + self._in_flight + weight > self._minute_limit:
            if clock.monotonic_s() - self._minute_seen_s > _MINUTE_S:
                self._counted, self._minute_seen_s = 0, clock.monotonic_s()
                if self._in_flight == 0:
                    return
            await asyncio.sleep(_POLL_S)
