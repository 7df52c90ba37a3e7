"""A digest of what was decided: the books, the latch and the counts after an event, chained to the one before.

The rule: two runtimes that decided the same on the same events have the same digest, and one that ever decided
something else never has it again. It changes nothing and reads no clock.
"""

import hashlib
from collections.abc import Sequence

import msgspec

from app.models import Decision, Fill
from app.runtime.runtime import TradingRuntime

FIRST = "0" * 16
_encode = msgspec.json.Encoder().encode


def digest_of(previous: str, runtime: TradingRuntime, fills: Sequence[Fill], decisions: Sequence[Decision]) -> str:
    """16 hex digits over the digest before, the event's fills and decisions, and the state after it."""
    account, safety = runtime.account, runtime.safety
    state = (
        account.time_ms,
        account.balance,
        account.equity(),
        account.marks,
        list(account.positions.values()),
        list(account.pending.values()),
        list(account.closing.values()),
        safety.halted,
        safety.peak,
        runtime.funnel.as_dict(),
        dict(runtime.feed_counts),
        runtime.ended,
    )
    content = _encode((previous, list(fills), list(decisions), state))
    return hashlib.blake2b(content, digest_size=8).hexdigest()
