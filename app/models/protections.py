"""Protections as a config asks for them: what each waits for, and whose entries it refuses then.

What they have seen, and what they answer, is in trading/protections.py.
"""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What a protection waits for."""

    COOLDOWN = "cooldown"
    STOP_GUARD = "stop_guard"
    LOSING_STREAK = "losing_streak"


class Scope(StrEnum):
    """Whose trades it looks at, and whose entries it refuses."""

    LINE = "line"
    SYMBOL = "symbol"
    STRATEGY = "strategy"
    ACCOUNT = "account"


class Protection(msgspec.Struct, frozen=True):
    """One of the list in trading_mode.yaml; times in milliseconds, `count` is its `stops` or `trades`."""

    kind: Kind
    scope: Scope
    pause_ms: int
    count: int = 1
    lookback_ms: int = 0

    def key(self, strategy: str, symbol: str) -> str:
        """Trades and entries of one scope have one key."""
        of = {Scope.LINE: f"{strategy} {symbol}", Scope.SYMBOL: symbol, Scope.STRATEGY: strategy, Scope.ACCOUNT: ""}
        return of[self.scope]
