"""Protections of RULES.md (Part 2): after trades that went wrong, entries are refused for a while.

They hear of every fill and are asked at the gate, after its other checks. Times are close times of slices: of the one
that is decided on, and of the one in which a trade was over. All that they remember is in `memory()`.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from app.models.orders import GOES_ON, Fill, Line, Reason, Refusal
from app.models.protections import Kind, Protection
from app.trading.account import Account

_STOPS = (Reason.STOP_LOSS, Reason.TRAILING_STOP, Reason.BREAK_EVEN)


class Seen(msgspec.Struct):
    """What one protection knows of one scope: until when entries are refused, its losing trades, and stops."""

    until_ms: int = 0
    losers: int = 0
    stopped_ms: list[int] = msgspec.field(default_factory=list)


_NOTHING = Seen()


class Protections:
    """All of a session, in the order of the list."""

    def __init__(self, protections: Sequence[Protection], account: Account) -> None:
        self._protections = tuple(protections)
        self._account = account
        self._seen: list[dict[str, Seen]] = [{} for _ in self._protections]
        self._legs: dict[int, float] = {}  # realised so far, of trades that go on after a leg

    def note_fill(self, fill: Fill) -> None:
        """A fill; the last CLOSE of a trade ends it."""
        if fill.opens:
            return
        if fill.reason in GOES_ON:
            self._legs[fill.trade_id] = self._legs.get(fill.trade_id, 0.0) + fill.realized_pnl
            return
        realized_pnl = self._legs.pop(fill.trade_id, 0.0) + fill.realized_pnl
        for protection, seen in zip(self._protections, self._seen, strict=True):
            own = seen.setdefault(protection.key(fill.strategy, fill.symbol), Seen())
            _note_trade(protection, own, self._account.time_ms, fill.reason, realized_pnl)

    def refusal(self, line: Line, time_ms: int) -> Refusal | None:
        """The first protection that refuses an entry of the line now."""
        for protection, until_ms in self.pauses(line) if self._protections else ():
            if time_ms < until_ms:
                return Refusal(protection.kind.value)
        return None

    def pauses(self, line: Line) -> list[tuple[Protection, int]]:
        """Each protection, and until when it refuses entries of the line; 0 where it has not refused any yet."""
        both = zip(self._protections, self._seen, strict=True)
        return [(one, seen.get(one.key(line.strategy, line.symbol), _NOTHING).until_ms) for one, seen in both]

    def memory(self) -> dict[str, Any]:
        """What it remembers, for a new epoch of a session."""
        return {
            "protections": msgspec.to_builtins(self._protections),
            "seen": msgspec.to_builtins(self._seen),
            "legs": {str(trade_id): pnl for trade_id, pnl in self._legs.items()},
        }

    def recall(self, memory: dict[str, Any]) -> None:
        """Goes on with what those that are configured as before have seen; others begin anew."""
        before = msgspec.convert(memory.get("protections", []), list[Protection])
        seen = msgspec.convert(memory.get("seen", []), list[dict[str, Seen]])
        remembered = list(zip(before, seen, strict=True))
        for number, protection in enumerate(self._protections):
            own = next((one for one in remembered if one[0] == protection), None)
            if own is not None:
                remembered.remove(own)  # two of the same kind have a memory each
                self._seen[number] = own[1]
        self._legs = {int(trade_id): pnl for trade_id, pnl in memory.get("legs", {}).items()}


def _note_trade(protection: Protection, own: Seen, time_ms: int, reason: Reason, realized_pnl: float) -> None:
    until_ms = time_ms + protection.pause_ms
    if protection.kind is Kind.COOLDOWN:
        own.until_ms = until_ms
    elif protection.kind is Kind.STOP_GUARD:
        if reason in _STOPS and realized_pnl < 0.0:
            own.stopped_ms = [ms for ms in own.stopped_ms if ms > time_ms - protection.lookback_ms] + [time_ms]
            if len(own.stopped_ms) >= protection.count:
                own.until_ms = until_ms
    else:
        own.losers = own.losers + 1 if realized_pnl < 0.0 else 0
        if own.losers >= protection.count:
            own.until_ms, own.losers = until_ms, 0
