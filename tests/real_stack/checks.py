"""What must hold after a session of real orders, from the exchange's side and from the ledger's.

The rule: nothing here asks the stack what it believes but its ledger, its trade log and its tape.
"""

import math
from collections import Counter

from app.models.events import Execution
from app.models.intents import read_client_id
from app.models.orders import OrderState
from app.testnet.spot import wire_name
from tests.exchange_books import BALANCE, SYMBOLS
from tests.real_stack.session import TAG, RealSession, _decode


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


def longest_gap_s(session: RealSession) -> float:
    """For how long at most something of ours lay there without a stop that rests."""
    return max((one.ended_s - one.began_s for one in session.exchange.gaps), default=0.0)
