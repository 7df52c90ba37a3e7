"""The books: what a list does when one of its orders trades, what is locked at each step, and what is told of it."""

from typing import Any

from tests.spot_exchanges import ME, QUIET, Row, Venue, oco_params

FALL: Row = (100.0, 100.5, 94.0, 95.0, 10.0)
RISE: Row = (100.0, 106.0, 99.5, 105.0, 10.0)


def venue(*rows: Row, **options: Any) -> Venue:
    """The rows are those from minute 2 on."""
    return Venue([QUIET, QUIET, *rows, QUIET], fees="quote", **options).at(1, 1)


def told(made: Venue) -> list[tuple[str, ...]]:
    """What each event said, shortly."""
    return [
        (event["o"], event["x"], event["X"]) if event["e"] == "executionReport" else (event["e"], event.get("L", ""))
        for event in made.events
    ]


def test_an_oco_from_its_placing_to_its_stop() -> None:
    made = venue(FALL)
    made.buy(1.0)
    assert told(made) == [
        ("MARKET", "NEW", "NEW"), ("MARKET", "TRADE", "FILLED"), ("outboundAccountPosition", ""),
    ]  # fmt: skip
    made.events.clear()
    listed = made.oco(1.0, 95.0, 110.0)
    assert made.balance("BTC") == ("0.00000000", "1.00000000")  # once, not twice
    assert told(made) == [
        ("LIMIT_MAKER", "NEW", "NEW"), ("STOP_LOSS", "NEW", "NEW"), ("listStatus", "EXECUTING"),
        ("outboundAccountPosition", ""),
    ]  # fmt: skip
    made.events.clear()
    made.at(3)
    assert told(made) == [
        ("LIMIT_MAKER", "EXPIRED", "EXPIRED"), ("STOP_LOSS", "NEW", "NEW"), ("STOP_LOSS", "TRADE", "FILLED"),
        ("listStatus", "ALL_DONE"), ("outboundAccountPosition", ""),
    ]  # fmt: skip
    assert made.ok("GET", "openOrders") == [] == made.ok("GET", "openOrderList")
    assert [made.order(one["orderId"])["status"] for one in listed["orders"]] == ["EXPIRED", "FILLED"]
    assert made.balance("BTC") == ("0.00000000", "0.00000000")


def test_a_target_that_fills_takes_the_stop_with_it() -> None:
    made = venue(RISE)
    made.buy(1.0)
    made.oco(1.0, 95.0, 105.0)
    made.events.clear()
    made.at(3)
    assert told(made)[:2] == [("LIMIT_MAKER", "TRADE", "FILLED"), ("STOP_LOSS", "EXPIRED", "EXPIRED")]
    assert made.trades()[-1]["isMaker"] is True


def test_an_oco_to_buy_locks_the_dearer_side() -> None:
    made = Venue([QUIET, QUIET, RISE, QUIET], slippage_rate=0.0).at(1, 1)
    made.ok(
        "POST", "orderList/oco", symbol="BTCUSDT", side="BUY", quantity=1, aboveType="STOP_LOSS_LIMIT",
        aboveStopPrice=104, abovePrice=105, aboveTimeInForce="GTC", belowType="LIMIT_MAKER", belowPrice=95,
    )  # fmt: skip
    assert made.balance("USDT") == ("9895.00000000", "105.00000000")
    made.at(3)
    assert made.trades()[-1]["price"] == "104.00000000"
    assert made.balance("USDT") == ("9896.00000000", "0.00000000")


def test_a_sale_cannot_take_what_an_oco_has_locked() -> None:
    made = venue()
    made.buy(1.0)
    made.oco(1.0, 95.0, 110.0)
    params = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": 1}
    short = (400, -2010, "Account has insufficient balance for requested action.")
    assert made.refused("POST", "order", **params) == short
    assert made.refused("POST", "orderList/oco", **oco_params(0.5, 95.0, 110.0)) == short


def test_nothing_changes_where_an_order_is_refused() -> None:
    made = venue(balances={"USDT": 50.0})
    made.refused("POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity=1)
    made.refused("POST", "order", symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity=1, price=99)
    assert made.events == [] and made.exchange.ledger(ME)["orders"] == []
    assert made.balance("USDT") == ("50.00000000", "0.00000000")
    assert made.exchange.order_counts(ME, made.now_ms) == {"10S": 0, "1D": 0}


def test_a_stop_to_buy_that_cannot_be_paid_when_it_triggers_expires() -> None:
    made = Venue([QUIET, QUIET, RISE, QUIET], balances={"USDT": 105.0}).at(1, 1)
    stop = made.ok("POST", "order", symbol="BTCUSDT", side="BUY", type="STOP_LOSS", quantity=1, stopPrice=105)
    made.at(3)  # it would cost 105.0525
    shown = made.order(stop["orderId"])
    assert (shown["status"], shown["expiryReason"]) == ("EXPIRED", "REJECTED")
    assert made.balance("USDT") == ("105.00000000", "0.00000000")


def test_immediate_or_cancel_and_fill_or_kill() -> None:
    for kind, reason in (("IOC", "UNFILLED_IOC_QUANTITY_EXPIRED"), ("FOK", "UNFILLED_FOK_ORDER_EXPIRED")):
        made = venue()
        away = made.limit("BUY", 1.0, 99.0, timeInForce=kind)
        assert (away["status"], away["expiryReason"], away["fills"]) == ("EXPIRED", reason, [])
        assert made.heard("executionReport")[-1]["eR"] == reason
        assert made.limit("BUY", 1.0, 101.0, timeInForce=kind)["status"] == "FILLED"
        assert made.balance("USDT")[1] == "0.00000000"


def test_a_market_order_by_its_worth() -> None:
    made = venue()
    bought = made.ok("POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quoteOrderQty=250)
    assert (bought["executedQty"], bought["origQuoteOrderQty"], bought["status"]) == (
        "2.50000000", "250.00000000", "FILLED",
    )  # fmt: skip
    sold = made.ok("POST", "order", symbol="BTCUSDT", side="SELL", type="MARKET", quoteOrderQty=100)
    assert (sold["executedQty"], made.balance("BTC")[0]) == ("1.00000000", "1.50000000")


def test_the_exchange_takes_an_order_away() -> None:
    made = venue()
    made.buy(1.0)
    listed = made.oco(1.0, 95.0, 110.0, belowClientOrderId="stop")
    assert made.exchange.expire(ME, "stop", made.now_ms) and not made.exchange.expire(ME, "stop", made.now_ms)
    for one in listed["orders"]:
        shown = made.order(one["orderId"])
        assert (shown["status"], shown["expiryReason"]) == ("EXPIRED", "EXCHANGE_CANCELED")
    assert made.balance("BTC") == ("1.00000000", "0.00000000")
    assert made.heard("listStatus")[-1]["L"] == "ALL_DONE"
