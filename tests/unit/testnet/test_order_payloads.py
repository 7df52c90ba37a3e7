"""Bodies and events have the fields that Binance documents, and conditional ones on their condition."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.testnet.order_payloads import balance_update
from tests.spot_exchanges import QUIET, Row, Venue

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "payloads"
FALL: Row = (100.0, 100.5, 94.0, 95.0, 10.0)
ACK = ["symbol", "orderId", "orderListId", "clientOrderId", "transactTime"]
RESULT = [
    *ACK, "price", "origQty", "executedQty", "origQuoteOrderQty", "cummulativeQuoteQty", "status", "timeInForce",
    "type", "side", "workingTime", "selfTradePreventionMode",
]  # fmt: skip
QUERIED = [
    "symbol", "orderId", "orderListId", "clientOrderId", "price", "origQty", "executedQty", "cummulativeQuoteQty",
    "status", "timeInForce", "type", "side", "stopPrice", "icebergQty", "time", "updateTime", "isWorking",
    "workingTime", "origQuoteOrderQty", "selfTradePreventionMode",
]  # fmt: skip
REPORT = list("eEscSofqpPFgCxXrilzLnNTtIwmMOZYQWV")


def venue(**options: Any) -> Venue:
    return Venue([QUIET, QUIET, FALL, QUIET], fees="quote", **options).at(1, 1)


def test_answers_to_a_new_order() -> None:
    made = venue()
    assert list(made.buy(0.1, newOrderRespType="ACK")) == ACK
    assert list(made.buy(0.1, newOrderRespType="RESULT")) == RESULT
    full = made.buy(0.1)
    assert list(full) == [*RESULT, "fills"]
    assert list(full["fills"][0]) == ["price", "qty", "commission", "commissionAsset", "tradeId"]
    stop = made.ok(
        "POST", "order", symbol="BTCUSDT", side="SELL", type="STOP_LOSS", quantity=0.1, stopPrice=90, strategyId=4,
        newOrderRespType="RESULT",
    )  # fmt: skip
    assert (stop["stopPrice"], stop["workingTime"], stop["strategyId"]) == ("90.00000000", -1, 4)


def test_a_cancel_and_what_is_asked_later() -> None:
    made = venue()
    placed = made.limit("BUY", 1.0, 90.0, newClientOrderId="mine")
    cancelled = made.ok("DELETE", "order", symbol="BTCUSDT", orderId=placed["orderId"], newClientOrderId="gone")
    assert list(cancelled) == [
        "symbol", "origClientOrderId", "orderId", "orderListId", "clientOrderId", "transactTime", "price", "origQty",
        "executedQty", "origQuoteOrderQty", "cummulativeQuoteQty", "status", "timeInForce", "type", "side",
        "selfTradePreventionMode",
    ]  # fmt: skip
    assert (cancelled["origClientOrderId"], cancelled["clientOrderId"]) == ("mine", "gone")
    assert list(made.order(placed["orderId"])) == QUERIED
    report = made.heard("executionReport")[-1]
    assert (report["c"], report["C"], report["x"], report["X"]) == ("gone", "mine", "CANCELED", "CANCELED")


def test_execution_reports() -> None:
    made = venue()
    made.buy(1.0, newClientOrderId="entry")
    new, trade = made.heard("executionReport")
    assert [list(new), list(trade)] == [REPORT, REPORT]
    assert (new["x"], new["N"], new["n"], new["t"], new["w"]) == ("NEW", None, "0", -1, True)
    assert (trade["x"], trade["X"], trade["l"], trade["L"], trade["Y"], trade["Z"], trade["N"], trade["m"]) == (
        "TRADE", "FILLED", "1.00000000", "100.05000000", "100.05000000", "100.05000000", "USDT", False,
    )  # fmt: skip
    made.oco(1.0, 95.0, 110.0, listClientOrderId="list", belowClientOrderId="stop", belowStrategyId=9)
    stop = made.heard("executionReport")[-1]
    assert (stop["c"], stop["P"], stop["w"], stop["j"], "W" in stop, stop["g"]) == (
        "stop", "95.00000000", False, 9, False, 0,
    )  # fmt: skip
    made.at(3)
    expired = next(one for one in made.heard("executionReport") if one["x"] == "EXPIRED")
    assert (expired["o"], expired["X"], expired["eR"], expired["r"]) == (
        "LIMIT_MAKER", "EXPIRED", "OCO_TRIGGER", "NONE",
    )  # fmt: skip
    assert all(isinstance(one["I"], int) for one in made.heard("executionReport"))


def test_list_status_and_lists() -> None:
    made = venue()
    made.buy(1.0)
    listed = made.oco(1.0, 95.0, 110.0, listClientOrderId="list")
    assert list(listed) == [
        "orderListId", "contingencyType", "listStatusType", "listOrderStatus", "listClientOrderId", "transactionTime",
        "symbol", "orders", "orderReports",
    ]  # fmt: skip
    made.at(3)
    first, last = made.heard("listStatus")
    assert list(first) == ["e", "E", "s", "g", "c", "l", "L", "r", "C", "T", "O"] == list(last)
    assert (first["l"], first["L"], last["l"], last["L"]) == ("EXEC_STARTED", "EXECUTING", "ALL_DONE", "ALL_DONE")
    assert first["C"] == "list" and [list(one) for one in first["O"]] == [["s", "i", "c"]] * 2


def test_balances_and_trades() -> None:
    made = venue()
    made.buy(1.0)
    position = made.heard("outboundAccountPosition")[-1]
    assert list(position) == ["e", "E", "u", "B"]
    assert {one["a"]: one["f"] for one in position["B"]} == {"USDT": "9899.84995000", "BTC": "1.00000000"}
    assert list(made.trades()[0]) == [
        "symbol", "id", "orderId", "orderListId", "price", "qty", "quoteQty", "commission", "commissionAsset", "time",
        "isBuyer", "isMaker", "isBestMatch",
    ]  # fmt: skip
    assert balance_update("BTC", Decimal("-0.5"), 7) == {
        "e": "balanceUpdate", "E": 7, "a": "BTC", "d": "-0.50000000", "T": 7,
    }  # fmt: skip


@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recordings of the real exchange lie beside the project")
def test_what_was_recorded_has_no_field_that_we_lack() -> None:
    made = venue()
    made.buy(1.0)
    resting = made.limit("BUY", 1.0, 90.0)["orderId"]
    ours = {
        "account.GET.0": made.ok("GET", "account"), "order.GET.0": made.order(resting),
        "openOrders.GET.0": made.ok("GET", "openOrders"),
        "allOrders.GET.0": made.ok("GET", "allOrders", symbol="BTCUSDT"),
        "ticker_price.GET.0": made.ok("GET", "ticker/price", symbol="BTCUSDT"),
        "order.DELETE.0": made.ok("DELETE", "order", symbol="BTCUSDT", orderId=resting),
    }  # fmt: skip
    for name, body in ours.items():
        _holds(body, json.loads((RECORDED / f"rest/{name}.json").read_text())["data"], name)


def _holds(ours: Any, recorded: Any, where: str) -> None:
    """Ours has every key of the recording, with the same kind of value."""
    if isinstance(recorded, list):
        if recorded and isinstance(ours, list):
            _holds(ours[0], recorded[0], where)
        return
    assert type(ours) is type(recorded), where
    if isinstance(recorded, dict):
        for key, value in recorded.items():
            assert key in ours, f"{where}: {key}"
            _holds(ours[key], value, f"{where}.{key}")
