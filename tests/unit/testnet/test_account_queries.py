"""What an account is told when it asks, and the refusals of questions that make no sense."""

from typing import Any

import pytest

from tests.spot_exchanges import ME, QUIET, Venue


def venue(**options: Any) -> Venue:
    return Venue([QUIET] * 6, fees="quote", **options).at(1, 1)


def ids(orders: Any) -> list[int]:
    return [one["orderId"] for one in orders]


def test_one_order_by_either_id() -> None:
    made = venue()
    order_id = made.limit("BUY", 1.0, 90.0, newClientOrderId="mine")["orderId"]
    by_client = made.ok("GET", "order", symbol="BTCUSDT", origClientOrderId="mine")
    assert by_client == made.order(order_id) == made.ok(
        "GET", "order", symbol="BTCUSDT", orderId=order_id, origClientOrderId="mine"
    )  # fmt: skip
    for params in ({"orderId": 99}, {"origClientOrderId": "none"}, {"orderId": order_id, "origClientOrderId": "none"}):
        assert made.refused("GET", "order", symbol="BTCUSDT", **params) == (400, -2013, "Order does not exist.")
    assert made.refused("GET", "order", symbol="BTCUSDT")[1] == -1102
    assert made.refused("GET", "order", orderId=order_id)[1] == -1102
    assert made.refused("GET", "order", symbol="XRPUSDT", orderId=order_id) == (400, -1121, "Invalid symbol.")


def test_a_client_id_that_was_used_again_leads_to_the_newest() -> None:
    made = venue()
    for _ in range(2):
        made.buy(0.1, newClientOrderId="same")  # what is filled frees its id: who sends blindly buys twice
    assert made.ok("GET", "order", symbol="BTCUSDT", origClientOrderId="same")["orderId"] == 2
    assert len(made.trades()) == 2


def test_open_and_all_orders() -> None:
    made = venue(others={"ETH/USDT": [QUIET] * 6})
    made.buy(0.1)
    made.limit("BUY", 1.0, 90.0)
    made.limit("BUY", 1.0, 91.0, symbol="ETHUSDT")
    made.at(2, 1).limit("BUY", 1.0, 92.0)
    assert ids(made.ok("GET", "openOrders")) == [2, 3, 4]
    assert ids(made.ok("GET", "openOrders", symbol="BTCUSDT")) == [2, 4]
    every = {"symbol": "BTCUSDT"}
    assert ids(made.ok("GET", "allOrders", **every)) == [1, 2, 4]
    assert ids(made.ok("GET", "allOrders", **every, limit=2)) == [2, 4]
    assert ids(made.ok("GET", "allOrders", **every, orderId=2, limit=1)) == [2]
    assert ids(made.ok("GET", "allOrders", **every, startTime=made.now_ms)) == [4]
    assert ids(made.ok("GET", "allOrders", **every, endTime=made.now_ms - 1)) == [1, 2]
    assert made.refused("GET", "allOrders")[1] == -1102
    assert made.refused("GET", "allOrders", **every, limit=0)[1] == -1130
    assert made.refused("GET", "allOrders", **every, startTime=0, endTime=86_400_001)[1] == -1127


def test_trades() -> None:
    made = venue()
    for quantity in (0.1, 0.2, 0.3):
        made.buy(quantity)
    made.at(2, 1).sell(0.1)

    def numbers(**params: object) -> list[int]:
        return [one["id"] for one in made.ok("GET", "myTrades", symbol="BTCUSDT", **params)]

    assert numbers() == [1, 2, 3, 4]
    assert (numbers(limit=2), numbers(fromId=2, limit=2), numbers(orderId=3), numbers(orderId=3, fromId=4)) == (
        [3, 4], [2, 3], [3], [],
    )  # fmt: skip
    assert (numbers(startTime=made.now_ms), numbers(endTime=made.now_ms - 1)) == ([4], [1, 2, 3])
    assert made.refused("GET", "myTrades", symbol="BTCUSDT", fromId=1, startTime=1)[1] == -1128


def test_lists() -> None:
    made = venue()
    made.buy(2.0)
    listed = made.oco(1.0, 95.0, 110.0, listClientOrderId="L")
    shown = made.ok("GET", "orderList", origClientOrderId="L")
    assert shown == {key: value for key, value in listed.items() if key != "orderReports"}
    assert made.ok("GET", "openOrderList") == [shown] == [made.ok("GET", "orderList", orderListId=0)]
    assert made.refused("GET", "orderList", orderListId=7) == (400, -2018, "Order list does not exist.")
    assert made.refused("GET", "orderList")[1] == -1102
    made.ok("DELETE", "orderList", symbol="BTCUSDT", orderListId=0)
    assert made.ok("GET", "openOrderList") == []
    assert made.ok("GET", "orderList", orderListId=0)["listStatusType"] == "ALL_DONE"


def test_the_account() -> None:
    made = venue(balances={"USDT": 100.0, "ETH": 0.0})
    account = made.ok("GET", "account")
    assert list(account) == [
        "makerCommission", "takerCommission", "buyerCommission", "sellerCommission", "commissionRates", "canTrade",
        "canWithdraw", "canDeposit", "brokered", "requireSelfTradePrevention", "preventSor", "updateTime",
        "accountType", "balances", "permissions", "uid",
    ]  # fmt: skip
    assert [one["asset"] for one in account["balances"]] == ["ETH", "USDT"]
    assert [one["asset"] for one in made.ok("GET", "account", omitZeroBalances="true")["balances"]] == ["USDT"]
    assert (account["canTrade"], account["canWithdraw"]) == (True, False)


@pytest.mark.parametrize(("may_withdraw", "restricted"), [(True, False), (False, True)])
def test_what_a_key_may_do(may_withdraw: bool, restricted: bool) -> None:
    made = venue()
    made.exchange.add_account(ME, {}, may_withdraw=may_withdraw, ip_restricted=restricted)
    rights = made.ok("GET", "sapi/v1/account/apiRestrictions")
    assert (rights["enableWithdrawals"], rights["ipRestrict"]) == (may_withdraw, restricted)
    assert (rights["enableReading"], rights["enableSpotAndMarginTrading"], rights["permitsUniversalTransfer"]) == (
        True, True, False,
    )  # fmt: skip


def test_counts_of_unfilled_orders() -> None:
    made = venue()
    made.buy(1.0)
    made.limit("BUY", 1.0, 90.0)
    made.oco(1.0, 95.0, 110.0)
    assert made.ok("GET", "rateLimit/order") == [
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100, "count": 3},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200_000, "count": 3},
    ]
