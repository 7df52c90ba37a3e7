"""A digest of what was decided: the account, the latch and the counts after an event, chained to the one before.

Two runtimes that decided the same on the same events have the same digest, and one that ever decided something else
never has it again.
"""

import hashlib
from collections.abc import Sequence

import msgspec

from app.models.intents import Intent
from app.models.orders import MAIN, Decision, Fill, Order, Position
from app.runtime.runtime import TradingRuntime

FIRST = "0" * 16
# Named one by one: what is only told of a fill or a position may grow, and a tape of last year still replays.
_POSITION = (
    "trade_id", "symbol", "side", "quantity", "signed_quantity", "entry_price", "entry_commission", "entry_time_ms",
    "stop", "target", "floor", "ceiling", "tag",
)  # fmt: skip
_FILL = (
    "time_ms", "symbol", "opens", "side", "price", "quantity", "commission", "slippage", "balance", "equity",
    "realized_pnl", "reason", "trade_id", "stop", "target", "order_id", "sized_by", "both_levels", "tag",
)  # fmt: skip
# And what only Part 2 of the rules has: told where it is not what it is without it.
_PLAIN = {"strategy": MAIN, "exits": None, "legs": (), "moved_by": None, "atr": None, "time_exit_ms": None}
_encode = msgspec.json.Encoder().encode


def digest_of(
    previous: str, runtime: TradingRuntime, fills: Sequence[Fill], decisions: Sequence[Decision],
    intents: Sequence[Intent] = (),
) -> str:  # fmt: skip
    """16 hex digits over the digest before, the event's fills, decisions and intents, and the state after it."""
    account, safety = runtime.account, runtime.safety
    state = (
        account.time_ms,
        account.balance,
        account.equity(),
        account.marks,
        [_held(position) for position in account.positions.values()],
        [_plain(order) for order in account.pending.values()],
        [_plain(order) for order in account.closing.values()],
        safety.halted,
        safety.peak,
        runtime.funnel.as_dict(),
        dict(runtime.feed_counts),
        runtime.ended,
        *(() if runtime.allocator is None else (runtime.allocator.weights,)),
        *(("halted, not killed",) if safety.halted and not safety.killed else ()),
        *((intents,) if intents else ()),
    )
    decided = [_plain(decision) for decision in decisions]
    content = _encode((previous, [_filled(fill) for fill in fills], decided, state))
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _plain(of: Order | Decision) -> dict[str, object]:
    """Without the strategy where it is the only one: by its value, msgspec omits what is the very same object."""
    content: dict[str, object] = msgspec.to_builtins(of)
    if of.strategy == MAIN:
        content.pop("strategy", None)
    content.pop("signal", None)  # what followed from it is here
    if isinstance(of, Decision) and of.order is not None:
        content["order"] = _plain(of.order)
    return content


def _held(position: Position) -> dict[str, object]:
    more: dict[str, object] = {
        name: getattr(position, name) for name, plain in _PLAIN.items() if getattr(position, name) != plain
    }
    if position.exits is not None:
        of_entry = position.first_quantity, position.first_commission, position.risk
        more |= {"of_entry": of_entry, "best": position.held.best}
    return _decided(position, _POSITION) | more


def _filled(fill: Fill) -> dict[str, object]:
    own = _decided(fill, _FILL)
    return own if fill.strategy == MAIN else own | {"strategy": fill.strategy}


def _decided(of: Fill | Position, names: tuple[str, ...]) -> dict[str, object]:
    return {name: getattr(of, name) for name in names}
