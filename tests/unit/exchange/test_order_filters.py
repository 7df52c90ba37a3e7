"""Every filter of the documents: just inside and just outside, and what needs a price or a count that nobody knows."""

from decimal import Decimal
from typing import Any

import pytest

from app.exchange.exchange_rules import Filter, read_symbol
from app.exchange.open_orders import OpenCounts
from app.exchange.order_filters import problem_of
from app.exchange.order_requests import OrderStyle
from app.models.intents import PlaceOco, PlaceOrder
from tests.signed_exchange import BTC, INFO, info

NONE_OPEN = OpenCounts()


def market(quantity: float, *, buys: bool = True) -> PlaceOrder:
    return PlaceOrder("t-1-1-e", 1, BTC, buys, quantity, 0)


def limit(quantity: float, price: float, *, buys: bool = True) -> PlaceOrder:
    return PlaceOrder("t-1-1-e", 1, BTC, buys, quantity, 0, limit=price)


def oco(quantity: float, target: float, stop: float) -> PlaceOco:
    return PlaceOco("t-1-1-l", "t-1-1-t", "t-1-1-s", 1, BTC, quantity, target, stop, 0)


def problem(
    intent: PlaceOrder | PlaceOco,
    *filters: dict[str, Any],
    last: float | None = 100.0,
    counts: OpenCounts | None = NONE_OPEN,
    account: dict[str, Filter] | None = None,
    **row: Any,
) -> str | None:
    rules = read_symbol(info(filters=[*INFO["filters"], *filters], **row))
    return problem_of(intent, rules, account or {}, OrderStyle(), last, counts)


@pytest.mark.parametrize(
    ("intent", "said"),
    [
        (market(0.00001), None),
        (market(9000.0), None),
        (market(0.1 + 0.2), None),
        (market(0.0), "LOT_SIZE: a quantity of 0"),
        (market(-1.0), "LOT_SIZE: a quantity of -1"),
        (market(0.000001), "LOT_SIZE: quantity 0.000001 is below 0.00001"),
        (market(9000.00001), "LOT_SIZE: quantity 9000.00001 is above 9000"),
        (market(0.000015), "LOT_SIZE: quantity 0.000015 is no multiple of 0.00001"),
        (limit(1.0, 0.01), None),
        (limit(1.0, 1_000_000.0), None),
        (limit(1.0, 0.005), "PRICE_FILTER: price 0.005 is below 0.01"),
        (limit(1.0, 1_000_000.01), "PRICE_FILTER: price 1000000.01 is above 1000000"),
        (limit(1.0, 100.005), "PRICE_FILTER: price 100.005 is no multiple of 0.01"),
        (limit(1.0, 0.0), "PRICE_FILTER: a price of 0"),
        (oco(1.0, 110.0, 90.0), None),
        (oco(1.0, 110.001, 90.0), "PRICE_FILTER: price 110.001 is no multiple of 0.01"),
        (oco(1.0, 110.0, 90.001), "PRICE_FILTER: stop 90.001 is no multiple of 0.01"),
        (oco(1.0, 110.0, 0.0), "PRICE_FILTER: a stop of 0"),
    ],
)
def test_price_and_quantity(intent: PlaceOrder | PlaceOco, said: str | None) -> None:
    assert problem(intent) == (None if said is None else f"filter {said}")


def test_orders_at_the_market_have_a_lot_size_of_their_own() -> None:
    lots = {"filterType": "MARKET_LOT_SIZE", "minQty": "0.5", "maxQty": "2", "stepSize": "0.5"}
    assert problem(market(1.5), lots) is None
    assert problem(market(0.4), lots) == "filter MARKET_LOT_SIZE: quantity 0.4 is below 0.5"
    assert problem(market(2.5), lots) == "filter MARKET_LOT_SIZE: quantity 2.5 is above 2"
    assert problem(market(0.7), lots) == "filter MARKET_LOT_SIZE: quantity 0.7 is no multiple of 0.5"
    assert problem(limit(0.4, 100.0), lots) is None
    off = {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": "10.0", "stepSize": "0.00000000"}
    assert problem(market(0.00001), off) is None, "0 is no rule"


@pytest.mark.parametrize(
    ("intent", "said"),
    [
        (limit(0.1, 100.0), None),
        (limit(0.09, 100.0), "value 9 is below 10"),
        (market(0.1), None),
        (market(0.09), "value 9 is below 10"),
        (oco(0.1, 110.0, 100.0), None),
        (oco(0.1, 110.0, 99.0), "value 9.9 is below 10"),
    ],
)
def test_value(intent: PlaceOrder | PlaceOco, said: str | None) -> None:
    old = {"filterType": "MIN_NOTIONAL", "minNotional": "10", "applyToMarket": True, "avgPriceMins": 5}
    new = {"filterType": "NOTIONAL", "minNotional": "10", "applyMinToMarket": True, "maxNotional": "9000"}
    for filter_ in (old, new):
        expected = None if said is None else f"filter {filter_['filterType']}: {said}"
        assert problem(intent, filter_) == expected


def test_value_at_the_market_counts_where_the_filter_says_so_and_a_price_is_known() -> None:
    filter_: dict[str, Any] = {
        "filterType": "NOTIONAL", "minNotional": "10", "maxNotional": "1000", "applyMinToMarket": False,
        "applyMaxToMarket": False,
    }  # fmt: skip
    assert problem(market(0.01), filter_) is None
    assert problem(market(11.0), filter_) is None
    assert problem(limit(11.0, 100.0), filter_) == "filter NOTIONAL: value 1100 is above 1000"
    filter_ |= {"applyMinToMarket": True, "applyMaxToMarket": True}
    assert problem(market(11.0), filter_) == "filter NOTIONAL: value 1100 is above 1000"
    assert problem(market(0.01), filter_, last=None) is None
    assert problem(market(0.01), {"filterType": "MIN_NOTIONAL", "minNotional": "10", "applyToMarket": False}) is None


def test_prices_far_from_the_last_one() -> None:
    both = {"filterType": "PERCENT_PRICE", "multiplierUp": "1.3", "multiplierDown": "0.7", "avgPriceMins": 5}
    assert problem(limit(1.0, 130.0), both) is None
    assert problem(limit(1.0, 130.01), both) == "filter PERCENT_PRICE: price 130.01 is above 130 (last price 100)"
    assert problem(limit(1.0, 69.99), both) == "filter PERCENT_PRICE: price 69.99 is below 70 (last price 100)"
    assert problem(limit(1.0, 1.0), both, last=None) is None
    assert problem(market(1.0), both) is None


@pytest.mark.parametrize(
    ("intent", "said"),
    [
        (limit(1.0, 120.0), None),
        (limit(1.0, 120.01), "price 120.01 is above 120 (last price 100)"),
        (limit(1.0, 19.99), "price 19.99 is below 20 (last price 100)"),
        (limit(1.0, 500.0, buys=False), None),
        (limit(1.0, 79.99, buys=False), "price 79.99 is below 80 (last price 100)"),
        (oco(1.0, 500.01, 90.0), "price 500.01 is above 500 (last price 100)"),
        (oco(1.0, 110.0, 1.0), None),  # a stop that sells at the market has no price
    ],
)
def test_prices_far_from_the_last_one_by_side(intent: PlaceOrder | PlaceOco, said: str | None) -> None:
    by_side = {
        "filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": "1.2", "bidMultiplierDown": "0.2",
        "askMultiplierUp": "5", "askMultiplierDown": "0.8", "avgPriceMins": 1,
    }  # fmt: skip
    assert problem(intent, by_side) == (None if said is None else f"filter PERCENT_PRICE_BY_SIDE: {said}")


def test_the_limit_below_a_stop_is_held_to_the_filters_too() -> None:
    by_side = {"filterType": "PERCENT_PRICE_BY_SIDE", "askMultiplierUp": "5", "askMultiplierDown": "0.8"}
    types = ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT"]
    assert problem(oco(1.0, 110.0, 81.0), by_side, orderTypes=types) is None
    said = "filter PERCENT_PRICE_BY_SIDE: price 79.2 is below 80 (last price 100)"
    assert problem(oco(1.0, 110.0, 80.0), by_side, orderTypes=types) == said


COUNTED: list[tuple[str, str, dict[str, int], PlaceOrder | PlaceOco, int]] = [
    ("MAX_NUM_ORDERS", "maxNumOrders", {"orders": 24}, limit(1.0, 100.0), 1),
    ("MAX_NUM_ORDERS", "maxNumOrders", {"orders": 23}, oco(1.0, 110.0, 90.0), 2),
    ("MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders", {"algo_orders": 24}, oco(1.0, 110.0, 90.0), 1),
    ("MAX_NUM_ORDER_LISTS", "maxNumOrderLists", {"lists": 24}, oco(1.0, 110.0, 90.0), 1),
    ("EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders", {"all_orders": 24}, market(1.0), 1),
    ("EXCHANGE_MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders", {"all_algo_orders": 24}, oco(1.0, 110.0, 90.0), 1),
    ("EXCHANGE_MAX_NUM_ORDER_LISTS", "maxNumOrderLists", {"all_lists": 24}, oco(1.0, 110.0, 90.0), 1),
]


@pytest.mark.parametrize(("kind", "name", "open_", "intent", "more"), COUNTED)
def test_numbers_of_orders(
    kind: str, name: str, open_: dict[str, int], intent: PlaceOrder | PlaceOco, more: int
) -> None:
    def said(counts: OpenCounts | None) -> str | None:
        if kind.startswith("EXCHANGE"):
            return problem(intent, counts=counts, account={kind: {name: Decimal(25)}})
        return problem(intent, {"filterType": kind, name: 25}, counts=counts)

    ((field, count),) = open_.items()
    assert said(OpenCounts(**open_)) is None
    one_more = OpenCounts(**{field: count + 1})
    assert said(one_more) == f"filter {kind}: {count + 1} open and {more} more, at most 25"
    assert said(None) is None, "without counts the exchange decides"


def test_orders_that_wait_for_no_stop_are_no_algo_orders() -> None:
    full = OpenCounts(algo_orders=5, lists=5)
    algo, lists = ({"filterType": f"MAX_NUM_{kind}", f"maxNum{name}": 5} for kind, name in (
        ("ALGO_ORDERS", "AlgoOrders"), ("ORDER_LISTS", "OrderLists")))  # fmt: skip
    assert problem(limit(1.0, 100.0), algo, lists, counts=full) is None


def test_the_largest_position() -> None:
    most = {"filterType": "MAX_POSITION", "maxPosition": "10.0"}
    assert problem(market(2.0), most, counts=OpenCounts(position=8.0)) is None
    said = "filter MAX_POSITION: position 10.00001 is above 10"
    assert problem(market(2.00001), most, counts=OpenCounts(position=8.0)) == said
    assert problem(market(5.0, buys=False), most, counts=OpenCounts(position=8.0)) is None


def test_types_that_a_symbol_lacks() -> None:
    assert problem(market(1.0), orderTypes=["LIMIT"]) == "BTCUSDT has no MARKET orders"
    assert problem(limit(1.0, 100.0), orderTypes=["MARKET"]) == "BTCUSDT has no LIMIT orders"
    assert problem(oco(1.0, 110.0, 90.0), orderTypes=["MARKET", "STOP_LOSS"]) == "BTCUSDT has no LIMIT_MAKER orders"
    assert problem(oco(1.0, 110.0, 90.0), orderTypes=["LIMIT_MAKER"]) == "BTCUSDT has no STOP_LOSS_LIMIT orders"
    assert problem(oco(1.0, 110.0, 90.0), ocoAllowed=False) == "BTCUSDT has no OCO orders"
