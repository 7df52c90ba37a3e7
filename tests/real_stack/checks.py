"""What must hold after a session of real orders, from the exchange's side and from the ledger's.

The rule: nothing here asks the stack what it believes but its ledger, its trade log and its tape.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from app.models.events import Execution
from app.models.intents import read_client_id
from app.models.orders import OrderState
from app.testnet.spot import wire_name
from tests.exchange_books import BALANCE, SYMBOLS
from tests.real_stack.protection import Gap
from tests.real_stack.session import TAG, RealSession, _decode

SHUT = ("HALT", "BREAK", "CANCEL_ONLY")
REACH_S = 40.0  # what happened so long before a gap may have led to it


def check(session: RealSession, *, is_flat: bool = True) -> None:
    """All of it."""
    fills_once(session)
    balances_are_the_ledgers(session)
    placements_once(session)
    never_arrived_stays_away(session)
    account = session.books.account
    if is_flat:
        assert not account.positions and not account.pending and not account.closing
        own = [order for order in session.exchange.account.open_orders() if order.client_order_id.startswith(TAG)]
        assert not own, "no order of ours is left"
    assert session.books.runtime.gave_up is None


def fills_once(session: RealSession) -> None:
    """Every trade of ours at the exchange is a row of the trade log, once, and no other row is there."""
    own, account = session.exchange.own_orders(), session.exchange.account
    trades = Counter(
        (one.symbol, one.is_buyer, float(one.price), round(float(one.quantity), 7), one.time_ms)
        for one in account.trades
        if one.order_id in own
    )
    rows = Counter(
        (wire_name(one.symbol), one.opens, one.price, round(one.quantity, 7), one.time_ms)
        for one in session.books.fills
    )
    assert rows == trades, f"lost: {trades - rows}; invented or doubled: {rows - trades}"


def balances_are_the_ledgers(session: RealSession) -> None:
    """What the exchange holds is what it began with, what others did, and what our fills did."""
    exchange, books = session.exchange, session.books
    own, account = exchange.own_orders(), exchange.account
    flows: dict[str, float] = {}
    for trade in account.trades:
        if trade.order_id not in own:
            continue
        group, sign = account.groups[trade.order_id], 1.0 if trade.is_buyer else -1.0
        for asset, change in (
            (group.base, sign * float(trade.quantity)), (group.quote, -sign * float(trade.quote_quantity)),
            (trade.commission_asset, -float(trade.commission)),
        ):  # fmt: skip
            flows[asset] = flows.get(asset, 0.0) + change
    known = books.broker.reconciliation.flows
    for asset in {*flows, *known}:
        assert math.isclose(flows.get(asset, 0.0), known.get(asset, 0.0), abs_tol=1e-6), asset
    for symbol in SYMBOLS:
        base = symbol.partition("/")[0]
        held = sum(one.quantity for line, one in books.account.positions.items() if line.symbol == symbol)
        dust = books.ledger.dust[symbol].quantity if symbol in books.ledger.dust else 0.0
        assert math.isclose(held + dust, flows.get(base, 0.0), abs_tol=1e-7), (symbol, held, dust, flows)
    if not books.account.positions and "BNB" not in flows:
        cost = sum(one.cost for one in books.ledger.dust.values())
        assert math.isclose(books.account.balance - BALANCE - cost, flows.get("X", 0.0), abs_tol=1e-4)
    assert not books.broker.strange, books.broker.strange


def placements_once(session: RealSession) -> None:
    """No client id was ever sent twice."""
    twice = {name: count for name, count in session.exchange.placed.items() if count > 1}
    assert not twice, twice


def never_arrived_stays_away(session: RealSession) -> None:
    """What was called never arrived is not at the exchange, not even later; and each has its evidence on the tape."""
    at_the_exchange = {read_client_id(one) for one in session.exchange.own_orders().values()}
    known = {(one.order_id, one.leg) for one in at_the_exchange if one is not None}
    for record in session.tape:
        event = _decode(record.event)
        if isinstance(event, Execution) and event.state is OrderState.REFUSED and "never" in event.why:
            assert (event.order_id, event.leg) not in known, event.why
            session.met["never arrived" if "arrived" in event.why else "never sent"] += 1
            if "never arrived" in event.why:
                assert all(word in event.why for word in ("server time", "deadline", "absent from")), event.why


class Excess(NamedTuple):
    """A gap in the protection: seconds that nothing but the stack itself accounts for, and how many faults it met."""

    own_s: float
    faults: int
    gap: Gap


def excesses(session: RealSession, faults: Sequence[tuple[float, float, str]]) -> list[Excess]:
    """For how long something of ours lay at the exchange without a stop that rests, longest first.

    Not counted is the time in which nobody could protect anything: while symbols were shut, and while no process ran
    after a kill.
    """
    lasted = [*session.downtimes, *((began_s, ended_s) for began_s, ended_s, name in faults if name in SHUT)]
    found = []
    for gap in session.exchange.protection.gaps:
        not_ours = _union_s([(max(one, gap.began_s), min(two, gap.ended_s)) for one, two in lasted])
        met = sum(gap.began_s - REACH_S <= began_s <= gap.ended_s for began_s, _, _ in faults)
        found.append(Excess(gap.ended_s - gap.began_s - not_ours, met, gap))
    return sorted(found, reverse=True, key=lambda one: one.own_s)


def _union_s(spans: Sequence[tuple[float, float]]) -> float:
    total_s, until_s = 0.0, 0.0
    for began_s, ended_s in sorted(spans):
        total_s += max(0.0, ended_s - max(began_s, until_s))
        until_s = max(until_s, ended_s)
    return total_s
