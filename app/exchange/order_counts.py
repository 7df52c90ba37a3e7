"""The exchange's count of the account's unfilled orders, read from its answers, so that its limit is never reached.

An entry leaves room for what protects and closes it; those are always sent, unless the exchange has said that it takes
no order for a while.
"""

import re
from collections.abc import Mapping, Sequence

from app import times
from app.exchange.exchange_rules import OrderLimit

_HEADER = re.compile(r"x-mbx-order-count-(\d{1,4})([smhd])")
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_RESERVED = 4  # orders for protection (two) and for closing
_UNSAID_S = 10.0


class OrderCounts:
    """One account's; its intervals are those of the exchange's clock."""

    def __init__(self) -> None:
        self.limits: Sequence[OrderLimit] = ()
        self._counted: dict[int, tuple[int, int]] = {}  # by interval: which one, and how many
        self._refused_until_s = float("-inf")

    def note(self, headers: Mapping[str, str], now_ms: int) -> None:
        """An answer's headers, at the exchange's time."""
        for name, value in headers.items():
            found = _HEADER.fullmatch(name)
            if found is not None and value.isdecimal() and len(value) < 10:
                interval_ms = int(found[1]) * _UNIT_MS[found[2]]
                if interval_ms:
                    self._counted[interval_ms] = now_ms // interval_ms, int(value)

    def refuse_for(self, seconds: float | None, now_s: float) -> None:
        """The exchange takes no order for so long."""
        self._refused_until_s = now_s + (_UNSAID_S if seconds is None else seconds)

    def problem(self, orders: int, now_ms: int, *, is_entry: bool) -> str:
        """Why so many more would not be taken now; empty if they may be sent."""
        wait_s = self._refused_until_s - times.monotonic_s()
        if wait_s > 0.0:
            return f"the exchange takes no order of this account for {wait_s:.0f} s more"
        for limit in self.limits if is_entry else ():
            interval, count = self._counted.get(limit.interval_ms, (-1, 0))
            if interval == now_ms // limit.interval_ms and count + orders + _RESERVED > limit.limit:
                return f"{count:,} of {limit.limit:,} unfilled orders in {limit.interval_ms // 1000:,} s"
        return ""
