"""The exchange as the wire sees it: accounts, time, requests that come late, deposits, and the ledger."""

import json

import pytest

from app.errors import ConfigError
from app.testnet.spot_exchange import Reply
from tests.candle_columns import START_MS
from tests.spot_exchanges import ME, QUIET, Row, Venue, limit_params, oco_params

FALL: Row = (100.0, 100.5, 94.0, 95.0, 10.0)


def test_time_is_told_and_what_is_due_is_done_in_its_order() -> None:
    made = Venue([QUIET, QUIET, FALL, QUIET], fees="quote").at(1, 1)
    assert made.exchange.next_ms(made.now_ms) is None
    made.buy(2.0)
    for stop in (97.0, 96.0):
        made.oco(1.0, stop, 110.0)
    assert made.exchange.next_ms(made.now_ms) == START_MS + 60_000 + 54_000
    made.exchange.advance(START_MS + 180_000)  # over two candles at once
    trades = made.exchange.ledger(ME)["trades"][1:]
    assert [(one["orderId"], one["time"] - START_MS) for one in trades] == [(3, 174_000), (5, 174_000)]
    assert [account for account, _ in made.exchange.take_events()] == [ME] * 10
    assert made.exchange.take_events() == []


def test_a_request_is_answered_after_what_was_due_before_it() -> None:
    made = Venue([QUIET, QUIET, FALL, QUIET], fees="quote").at(1, 1)
    made.buy(1.0)
    listed = made.oco(1.0, 95.0, 110.0)
    made.now_ms = START_MS + 179_000  # nobody called advance
    gone = made.refused("DELETE", "orderList", symbol="BTCUSDT", orderListId=listed["orderListId"])
    assert gone == (400, -2011, "Unknown order sent.")


def test_a_late_request_is_looked_at_again_just_before_the_matching() -> None:
    made = Venue([QUIET] * 4).at(1, 1)
    params = limit_params("BUY", 1, 100.5) | {"timestamp": made.now_ms, "recvWindow": 3_000}
    late = made.refused("POST", "order", **params, arrives_ms=made.now_ms + 3_001)
    assert late == (400, -1021, "Timestamp for this request is outside of the recvWindow.")
    assert made.exchange.ledger(ME)["orders"] == []
    in_time = made.send("POST", "order", **params, arrives_ms=made.now_ms + 3_000)
    assert in_time.body["transactTime"] == made.now_ms + 3_000
    in_microseconds = limit_params("BUY", 1, 100.5) | {"timestamp": (made.now_ms + 3_000) * 1_000}
    assert made.send("POST", "order", **in_microseconds, arrives_ms=made.now_ms + 8_000).status == 200
    assert made.send("POST", "order", **in_microseconds, arrives_ms=made.now_ms + 8_001).body["code"] == -1021


def test_deposits_and_withdrawals() -> None:
    made = Venue([QUIET] * 3).at(1)
    made.exchange.adjust(ME, "BTC", 0.5, made.now_ms)
    made.exchange.adjust(ME, "USDT", -4_000.25, made.now_ms)
    made.at(1, 1)
    assert [(one["a"], one["d"]) for one in made.heard("balanceUpdate")] == [
        ("BTC", "0.50000000"), ("USDT", "-4000.25000000"),
    ]  # fmt: skip
    assert [one["B"][0]["f"] for one in made.heard("outboundAccountPosition")] == ["0.50000000", "5999.75000000"]
    with pytest.raises(ConfigError, match=r"me has 5999.75 USDT free; 6000 cannot leave it"):
        made.exchange.adjust(ME, "USDT", -6_000, made.now_ms)
    assert made.balance("USDT") == ("5999.75000000", "0.00000000")


def test_another_system_locks_some_of_a_balance() -> None:
    made = Venue([QUIET] * 3).at(1)
    made.exchange.lock(ME, "USDT", 9_950.0, made.now_ms)
    assert made.balance("USDT") == ("50.00000000", "9950.00000000")
    assert made.refused("POST", "order", **limit_params("BUY", 1, 90))[1] == -2010
    with pytest.raises(ConfigError, match=r"50.0 USDT free; 60 of it cannot be locked"):
        made.exchange.lock(ME, "USDT", 60, made.now_ms)
    made.exchange.lock(ME, "USDT", -9_950.0, made.now_ms)
    with pytest.raises(ConfigError):
        made.exchange.lock(ME, "USDT", -1.0, made.now_ms)
    made.at(1, 1).limit("BUY", 1.0, 90.0)
    assert [(one["a"], one["d"]) for one in made.heard("externalLockUpdate")] == [
        ("USDT", "9950.00000000"), ("USDT", "-9950.00000000"),
    ]  # fmt: skip


def test_accounts_do_not_see_each_other() -> None:
    made = Venue([QUIET] * 3).at(1, 1)
    made.exchange.add_account("other", {"USDT": 500.0})
    made.limit("BUY", 1.0, 90.0, newClientOrderId="same")
    params = {name: str(value) for name, value in (limit_params("BUY", 2, 95) | {"newClientOrderId": "same"}).items()}
    assert made.exchange.request("other", "POST", "order", params, made.now_ms).body["orderId"] == 2
    assert {account for account, _ in made.exchange.take_events()} == {"other"}
    assert len(made.ok("GET", "openOrders")) == 1
    seen = made.exchange.request("other", "GET", "order", {"symbol": "BTCUSDT", "orderId": "1"}, made.now_ms)
    assert seen == Reply(400, {"code": -2013, "msg": "Order does not exist."})
    with pytest.raises(ConfigError, match="no account 'nobody'"):
        made.exchange.request("nobody", "GET", "account", {}, made.now_ms)


def test_an_account_that_may_not_trade() -> None:
    made = Venue([QUIET] * 3).at(1, 1)
    made.exchange.add_account(ME, {"USDT": 500.0}, may_trade=False)
    denied = (401, -2015, "Invalid API-key, IP, or permissions for action.")
    assert made.refused("POST", "order", **limit_params("BUY", 1, 90)) == denied
    assert made.refused("DELETE", "order", symbol="BTCUSDT", orderId=1) == denied
    assert made.ok("GET", "account")["canTrade"] is False


def test_what_there_is_not() -> None:
    made = Venue([QUIET] * 3).at(1, 1)
    assert made.send("POST", "order/oco", **oco_params(1, 95, 110)).status == 404
    assert made.exchange.request("", "GET", "ticker/price", {}, made.now_ms).status == 200  # the public has no account


def test_everything_that_is_answered_is_json() -> None:
    made = Venue([QUIET, QUIET, FALL, QUIET], fees="quote").at(1, 1)
    made.buy(1.0)
    made.oco(1.0, 95.0, 110.0)
    made.exchange.adjust(ME, "BTC", 0.5, made.now_ms)
    made.at(3)
    ledger = made.exchange.ledger(ME)
    assert json.loads(json.dumps(ledger)) == ledger
    assert json.loads(json.dumps(made.events)) == made.events
    assert ledger["adjustments"] == [{"time": START_MS + 61_000, "asset": "BTC", "amount": "0.5"}]
    assert ledger["balances"]["BTC"] == {"free": "0.50000000", "locked": "0.00000000"}


def test_the_same_requests_give_the_same_answers() -> None:
    def play() -> object:
        made = Venue([QUIET, QUIET, FALL, QUIET], fees="quote", parts=3, seed=9, matching="book").at(1, 1)
        made.buy(1.0)
        made.oco(1.0, 95.0, 110.0)
        return made.at(3).events, made.exchange.ledger(ME)

    assert play() == play()
