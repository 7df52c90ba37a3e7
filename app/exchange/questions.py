"""Questions to an exchange about orders, each asked until it is answered: an outage is waited out, and told seldom.

Only questions, which change nothing, are asked again here; a request that places or cancels never is.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from app.errors import BlockedError, ExchangeError, RateLimitError
from app.exchange.repeated_lines import RepeatedLines
from app.exchange.retries import jittered_s, refusal_wait_s

Answer = TypeVar("Answer")
Jitter = Callable[[int, float, float], float]  # failures in a row, first bound, longest bound: seconds to wait
_BASE_S = 0.5


class Questions:
    """`patience_s`: how long one answer may take; `longest_s`: the longest wait before the next try."""

    def __init__(self, lines: RepeatedLines, patience_s: float, longest_s: float, jitter: Jitter = jittered_s) -> None:
        self._lines, self._patience_s, self._longest_s, self._jitter = lines, patience_s, longest_s, jitter

    async def ask(self, what: str, question: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer, however long it takes; `what` names the question in a line for the operator."""
        failures = 0
        while True:
            try:
                async with asyncio.timeout(self._patience_s):
                    return await question()
            except TimeoutError:
                failures += 1
                error, wait_s = f"no answer within {self._patience_s:g} s", self.wait_s(failures)
            except (RateLimitError, BlockedError) as refusal:
                failures += 1
                error, wait_s = str(refusal), max(refusal_wait_s(refusal, failures), self.wait_s(failures))
            except ExchangeError as fault:
                failures += 1
                error, wait_s = str(fault), self.wait_s(failures)
            self._lines.say(what, f"orders: {what}: {error}; asking again in {wait_s:.1f} s")
            await asyncio.sleep(wait_s)

    def wait_s(self, failures: int) -> float:
        """How long to wait after so many failures in a row."""
        return self._jitter(failures, _BASE_S, self._longest_s)
