"""Whatever candles and answers come: the books balance, limits hold when an order is placed, no fill precedes its
order, the counts of the funnel add up.
"""

import asyncio
import math
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from app.models.events import EndOfData, Resume
from app.models.market import Slice
from app.models.orders import Action, EntryOrder, Order, Refusal
from app.proof.rebuild import candle_of
from app.times import DAY_MS
from app.trading.account import Account
from app.trading.paper_trader import PaperTrader
from tests.properties.events import SETTINGS, TABLES, Move, answer_of, events_of
from tests.scenarios.harness import Played, build, scenario_settings

Table = Sequence[tuple[Move, ...]]
EXAMPLES = settings(max_examples=80, deadline=None)


class Watched(PaperTrader):
    """Checks the limits of RULES.md at the moment in which an order is placed."""

    max_exposure = 0.0
    max_open_positions = 0
    orders: list[Order]

    async def submit(self, order: Order) -> None:
        """Check, then place."""
        account: Account = self._account
        if isinstance(order, EntryOrder):
            assert order.line not in account.positions
            assert order.line not in account.pending
            assert len(account.positions) + len(account.pending) < self.max_open_positions
            exposure = account.exposure() + order.quantity * account.marks[order.symbol]
            assert exposure <= self.max_exposure * account.equity() * (1 + 1e-9)
            assert order.side * (order.reference - order.stop) > 0 < order.side * (order.target - order.reference)
        else:
            assert order.line in account.positions and order.line not in account.closing
        self.orders.append(order)
        await super().submit(order)


def watched(overrides: list[str], seed: int) -> tuple[Played, Watched]:
    own = scenario_settings(*overrides)
    played = build(own, answer_of(seed), trader=Watched)
    broker = played.runtime.broker
    assert isinstance(broker, Watched)
    broker.orders = []
    broker.max_exposure = own.trading_mode.safety.max_exposure
    broker.max_open_positions = own.trading_mode.safety.max_open_positions
    return played, broker


@EXAMPLES
@given(table=TABLES, overrides=SETTINGS, seed=st.integers(0, 10_000))
def test_the_books_balance_at_all_times(table: Table, overrides: list[str], seed: int) -> None:
    played, _ = watched(overrides, seed)
    account = played.runtime.account

    async def handle() -> None:
        for event in [*events_of(table), EndOfData()]:
            await played.runtime.handle((event,))
            realised = math.fsum(fill.realized_pnl for fill in played.fills)
            assert math.isclose(10_000 + realised, account.balance, rel_tol=1e-12)
            unrealised = math.fsum(p.unrealised(account.marks[p.symbol]) for p in account.positions.values())
            assert math.isclose(account.equity(), account.balance + unrealised, rel_tol=1e-12)
            assert set(account.closing) <= set(account.positions)
            assert not set(account.pending) & set(account.positions)

    asyncio.run(handle())
    assert account.equity() == account.balance
    assert not account.positions and not account.pending and not account.closing
    if played.rows:
        assert played.rows[-1][1:] == (account.balance, account.balance)


@EXAMPLES
@given(table=TABLES, overrides=SETTINGS, seed=st.integers(0, 10_000))
def test_the_days_loss_is_what_the_equity_rows_say(table: Table, overrides: list[str], seed: int) -> None:
    played, _ = watched(overrides, seed)
    account, safety = played.runtime.account, played.runtime.safety
    day_begins_ms, start = 0, 10_000.0

    async def handle() -> None:
        nonlocal day_begins_ms, start
        for event in events_of(table):
            if isinstance(event, Slice) and event.close_time_ms > day_begins_ms + DAY_MS:
                day_begins_ms = (event.close_time_ms - 1) // DAY_MS * DAY_MS
                start = played.rows[-1][1] if played.rows else 10_000.0
            await played.runtime.handle((event,))
            if isinstance(event, Resume):
                start = account.equity()
            assert safety.losses(account.equity())[1] == (1.0 - account.equity() / start if start > 0 else 0.0)

    asyncio.run(handle())


@EXAMPLES
@given(table=TABLES, overrides=SETTINGS, seed=st.integers(0, 10_000))
def test_balance_moves_on_close_and_nowhere_else(table: Table, overrides: list[str], seed: int) -> None:
    played, _ = watched(overrides, seed)
    asyncio.run(played.runtime.handle([*events_of(table), EndOfData()]))
    balance = 10_000.0
    opened: dict[int, float] = {}
    for fill in played.fills:
        if fill.opens:
            assert fill.realized_pnl == 0.0
            assert fill.trade_id == len(opened) + 1
            opened[fill.trade_id] = fill.side * fill.quantity * -fill.price - fill.commission
        else:
            balance += fill.realized_pnl
            value = fill.side * fill.quantity * fill.price - fill.commission
            assert math.isclose(fill.realized_pnl, opened.pop(fill.trade_id) + value, rel_tol=1e-9, abs_tol=1e-8)
            opened[fill.trade_id] = 0.0
        assert fill.balance == balance
    assert sum(bool(value) for value in opened.values()) == 0  # each OPEN has its CLOSE, once
    balances = {10_000.0, *(fill.balance for fill in played.fills)}
    assert all(balance in balances for _, _, balance in played.rows)


@EXAMPLES
@given(table=TABLES, overrides=SETTINGS, seed=st.integers(0, 10_000))
def test_every_fill_is_later_than_its_order(table: Table, overrides: list[str], seed: int) -> None:
    played, broker = watched(overrides, seed)
    events = events_of(table)

    async def handle() -> None:
        for event in events:
            placed, filled = len(broker.orders), len(played.fills)
            await played.runtime.handle((event,))
            ids = {order.order_id for order in broker.orders[placed:]}
            now = {fill.order_id for fill in played.fills[filled:]} & ids
            assert now == (ids if "fill=close" in overrides else set())
            for fill in played.fills[filled:]:
                if fill.opens:
                    opened_ms[fill.trade_id] = fill.time_ms
                if fill.candle_volume is None:
                    continue  # at the mark
                candle = candle_of(event, fill.symbol)
                ordered = [order.signal_time_ms for order in broker.orders if order.order_id == fill.order_id]
                assert candle is not None
                assert candle.open_time_ms >= (ordered or [opened_ms[fill.trade_id]])[0]

    opened_ms: dict[int, int] = {}
    asyncio.run(handle())
    orders = {order.order_id: order for order in broker.orders}
    for fill in played.fills:
        if fill.order_id is None:
            continue
        order = orders[fill.order_id]
        assert fill.symbol == order.symbol
        assert fill.time_ms >= order.signal_time_ms
        assert fill.time_ms == order.signal_time_ms or "fill=next_open" in overrides


@EXAMPLES
@given(table=TABLES, overrides=SETTINGS, seed=st.integers(0, 10_000), data=st.data())
def test_the_bounds_of_bursts_change_nothing(
    table: Table, overrides: list[str], seed: int, data: st.DataObject
) -> None:
    events = [*events_of(table), EndOfData()]
    at_once, _ = watched(overrides, seed)
    asyncio.run(at_once.runtime.handle(events))
    in_bursts, _ = watched(overrides, seed)
    left = events
    while left:
        size = data.draw(st.integers(1, len(left)))
        asyncio.run(in_bursts.runtime.handle(left[:size]))
        left = left[size:]
    assert in_bursts.fills == at_once.fills
    assert in_bursts.rows == at_once.rows
    assert in_bursts.funnel == at_once.funnel


@EXAMPLES
@given(table=TABLES, overrides=SETTINGS, seed=st.integers(0, 10_000))
def test_the_funnel_adds_up(table: Table, overrides: list[str], seed: int) -> None:
    played, broker = watched(overrides, seed)
    asyncio.run(played.runtime.handle([*events_of(table), EndOfData()]))
    funnel = played.runtime.funnel
    entries = funnel.signals_generated - funnel.signals[Action.EXIT]
    ignored_entries = funnel.ignored[Refusal.POSITION_OPEN] + funnel.ignored[Refusal.ORDER_PENDING]
    refused = funnel.refused_by_risk.total() + funnel.refused_by_gate.total()
    assert entries == ignored_entries + refused + funnel.orders_submitted
    assert funnel.orders_submitted == sum(isinstance(order, EntryOrder) for order in broker.orders)
    assert funnel.orders_submitted - funnel.cancelled.total() == sum(fill.opens for fill in played.fills)
    ignored_exits = funnel.ignored.total() - ignored_entries
    cancelled = funnel.cancelled["signal_exit"]
    assert funnel.signals[Action.EXIT] == funnel.exits_ordered + cancelled + ignored_exits
