"""Request weights and the bans for too many: a fixed window of one real minute, as Binance counts.

Every request counts, those that are refused, too. Over the limit it is 429 until the window ends, and who goes on after
twenty of those is banned, each time for twice as long.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

WEIGHTS = {"ping": 1, "time": 1, "exchangeInfo": 10, "klines": 1, "ticker/price": 2, "avgPrice": 2, "executionRules": 2}
# Signed requests, by method and path, as Binance's documents have them.
SIGNED_WEIGHTS = {
    ("POST", "order"): 1, ("DELETE", "order"): 1, ("GET", "order"): 4, ("POST", "order/test"): 1,
    ("POST", "order/cancelReplace"): 1, ("POST", "orderList/oco"): 1, ("DELETE", "orderList"): 1,
    ("GET", "orderList"): 4, ("GET", "openOrderList"): 6, ("GET", "openOrders"): 6, ("DELETE", "openOrders"): 1,
    ("GET", "allOrders"): 20, ("GET", "myTrades"): 20, ("GET", "account"): 20, ("GET", "account/commission"): 20,
    ("GET", "rateLimit/order"): 40, ("GET", "sapi/v1/account/apiRestrictions"): 1,
    ("GET", "sapi/v1/capital/config/getall"): 10,
}  # fmt: skip
SIGNED_PATHS = tuple(dict.fromkeys(path for _, path in SIGNED_WEIGHTS))
WINDOW_S = 60.0
REFUSALS_MAX = 20
FIRST_BAN_S = 120.0


def signed_weight(method: str, path: str, params: Mapping[str, str]) -> int:
    """What a signed request weighs; some weigh by what they ask for."""
    if path == "openOrders" and method == "GET" and "symbol" not in params:
        return 80
    if path == "myTrades" and "orderId" in params:
        return 5
    if path == "order/test" and params.get("computeCommissionRates") == "true":
        return 20
    return SIGNED_WEIGHTS[method, path]


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
