"""Each filter keeps out what it should, with its name, and lets through what lies on its edge."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from app.candles.market_data import Market
from app.testnet.spot_orders import Order, OrderGroup
from app.testnet.symbol_rules import ExchangeRules, SymbolRules, rules_of
from app.testnet.trading_account import TradingAccount, opened_balances
from app.testnet.trading_errors import Refused

D = Decimal
RULES = SymbolRules(
    price_tick=D("0.01"), min_price=D(1), max_price=D(1_000), quantity_step=D("0.001"), min_quantity=D("0.01"),
    max_quantity=D(50), market_max_quantity=D(20), market_step=D("0.01"), min_notional=D(5), max_notional=D(4_000),
)  # fmt: skip


def order(kind: str = "LIMIT", side: str = "BUY", **changes: Any) -> Order:
    fields = {"quantity": D(1), "price": D(100) if "LIMIT" in kind else D(0), **changes}
    return Order("BTCUSDT", side, kind, client_order_id="x", **fields)  # type: ignore[arg-type]


def account(*resting: Order, lists: int = 0, btc: float = 0.0) -> TradingAccount:
    held = TradingAccount("me", 1, opened_balances({"BTC": btc}), True, False, True, (100, 100))
    for place, one in enumerate(resting):
        group = OrderGroup("me", "BTCUSDT", "BTC", "USDT", (one,), list_id=place if place < lists else -1)
        held.resting.append(group)
    return held


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        (order(price=D("0.99")), "PRICE_FILTER"),
        (order(price=D("1000.01")), "PRICE_FILTER"),
        (order(price=D("100.005")), "PRICE_FILTER"),
        (order("STOP_LOSS", stop_price=D("90.001")), "PRICE_FILTER"),
        (order(quantity=D("0.009")), "LOT_SIZE"),
        (order(quantity=D("50.001"), price=D(1)), "PERCENT_PRICE_BY_SIDE"),
        (order("MARKET", quantity=D("50.001")), "LOT_SIZE"),
        (order(quantity=D("0.0105")), "LOT_SIZE"),
        (order("MARKET", quantity=D("20.01")), "MARKET_LOT_SIZE"),
        (order("MARKET", quantity=D("1.005")), "MARKET_LOT_SIZE"),
        (order(quantity=D("0.049")), "NOTIONAL"),
        (order(quantity=D("40.001")), "NOTIONAL"),
        (order("MARKET", quantity=D("0.04")), "NOTIONAL"),
        (order("MARKET", quantity=D(0), quote_quantity=D("4.99")), "NOTIONAL"),
        (order(price=D("500.01")), "PERCENT_PRICE_BY_SIDE"),
        (order(price=D("19.99")), "PERCENT_PRICE_BY_SIDE"),
        (order(side="SELL", price=D("300.01")), "PERCENT_PRICE_BY_SIDE"),
    ],
)
def test_one_order(bad: Order, name: str) -> None:
    with pytest.raises(Refused) as refused:
        replace(RULES, ask_up=D(3)).check_order(bad, D(100))
    assert refused.value.body == {"code": -1013, "msg": f"Filter failure: {name}"}


@pytest.mark.parametrize(
    "good",
    [
        order(price=D(20)), order(price=D(500)), order(quantity=D("0.05")), order(quantity=D(40)),
        order("MARKET", quantity=D("0.05")), order("MARKET", quantity=D(20)), order("STOP_LOSS", stop_price=D(90)),
        order("MARKET", quantity=D(0), quote_quantity=D(5)),
    ],
)  # fmt: skip
def test_the_edges_are_inside(good: Order) -> None:
    RULES.check_order(good, D(100))


def test_the_older_filters() -> None:
    older = replace(RULES, min_notional=D(0), legacy_min_notional=D(7), percent_by_side=False, bid_up=D("1.1"))
    for bad, name in ((order(quantity=D("0.06")), "MIN_NOTIONAL"), (order(side="SELL", price=D(111)), "PERCENT_PRICE")):
        with pytest.raises(Refused, match=f"Filter failure: {name}$"):
            older.check_order(bad, D(100))
    shown = {one["filterType"]: one for one in older.filters()}
    assert shown["MIN_NOTIONAL"]["minNotional"] == "7.00000000"
    assert shown["PERCENT_PRICE"]["multiplierUp"] == "1.1" and "PERCENT_PRICE_BY_SIDE" not in shown


def test_what_the_account_has_on_the_symbol() -> None:
    stop = order("STOP_LOSS", "SELL", stop_price=D(90))
    rules = replace(RULES, max_orders=2, max_algo_orders=1, max_order_lists=1, max_position=D(3))
    cases: list[tuple[TradingAccount, tuple[Order, ...], bool, str]] = [
        (account(order(), order()), (order(),), False, "MAX_NUM_ORDERS"),
        (account(order()), (order(side="SELL"), stop), True, "MAX_NUM_ORDERS"),
        (account(stop), (stop,), False, "MAX_NUM_ALGO_ORDERS"),
        (account(order("LIMIT_MAKER", "SELL"), lists=1), (stop,), True, "MAX_NUM_ORDER_LISTS"),
        (account(btc=2.5), (order(),), False, "MAX_POSITION"),
        (account(order(quantity=D("1.5")), btc=1.0), (order(),), False, "MAX_POSITION"),
    ]
    for held, orders, as_list, name in cases:
        with pytest.raises(Refused, match=f"Filter failure: {name}$"):
            rules.check_account(held, orders, "BTC", as_list=as_list)
    rules.check_account(
        account(btc=9.0), (order(side="SELL"),), "BTC", as_list=False
    )  # who sells has no position limit
    rules.check_account(account(order(), btc=1.0), (order(),), "BTC", as_list=False)


def test_what_the_account_has_on_the_exchange() -> None:
    stop = order("STOP_LOSS", "SELL", stop_price=D(90))
    rules = ExchangeRules(max_orders=2, max_algo_orders=1, max_order_lists=1)
    for held, orders, as_list, name in (
        (account(order(), order()), (order(),), False, "EXCHANGE_MAX_NUM_ORDERS"),
        (account(stop), (stop,), False, "EXCHANGE_MAX_NUM_ALGO_ORDERS"),
        (account(order(), lists=1), (order(),), True, "EXCHANGE_MAX_NUM_ORDER_LISTS"),
    ):
        with pytest.raises(Refused, match=f"Filter failure: {name}$"):
            rules.check_account(held, orders, as_list=as_list)
    assert [one["filterType"] for one in rules.filters()] == [
        "EXCHANGE_MAX_NUM_ORDERS", "EXCHANGE_MAX_NUM_ALGO_ORDERS", "EXCHANGE_MAX_NUM_ORDER_LISTS",
    ]  # fmt: skip
    assert ExchangeRules().filters() == []


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("MARKET", "Market"), ("STOP_LOSS", "Stop loss"), ("STOP_LOSS_LIMIT", "Stop loss limit"),
        ("TAKE_PROFIT", "Take profit"), ("TAKE_PROFIT_LIMIT", "Take profit limit"),
    ],
)  # fmt: skip
def test_a_type_that_the_symbol_lacks(kind: str, words: str) -> None:
    with pytest.raises(Refused, match=f"^{words} orders are not supported for this symbol.$") as refused:
        replace(RULES, order_types=("LIMIT",)).check_type(order(kind), -2010)
    assert refused.value.code == -2010


def test_rules_of_market_data() -> None:
    rules = rules_of(Market(quantity_step=0.001, min_quantity=0.01, min_notional=10.0, price_tick=0.05))
    assert (rules.quantity_step, rules.min_quantity, rules.min_notional, rules.price_tick) == (
        D("0.001"), D("0.01"), D("10.0"), D("0.05"),
    )  # fmt: skip
    assert rules_of(Market()).price_tick == 0
