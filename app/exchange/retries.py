"""Asking again: which fault of an exchange is worth another try, how long to wait, and when to give up.

The rule: a bounded number of tries, waits with full jitter that grow (so that many clients do not come back at
once), a server's own wait honoured by everybody who shares the limiter, and no second try for what would fail again.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import SystemRandom
from typing import TypeVar

from app.errors import RateLimitError, UnavailableError
from app.exchange.limiter import RateLimiter

Answer = TypeVar("Answer")
Tell = Callable[[str], None]

_JITTER = SystemRandom()  # of waits only; no decision and no candle depends on it
_UNSAID_WAIT_S = 60.0  # a 429 without Retry-After: the window of a minute's limit
_SAID_WAIT_S = 5.0  # shorter waits are nobody's concern


@dataclass(frozen=True)
class RetryPolicy:
    """How patient to be. `patience_s` is the longest wait that an exchange may ask for before it is given up."""

    tries: int = 8
    base_s: float = 0.5
    longest_s: float = 30.0
    patience_s: float = 300.0
    limit_answers: int = 10


class Asker:
    """Requests to one exchange, one after the other or many at once, each until it is answered or given up."""

    def __init__(self, limiter: RateLimiter, sleep: Callable[[float], Awaitable[None]], policy: RetryPolicy) -> None:
        self.limiter = limiter
        self.policy = policy
        self.retried = 0
        self._sleep = sleep

    async def ask(self, weight: int, request: Callable[[], Awaitable[Answer]], tell: Tell | None = None) -> Answer:
        """The answer of `request`; the last fault when patience is at an end, another one at once."""
        failures, waits = 0, 0
        while True:
            try:
                async with self.limiter.request(weight):
                    return await request()
            except RateLimitError as error:
                waits += 1
                wait_s = _UNSAID_WAIT_S if error.retry_after_s is None else error.retry_after_s
                if wait_s > self.policy.patience_s:
                    raise RateLimitError(f"{error}, for {wait_s:,.0f} s more", error.retry_after_s) from error
                if waits >= self.policy.limit_answers:
                    raise
                self.limiter.pause_for(wait_s)
                _say(tell, error, wait_s)
            except UnavailableError as error:
                failures += 1
                if failures >= (error.tries or self.policy.tries):
                    raise
                wait_s = jittered_s(failures, self.policy.base_s, self.policy.longest_s)
                _say(tell, error, wait_s)
                await self._sleep(wait_s)
            self.retried += 1


def jittered_s(failures: int, base_s: float, longest_s: float) -> float:
    """How long to wait after so many failures in a row: drawn up to a bound that doubles, to `longest_s` at most."""
    return _JITTER.uniform(0.0, min(longest_s, base_s * 2.0 ** min(failures - 1, 32)))


def _say(tell: Tell | None, error: Exception, wait_s: float) -> None:
    if tell is not None and wait_s >= _SAID_WAIT_S:
        tell(f"{error}; asking again in {wait_s:.0f} s")
