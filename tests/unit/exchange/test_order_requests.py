"""Intents as requests: every parameter, and exact text."""

from app.exchange.exchange_rules import read_symbol
from app.exchange.order_requests import OrderStyle, Request, request_of
from app.models.intents import Cancel, PlaceOco, PlaceOrder
from tests.signed_exchange import BTC, info

RULES = read_symbol(info())
STYLE = OrderStyle()
OCO = PlaceOco("tag1-1-7-l", "tag1-1-7-t", "tag1-1-7-s", 7, BTC, 0.3 - 0.1, 60_000.1, 50_000.0, 0)


def test_a_market_order_says_its_quantity_and_no_price() -> None:
    intent = PlaceOrder("tag1-1-7-e", 7, BTC, True, 0.00001, 0)
    assert request_of(intent, RULES, STYLE) == Request(
        "POST",
        "order",
        {
            "symbol": "BTCUSDT", "newOrderRespType": "FULL", "selfTradePreventionMode": "EXPIRE_MAKER",
            "quantity": "0.00001", "side": "BUY", "newClientOrderId": "tag1-1-7-e", "type": "MARKET",
        },
        ("tag1-1-7-e",),
        1,
    )  # fmt: skip


def test_a_limit_order_is_good_until_cancelled() -> None:
    params = request_of(PlaceOrder("tag1-1-7-c", 7, BTC, False, 1.0, 0, limit=60_000.01), RULES, STYLE).params
    assert [params[name] for name in ("side", "type", "timeInForce", "price", "quantity")] == [
        "SELL", "LIMIT", "GTC", "60000.01", "1",
    ]  # fmt: skip


def test_a_protection_is_a_maker_above_and_a_stop_below() -> None:
    request = request_of(OCO, RULES, STYLE)
    assert (request.method, request.path, request.orders) == ("POST", "orderList/oco", 2)
    assert request.client_ids == ("tag1-1-7-t", "tag1-1-7-s")
    assert request.params == {
        "symbol": "BTCUSDT", "newOrderRespType": "FULL", "selfTradePreventionMode": "EXPIRE_MAKER", "quantity": "0.2",
        "side": "SELL", "listClientOrderId": "tag1-1-7-l", "aboveType": "LIMIT_MAKER",
        "aboveClientOrderId": "tag1-1-7-t", "abovePrice": "60000.1", "belowType": "STOP_LOSS",
        "belowClientOrderId": "tag1-1-7-s", "belowStopPrice": "50000",
    }  # fmt: skip


def test_where_a_symbol_has_no_stops_at_the_market_a_limit_lies_below() -> None:
    rules = read_symbol(info(orderTypes=["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT"]))
    params = request_of(OCO, rules, OrderStyle(stop_limit_gap=0.02)).params
    assert [params[name] for name in ("belowType", "belowStopPrice", "belowPrice", "belowTimeInForce")] == [
        "STOP_LOSS_LIMIT", "50000", "49000", "GTC",
    ]  # fmt: skip
    odd = PlaceOco("tag1-1-7-l", "tag1-1-7-t", "tag1-1-7-s", 7, BTC, 1.0, 1.0, 0.37, 0)
    assert request_of(odd, rules, STYLE).params["belowPrice"] == "0.36", "floored to the tick"
    tiny = PlaceOco("tag1-1-7-l", "tag1-1-7-t", "tag1-1-7-s", 7, BTC, 1.0, 1.0, 0.01, 0)
    assert request_of(tiny, rules, STYLE).params["belowPrice"] == "0.01", "never nothing"


def test_the_older_request_has_other_names_for_the_same() -> None:
    rules = read_symbol(info(orderTypes=["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT"]))
    request = request_of(OCO, rules, OrderStyle("NONE", has_old_oco=True))
    assert (request.path, request.client_ids) == ("order/oco", ("tag1-1-7-t", "tag1-1-7-s"))
    assert request.params == {
        "symbol": "BTCUSDT", "newOrderRespType": "FULL", "selfTradePreventionMode": "NONE", "quantity": "0.2",
        "side": "SELL", "listClientOrderId": "tag1-1-7-l", "limitClientOrderId": "tag1-1-7-t", "price": "60000.1",
        "stopClientOrderId": "tag1-1-7-s", "stopPrice": "50000", "stopLimitPrice": "49500",
        "stopLimitTimeInForce": "GTC",
    }  # fmt: skip


def test_cancellations_name_the_order_or_the_list() -> None:
    assert request_of(Cancel("tag1-1-7-e", 7, BTC, 0), RULES, STYLE) == Request(
        "DELETE", "order", {"symbol": "BTCUSDT", "origClientOrderId": "tag1-1-7-e"}
    )
    assert request_of(Cancel("tag1-1-7-l", 7, BTC, 0, is_list=True), RULES, STYLE) == Request(
        "DELETE", "orderList", {"symbol": "BTCUSDT", "listClientOrderId": "tag1-1-7-l"}
    )
