"""Requests that change orders: each refusal with its code, and cancel-replace in all that can become of it."""

from decimal import Decimal
from typing import Any

import pytest

from app.testnet.symbol_rules import ExchangeRules
from tests.spot_exchanges import ME, QUIET, Venue, limit_params, oco_params

UNKNOWN = (400, -2011, "Unknown order sent.")


def venue(**options: Any) -> Venue:
    made = Venue([QUIET] * 6, fees="quote", **options).at(1, 1)
    made.buy(2.0)
    return made


def replace(made: Venue, cancel_id: int, **changes: object) -> Any:
    """A limit to buy instead of an order."""
    params = limit_params("BUY", 1, 91.0) | {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": cancel_id}
    return made.send("POST", "order/cancelReplace", **(params | changes))


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        (limit_params("BUY", 1, 90) | {"symbol": "XUSDT"}, -1121, "Invalid symbol."),
        (limit_params("BUY", 1, 90) | {"newClientOrderId": "open"}, -2010, "Duplicate order sent."),
        (limit_params("BUY", 200, 90), -2010, "Account has insufficient balance for requested action."),
        (limit_params("SELL", 3, 110), -2010, "Account has insufficient balance for requested action."),
        (limit_params("BUY", 1, 90.001), -1013, "Filter failure: PRICE_FILTER"),
        (limit_params("BUY", 1, 90) | {"mystery": 1}, -1104, "Not all sent parameters were read; read '6'"),
        (limit_params("BUY", 1, 90) | {"newOrderRespType": "ALL"}, -1130, "'newOrderRespType' is not valid."),
    ],
)
def test_a_new_order_that_is_refused(params: dict[str, Any], code: int, text: str) -> None:
    made = venue()
    made.limit("BUY", 1.0, 90.0, newClientOrderId="open")
    status, refused, said = made.refused("POST", "order", **params)
    assert (status, refused) == (400, code) and text in said


@pytest.mark.parametrize(
    ("side", "kind", "stop"),
    [("SELL", "STOP_LOSS", 100), ("BUY", "STOP_LOSS", 100), ("SELL", "TAKE_PROFIT", 100), ("BUY", "TAKE_PROFIT", 100)],
)
def test_a_stop_that_would_trigger_at_once(side: str, kind: str, stop: int) -> None:
    made = venue()
    params = {"symbol": "BTCUSDT", "side": side, "type": kind, "quantity": 1}
    refused = made.refused("POST", "order", **params, stopPrice=stop)
    assert refused == (400, -2010, "Stop price would trigger immediately.")
    waits = 101 if (side == "BUY") == (kind == "STOP_LOSS") else 99
    assert made.ok("POST", "order", **params, stopPrice=waits)["orderId"] == 2


def test_a_maker_that_would_take() -> None:
    made = venue()
    params = {"symbol": "BTCUSDT", "type": "LIMIT_MAKER", "quantity": 1}
    for side in ("BUY", "SELL"):
        assert made.refused("POST", "order", **params, side=side, price=100)[2] == (
            "Order would immediately match and take."
        )
    assert made.ok("POST", "order", **params, side="SELL", price=100.01)["orderId"] == 2


def test_an_oco_with_its_prices_crossed_or_its_ids_taken() -> None:
    made = venue()
    made.exchange.set_rules("BTCUSDT", oco_allowed=False)
    assert made.refused("POST", "orderList/oco", **oco_params(1, 95, 110)) == (
        400, -2010, "OCO orders are not supported for this symbol",
    )  # fmt: skip
    made.exchange.set_rules("BTCUSDT", oco_allowed=True)
    made.oco(1.0, 95.0, 110.0, listClientOrderId="L", belowClientOrderId="s")
    for taken in ({"listClientOrderId": "L"}, {"belowClientOrderId": "s"}, {"aboveClientOrderId": "s"}):
        params = oco_params(0.5, 95, 110) | taken
        assert made.refused("POST", "orderList/oco", **params)[1:] == (-2010, "Duplicate order sent.")
    made.ok("DELETE", "orderList", symbol="BTCUSDT", listClientOrderId="L")
    made.oco(1.0, 95.0, 110.0, listClientOrderId="L", belowClientOrderId="s")  # of what is done it is free again


@pytest.mark.parametrize("status", ["HALT", "BREAK", "CANCEL_ONLY", "END_OF_DAY"])
def test_a_symbol_that_is_not_trading(status: str) -> None:
    made = venue()
    resting = made.limit("SELL", 1.0, 100.5)["orderId"]
    made.exchange.set_status("BTCUSDT", status)
    assert made.exchange.status("BTCUSDT") == status
    closed = (400, -1013, "Market is closed.")
    assert made.refused("POST", "order", **limit_params("BUY", 1, 90)) == closed
    assert made.refused("POST", "orderList/oco", **oco_params(1, 95, 110)) == closed
    made.at(3)  # nothing trades meanwhile
    assert made.order(resting)["status"] == "NEW"
    made.exchange.set_status("BTCUSDT", "TRADING")
    assert made.at(4).order(resting)["status"] == "FILLED"


def test_a_cancel() -> None:
    made = venue()
    order_id = made.limit("BUY", 1.0, 90.0, newClientOrderId="mine")["orderId"]
    for params in ({"orderId": 9}, {"origClientOrderId": "x"}, {"orderId": order_id, "origClientOrderId": "x"}):
        assert made.refused("DELETE", "order", symbol="BTCUSDT", **params) == UNKNOWN
    assert made.refused("DELETE", "order", symbol="BTCUSDT")[1] == -1102
    only = made.refused(
        "DELETE", "order", symbol="BTCUSDT", orderId=order_id, cancelRestrictions="ONLY_PARTIALLY_FILLED"
    )
    assert only == (400, -2011, "Order was not canceled due to cancel restrictions.")
    assert made.refused("DELETE", "order", symbol="BTCUSDT", orderId=order_id, cancelRestrictions="x")[1] == -1145
    gone = made.ok("DELETE", "order", symbol="BTCUSDT", origClientOrderId="mine", cancelRestrictions="ONLY_NEW")
    assert (gone["status"], gone["origClientOrderId"]) == ("CANCELED", "mine")
    assert made.refused("DELETE", "order", symbol="BTCUSDT", orderId=order_id) == UNKNOWN
    assert made.balance("USDT")[1] == "0.00000000"


def test_a_cancel_of_one_leg_takes_the_list() -> None:
    made = venue()
    listed = made.oco(1.0, 95.0, 110.0)
    gone = made.ok("DELETE", "order", symbol="BTCUSDT", orderId=listed["orders"][1]["orderId"], newClientOrderId="c")
    assert (gone["listOrderStatus"], [one["status"] for one in gone["orderReports"]]) == ("ALL_DONE", ["CANCELED"] * 2)
    assert {one["clientOrderId"] for one in gone["orderReports"]} == {"c"}
    assert made.balance("BTC") == ("2.00000000", "0.00000000")
    for params in ({"orderListId": 0}, {"listClientOrderId": "x"}, {"orderListId": 5}):
        assert made.refused("DELETE", "orderList", symbol="BTCUSDT", **params) == UNKNOWN
    assert made.refused("DELETE", "orderList", symbol="BTCUSDT")[1] == -1102


def test_cancel_all_of_a_symbol() -> None:
    made = venue()
    made.limit("BUY", 1.0, 90.0)
    made.oco(1.0, 95.0, 110.0)
    gone = made.ok("DELETE", "openOrders", symbol="BTCUSDT")
    assert [one.get("status", one.get("listOrderStatus")) for one in gone] == ["CANCELED", "ALL_DONE"]
    assert made.refused("DELETE", "openOrders", symbol="BTCUSDT") == UNKNOWN


def test_a_test_order_is_checked_and_not_sent() -> None:
    made = venue()
    assert made.ok("POST", "order/test", **limit_params("BUY", 1, 90)) == {}
    assert made.refused("POST", "order/test", **limit_params("BUY", 1, 90.001))[2] == "Filter failure: PRICE_FILTER"
    assert made.ok("GET", "openOrders") == []


def test_cancel_replace_both_ways() -> None:
    made = venue()
    first = made.limit("BUY", 1.0, 90.0)["orderId"]
    done = replace(made, first)
    assert (done.status, done.body["cancelResult"], done.body["newOrderResult"]) == (200, "SUCCESS", "SUCCESS")
    assert (done.body["cancelResponse"]["status"], done.body["newOrderResponse"]["status"]) == ("CANCELED", "NEW")
    lost = replace(made, first)
    assert (lost.status, lost.body["code"], lost.body["msg"]) == (400, -2022, "Order cancel-replace failed.")
    assert lost.body["data"] == {
        "cancelResult": "FAILURE", "newOrderResult": "NOT_ATTEMPTED",
        "cancelResponse": {"code": -2011, "msg": "Unknown order sent."}, "newOrderResponse": None,
    }  # fmt: skip


def test_cancel_replace_that_half_succeeds() -> None:
    made = venue()
    first = made.limit("BUY", 1.0, 90.0)["orderId"]
    half = replace(made, first, quantity=200)
    assert (half.status, half.body["code"], half.body["msg"]) == (409, -2021, "Order cancel-replace partially failed.")
    assert (half.body["data"]["cancelResult"], half.body["data"]["newOrderResult"]) == ("SUCCESS", "FAILURE")
    assert half.body["data"]["newOrderResponse"]["code"] == -2010
    other = replace(made, first, cancelReplaceMode="ALLOW_FAILURE")
    assert (other.status, other.body["data"]["cancelResult"], other.body["data"]["newOrderResult"]) == (
        409, "FAILURE", "SUCCESS",
    )  # fmt: skip
    none = replace(made, first, cancelReplaceMode="ALLOW_FAILURE", quantity=200)
    assert (none.status, none.body["code"], none.body["data"]["newOrderResult"]) == (400, -2022, "FAILURE")


def test_filters_and_count_come_before_a_cancel_replace() -> None:
    made = venue(rules=ExchangeRules(order_limits=(2, 100)))
    first = made.limit("BUY", 1.0, 90.0)["orderId"]
    assert (replace(made, first, price=91.001).status, made.order(first)["status"]) == (400, "NEW")
    made.limit("BUY", 1.0, 89.0)
    over = replace(made, first)
    assert (over.status, over.body["code"], made.order(first)["status"]) == (429, -1015, "NEW")
    only = replace(made, first, orderRateLimitExceededMode="CANCEL_ONLY")
    assert (only.status, only.body["code"], only.body["data"]["newOrderResponse"]["code"]) == (429, -2021, -1015)
    assert made.order(first)["status"] == "CANCELED"


def test_a_leg_is_replaced_and_its_list_is_gone() -> None:
    made = venue()
    listed = made.oco(2.0, 95.0, 110.0)
    stop = listed["orders"][1]["orderId"]
    moved = made.send(
        "POST", "order/cancelReplace", symbol="BTCUSDT", side="SELL", type="STOP_LOSS", stopPrice=97, quantity=2,
        cancelReplaceMode="STOP_ON_FAILURE", cancelOrderId=stop,
    )  # fmt: skip
    assert moved.status == 200 and moved.body["cancelResponse"]["orderListId"] == 0
    assert [one["type"] for one in made.ok("GET", "openOrders")] == ["STOP_LOSS"]
    assert made.balance("BTC") == ("0.00000000", "2.00000000")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"cancelReplaceMode": "MAYBE"}, -1130), ({"orderRateLimitExceededMode": "X"}, -1130),
        ({"cancelReplaceMode": ""}, -1102), ({"side": "HOLD"}, -1117),
    ],
)  # fmt: skip
def test_a_cancel_replace_that_makes_no_sense(changes: dict[str, object], code: int) -> None:
    made = venue()
    assert replace(made, 1, **changes).body["code"] == code


def test_too_many_unfilled_orders() -> None:
    made = venue(rules=ExchangeRules(order_limits=(3, 5)))
    for price in (90, 91, 92):
        made.limit("BUY", 1.0, price)
    status, code, text = made.refused("POST", "order", **limit_params("BUY", 1, 93))
    assert (status, code, text) == (429, -1015, "Too many new orders; current limit is 3 orders per 10 SECOND.")
    made.at(1, 11)
    made.limit("BUY", 1.0, 93.0)
    assert made.refused("POST", "orderList/oco", **oco_params(1, 95, 110))[2].endswith("5 orders per 1 DAY.")
    assert made.exchange.order_counts(ME, made.now_ms) == {"10S": 1, "1D": 4}


def test_counted_filters_reach_the_requests() -> None:
    made = venue(rules=ExchangeRules(max_orders=2))
    made.oco(1.0, 95.0, 110.0)
    assert made.refused("POST", "order", **limit_params("BUY", 1, 90))[2] == "Filter failure: EXCHANGE_MAX_NUM_ORDERS"
    made = venue()
    made.exchange.set_rules("BTCUSDT", max_position=Decimal("2.5"))
    assert made.refused("POST", "order", **limit_params("BUY", 1, 90))[2] == "Filter failure: MAX_POSITION"
