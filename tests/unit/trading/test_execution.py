"""Orders: ids that are counters, and nothing impossible ever reaches a broker."""

from typing import Any

import pytest

from app.errors import OrderError
from app.models.orders import MAIN, Action, Bound, EntryOrder, Line, Order, Reason, Side, Signal
from app.trading.account import Account
from app.trading.execution import Broker, ExecutionEngine
from app.trading.exit_rules import FillRules
from app.trading.ledger import Ledger
from app.trading.paper_trader import PaperTrader
from app.trading.risk import RiskOutput
from tests.made import BTC, BTC_LINE, MINUTE_MS, entry, made_account

NAN, INF = float("nan"), float("inf")


def engine_and_account() -> tuple[ExecutionEngine, Account]:
    account = made_account()
    broker: Broker = PaperTrader(Ledger(account, lambda fill: None, MINUTE_MS), FillRules())
    return ExecutionEngine(broker, account, MINUTE_MS), account


def test_an_order_carries_what_risk_approved() -> None:
    engine, _ = engine_and_account()
    output = RiskOutput(BTC, Side.SHORT, 2.0, 100.0, 110.0, 80.0, Bound.ROOM)
    assert engine.create_order_from_risk_output(output, Signal(Action.SHORT, tag="why"), 60_000) == EntryOrder(
        1, BTC, Side.SHORT, 2.0, 100.0, 110.0, 80.0, Bound.ROOM, "why", 60_000
    )


def test_ids_count_from_one_over_all_orders() -> None:
    engine, _ = engine_and_account()
    output = RiskOutput(BTC, Side.LONG, 2.0, 100.0, 90.0, 120.0, Bound.RISK)
    orders: list[Order] = [
        engine.create_order_from_risk_output(output, Signal(Action.LONG), 0),
        engine.create_close_order(BTC_LINE, Reason.SIGNAL_EXIT, 0),
        engine.create_order_from_risk_output(output, Signal(Action.LONG), 0),
    ]
    assert [order.order_id for order in orders] == [1, 2, 3]


async def test_a_valid_order_reaches_the_broker() -> None:
    engine, account = engine_and_account()
    order = entry()
    await engine.submit_order(order)
    assert account.pending == {BTC_LINE: order}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"symbol": "UNKNOWN"}, "order 1 is for UNKNOWN, which is not listed: BTC/USDT, ETH/USDT"),
        ({"quantity": 0.0}, "quantity 0.0 is not a finite number above zero"),
        ({"quantity": -1.0}, "quantity -1.0 is not"),
        ({"quantity": NAN}, "quantity nan is not"),
        ({"quantity": INF}, "quantity inf is not"),
        ({"stop": 100.0}, "stop 100.0 is on the wrong side of the reference 100.0"),
        ({"stop": 101.0}, "stop 101.0 is on the wrong side"),
        ({"stop": NAN}, "stop nan is on the wrong side"),
        ({"side": Side.SHORT}, "stop 90.0 is on the wrong side"),
        ({"target": 99.0}, "target 99.0 is on the wrong side"),
        ({"target": NAN}, "target nan is on the wrong side"),
    ],
)
async def test_an_impossible_order_is_an_error_and_never_leaves(changes: dict[str, Any], message: str) -> None:
    engine, account = engine_and_account()
    with pytest.raises(OrderError, match=message):
        await engine.submit_order(entry(**changes))
    assert account.pending == {}


async def test_a_close_of_an_unknown_symbol_is_an_error_too() -> None:
    engine, account = engine_and_account()
    with pytest.raises(OrderError, match="is for UNKNOWN, which is not listed"):
        await engine.submit_order(engine.create_close_order(Line(MAIN, "UNKNOWN"), Reason.SIGNAL_EXIT, 0))
    assert account.closing == {}
