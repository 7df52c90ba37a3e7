"""Asking again: which fault of an exchange is worth another try, how long to wait, and when to give up.

A bounded number of tries, waits with full jitter that grow (so that many clients do not come back at once), a server's
own wait kept by everybody who shares the limiter, and no second try for what would fail again.
A live session's requests have a policy of their own. Whoever asks there asks again by itself, with waits of its own, so
every fault is raised at once; where the exchange refused, all are made to wait before.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import SystemRandom
from typing import TypeVar

from app.errors import BlockedError, RateLimitError, UnavailableError
from app.exchange.limiter import RateLimiter

Answer = TypeVar("Answer")
Tell = Callable[[str], None]

# Binance's documents: a ban lasts from two minutes to three days, and longer for who comes again.
BAN_LEAST_S, BAN_MOST_S = 120.0, 3 * 86_400.0
_JITTER = SystemRandom()  # of waits only; no decision and no candle depends on it
_UNSAID_WAIT_S = 60.0  # a 429 without Retry-After: the window of a minute's limit
_LIMIT_BASE_S = 0.5  # the least wait after a 429, doubled with each in a row
_BLOCKED_BASE_S, _BLOCKED_LONGEST_S, _BLOCKED_LEAST_S = 4.0, 60.0, 1.0
_SAID_WAIT_S = 5.0  # shorter waits are nobody's concern


@dataclass(frozen=True)
class RetryPolicy:
    """How patient to be. `patience_s` is the longest wait that an exchange may ask for before it is given up.

    `is_live`: every fault is raised to who asks again anyway; a refusal, also of the address, pauses the limiter first.
    """

    tries: int = 8
    base_s: float = 0.5
    longest_s: float = 30.0
    patience_s: float = 300.0
    limit_answers: int = 10
    is_live: bool = False


class Asker:
    """Requests to one exchange, one after the other or many at once, each until it is answered or given up."""

    def __init__(self, limiter: RateLimiter, sleep: Callable[[float], Awaitable[None]], policy: RetryPolicy) -> None:
        self.limiter = limiter
        self.policy = policy
        self.retried = 0
        self._sleep = sleep
        self._refused = 0  # in a row: answers that made all wait

    async def ask(self, weight: int, request: Callable[[], Awaitable[Answer]], tell: Tell | None = None) -> Answer:
        """The answer of `request`; the last fault when patience is at an end, another one at once."""
        failures, waits = 0, 0
        while True:
            try:
                async with self.limiter.request(weight):
                    answer = await request()
                self._refused = 0
                return answer
            except (RateLimitError, BlockedError) as error:
                if isinstance(error, BlockedError) and not self.policy.is_live:
                    raise
                waits += 1
                wait_s = self._refusal_wait_s(error)
                if wait_s > self.policy.patience_s and isinstance(error, RateLimitError):
                    raise RateLimitError(
                        f"{error}, for {wait_s:,.0f} s more", error.retry_after_s, banned=error.banned
                    ) from error
                if waits >= self.policy.limit_answers and not self.policy.is_live:
                    raise
                if not self.limiter.is_paused:  # else it was said already, to all
                    _say(tell, error, wait_s)
                self.limiter.pause_for(wait_s)
                if self.policy.is_live:
                    raise
            except UnavailableError as error:
                failures += 1
                if self.policy.is_live or failures >= (error.tries or self.policy.tries):
                    raise
                wait_s = jittered_s(failures, self.policy.base_s, self.policy.longest_s)
                _say(tell, error, wait_s)
                await self._sleep(wait_s)
            self.retried += 1

    def _refusal_wait_s(self, error: RateLimitError | BlockedError) -> float:
        """How long nobody may ask; answers to what was under way when the first refusal came are no further ones."""
        if not (self.policy.is_live and self.limiter.is_paused):
            self._refused += 1
        return refusal_wait_s(error, self._refused)


def refusal_wait_s(error: RateLimitError | BlockedError, refusals: int) -> float:
    """The wait after the last of so many refusals in a row: the exchange's own, or what its documents allow."""
    if isinstance(error, BlockedError):
        return max(_BLOCKED_LEAST_S, jittered_s(refusals, _BLOCKED_BASE_S, _BLOCKED_LONGEST_S))
    if error.banned:
        unsaid_s = min(BAN_MOST_S, BAN_LEAST_S * 2.0 ** min(refusals - 1, 32))
        return error.retry_after_s or unsaid_s + jittered_s(1, _LIMIT_BASE_S, 1.0)
    least_s = min(_UNSAID_WAIT_S, _LIMIT_BASE_S * 2.0 ** min(refusals - 1, 32))
    return max(least_s, _UNSAID_WAIT_S if error.retry_after_s is None else error.retry_after_s)


def jittered_s(failures: int, base_s: float, longest_s: float) -> float:
    """How long to wait after so many failures in a row: drawn up to a bound that doubles, to `longest_s` at most."""
    return _JITTER.uniform(0.0, min(longest_s, base_s * 2.0 ** min(failures - 1, 32)))


def _say(tell: Tell | None, error: Exception, wait_s: float) -> None:
    if tell is not None and wait_s >= _SAID_WAIT_S:
        tell(f"{error}; asking again in {wait_s:.0f} s")
