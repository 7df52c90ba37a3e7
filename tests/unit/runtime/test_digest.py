"""The digest: whatever differs in books, latch, counts, fills or decisions, now or ever before, gives another one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.models.orders import Action, CloseOrder, Decision, Reason, Refusal
from app.runtime.digest import FIRST, digest_of
from app.runtime.runtime import TradingRuntime
from tests.live_sessions import live, market
from tests.made import BTC, BTC_LINE, ETH_LINE, entry, fill, position

DECISION = Decision(60_000, BTC, Action.LONG, "halted", None, "")


@pytest.fixture
def runtime(tmp_path: Path) -> TradingRuntime:
    """One with a position, an entry and a close pending."""
    made = live(tmp_path)
    made.close()
    account = made.recorded.runtime.account
    account.positions[BTC_LINE], account.marks[BTC] = position(), 101.0
    account.pending[ETH_LINE] = entry(symbol="ETH/USDT")
    account.closing[BTC_LINE] = CloseOrder(3, BTC, Reason.SIGNAL_EXIT, 0, "")
    return made.recorded.runtime


def _set(path: str, value: object) -> Callable[[TradingRuntime], None]:
    def change(runtime: TradingRuntime) -> None:
        *parents, name = path.split(".")
        holder: object = runtime
        for parent in parents:
            holder = getattr(holder, parent)
        setattr(holder, name, value)

    return change


CHANGES: dict[str, Callable[[TradingRuntime], None]] = {
    "time": _set("account.time_ms", 1),
    "balance": _set("account.balance", 10_000.0 + 2e-12),
    "a mark": lambda runtime: runtime.account.marks.update({BTC: 101.00000000000001}),
    "a mark more": lambda runtime: runtime.account.marks.update({"X/Y": 1.0}),
    "a position's stop": lambda runtime: runtime.account.positions.update({BTC_LINE: position(stop=90.00000000000001)}),
    "no position": lambda runtime: runtime.account.positions.clear(),
    "an entry": lambda runtime: runtime.account.pending.update({ETH_LINE: entry(symbol="ETH/USDT", quantity=2.5)}),
    "no entry": lambda runtime: runtime.account.pending.clear(),
    "no close order": lambda runtime: runtime.account.closing.clear(),
    "the latch": _set("safety.halted", True),
    "the peak": _set("safety.peak", 10_001.0),
    "a signal": lambda runtime: runtime.funnel.signals.update([Action.LONG]),
    "ignored": lambda runtime: runtime.funnel.ignored.update([Refusal.POSITION_OPEN]),
    "refused by risk": lambda runtime: runtime.funnel.refused_by_risk.update([Refusal.NO_QUANTITY]),
    "refused by the gate": lambda runtime: runtime.funnel.refused_by_gate.update([Refusal.LATE]),
    "cancelled": lambda runtime: runtime.funnel.cancelled.update(["kill_switch"]),
    "exits ordered": _set("funnel.exits_ordered", 1),
    "a late candle": lambda runtime: runtime.feed_counts.update(["late_candles"]),
    "the end": _set("ended", True),
}


@pytest.mark.parametrize("name", CHANGES)
def test_any_change_of_the_state_changes_it(runtime: TradingRuntime, name: str) -> None:
    before = digest_of(FIRST, runtime, (), ())
    assert digest_of(FIRST, runtime, (), ()) == before
    CHANGES[name](runtime)
    assert digest_of(FIRST, runtime, (), ()) != before


def test_fills_decisions_and_their_order_change_it(runtime: TradingRuntime) -> None:
    one, other = fill(), fill(price=110.00000000000001)
    digests = [
        digest_of(FIRST, runtime, fills, decisions)
        for fills, decisions in (
            ((), ()), ((one,), ()), ((other,), ()), ((one, other), ()), ((other, one), ()), ((), (DECISION,)),
            ((one,), (DECISION,)),
        )
    ]  # fmt: skip
    assert len(set(digests)) == len(digests)


def test_the_digest_before_is_in_it(runtime: TradingRuntime) -> None:
    assert digest_of(FIRST, runtime, (), ()) != digest_of("1" * 16, runtime, (), ())
    assert len(digest_of(FIRST, runtime, (), ())) == 16


async def test_one_other_event_is_never_forgotten(tmp_path: Path) -> None:
    """A fill that is gone from the books an hour later still parts two sessions."""
    one, other = live(tmp_path / "one"), live(tmp_path / "other")
    events = market()
    for event in events:
        await one.recorded.handle(event)
    for event in (*events[:6], *events[7:]):
        await other.recorded.handle(event)
    assert one.recorded.digest != other.recorded.digest
    for made in (one, other):
        made.close()
