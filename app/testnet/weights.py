"""Request weights and the bans for too many: a fixed window of one real minute, as Binance counts.

Every request counts, those that are refused, too. Over the limit it is 429 until the window ends, and who goes on after
twenty of those is banned, each time for twice as long.
"""

import math
from dataclasses import dataclass

WEIGHTS = {"ping": 1, "time": 1, "exchangeInfo": 10, "klines": 1}
WINDOW_S = 60.0
REFUSALS_MAX = 20
FIRST_BAN_S = 120.0


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered: 429 or 418, and the whole seconds to stay away."""

    status: int
    retry_after_s: int


class WeightLimit:
    """Counts weights against a limit per minute; None counts, and refuses only while a ban lasts."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.used = 0
        self._window = -1
        self._refusals = 0
        self._ban_s = FIRST_BAN_S
        self._banned_until_s = 0.0

    def ban(self, now_s: float, seconds: float) -> Refusal:
        """Refuse everything for so long; a ban that lasts longer stays."""
        self._banned_until_s = max(self._banned_until_s, now_s + seconds)
        return Refusal(418, _whole_s(self._banned_until_s - now_s))

    def is_banned(self, now_s: float) -> bool:
        """Whether a ban lasts."""
        return now_s < self._banned_until_s

    def charge(self, weight: int, now_s: float) -> Refusal | None:
        """Count one request; a refusal if it must not be answered."""
        window = int(now_s // WINDOW_S)
        if window != self._window:
            self._window, self.used, self._refusals = window, 0, 0
        self.used += weight
        if self.is_banned(now_s):
            return Refusal(418, _whole_s(self._banned_until_s - now_s))
        if self.limit is None or self.used <= self.limit:
            return None
        self._refusals += 1
        if self._refusals <= REFUSALS_MAX:
            return Refusal(429, _whole_s((window + 1) * WINDOW_S - now_s))
        refusal = self.ban(now_s, self._ban_s)
        self._ban_s *= 2
        self._refusals = 0
        return refusal


def _whole_s(seconds: float) -> int:
    # Rounded up: who waits for so long must not come too early.
    return max(1, math.ceil(seconds))
