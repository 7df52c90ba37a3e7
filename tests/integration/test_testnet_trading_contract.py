"""Answers and events of the trading have the shapes of Binance's: the same keys with the same kinds of values.

The shapes are written out here; recordings of the real exchange, where they lie beside the project, are held to: what
they have, ours has, too. They are older and shortened, so ours may have more.
"""

import json
from typing import Any

import pytest

from app.testnet.server import Testnet
from tests.integration.test_testnet_contract import RECORDED, shape
from tests.trading_nets import ask, buy, rest_limit, socket_of, trading_net

PLACED = {
    "symbol": "text", "orderId": "int", "orderListId": "int", "clientOrderId": "text", "transactTime": "int",
    "price": "decimal", "origQty": "decimal", "executedQty": "decimal", "origQuoteOrderQty": "decimal",
    "cummulativeQuoteQty": "decimal", "status": "text", "timeInForce": "text", "type": "text", "side": "text",
    "workingTime": "int", "selfTradePreventionMode": "text",
}  # fmt: skip
FILL = {"price": "decimal", "qty": "decimal", "commission": "decimal", "commissionAsset": "text", "tradeId": "int"}
QUERIED = {
    **{name: what for name, what in PLACED.items() if name != "transactTime"},
    "stopPrice": "decimal", "icebergQty": "decimal", "time": "int", "updateTime": "int", "isWorking": "bool",
}  # fmt: skip
CANCELLED = {**{name: what for name, what in PLACED.items() if name != "workingTime"}, "origClientOrderId": "text"}
TRADE = {
    "symbol": "text", "id": "int", "orderId": "int", "orderListId": "int", "price": "decimal", "qty": "decimal",
    "quoteQty": "decimal", "commission": "decimal", "commissionAsset": "text", "time": "int", "isBuyer": "bool",
    "isMaker": "bool", "isBestMatch": "bool",
}  # fmt: skip
LIST = {
    "orderListId": "int", "contingencyType": "text", "listStatusType": "text", "listOrderStatus": "text",
    "listClientOrderId": "text", "transactionTime": "int", "symbol": "text", "orders": "list",
}  # fmt: skip
REPORT = set("eEscSofqpPFgCxXrilzLnNTtIwmMOZYQV")
LIST_STATUS = set("eEsgclLrCTO")
POSITION = {"e", "E", "u", "B"}
OCO = {
    "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.5", "aboveType": "LIMIT_MAKER", "belowType": "STOP_LOSS",
    "listClientOrderId": "s-1-1-l", "aboveClientOrderId": "s-1-1-t", "belowClientOrderId": "s-1-1-s",
}  # fmt: skip


def lacks(ours: dict[str, Any], recorded: dict[str, Any]) -> dict[str, Any]:
    """What a recorded answer has and ours has not, or of another kind."""
    mine = shape(ours)
    return {name: what for name, what in shape(recorded).items() if mine.get(name) != what}


async def answers(net: Testnet) -> dict[str, Any]:
    """One answer of each endpoint, by the name of its recording."""
    found = {"order.POST": (await buy(net)).json}
    await rest_limit(net, "s-1-2-t")
    known = {"symbol": "BTCUSDT", "origClientOrderId": "s-1-2-t"}
    found["order.GET"] = (await ask(net, "GET", "order", **known)).json
    found["openOrders.GET"] = (await ask(net, "GET", "openOrders", symbol="BTCUSDT")).json
    found["allOrders.GET"] = (await ask(net, "GET", "allOrders", symbol="BTCUSDT")).json
    found["account.GET"] = (await ask(net, "GET", "account")).json
    found["myTrades.GET"] = (await ask(net, "GET", "myTrades", symbol="BTCUSDT")).json
    price = float(found["order.POST"]["fills"][0]["price"])
    prices: dict[str, Any] = {"abovePrice": round(price * 1.2, 2), "belowStopPrice": round(price * 0.8, 2)}
    found["orderList.POST"] = (await ask(net, "POST", "orderList/oco", **OCO, **prices)).json
    found["order.DELETE"] = (await ask(net, "DELETE", "order", **known)).json
    return found


async def test_ours() -> None:
    async with trading_net() as net, socket_of(net) as stream:
        await stream.subscribe()
        found = await answers(net)
        placed = found["order.POST"]
        assert shape({name: one for name, one in placed.items() if name != "fills"}) == PLACED
        assert shape(placed["fills"][0]) == FILL
        for order in (found["order.GET"], *found["openOrders.GET"], *found["allOrders.GET"]):
            assert shape(order) == QUERIED
        assert shape(found["order.DELETE"]) == CANCELLED
        assert shape(found["myTrades.GET"][0]) == TRADE
        assert shape({name: one for name, one in found["orderList.POST"].items() if name != "orderReports"}) == LIST
        events = [frame["event"] for frame in await stream.quiet()]
        by_kind: dict[str, list[dict[str, Any]]] = {}
        for event in events:
            by_kind.setdefault(event["e"], []).append(event)
        assert set(by_kind) == {"executionReport", "listStatus", "outboundAccountPosition"}
        for report in by_kind["executionReport"]:
            assert set(report) - REPORT <= {"W", "j", "J", "d", "D"} and set(report) >= REPORT
        assert all(set(one) == LIST_STATUS for one in by_kind["listStatus"])
        assert all(set(one) == POSITION for one in by_kind["outboundAccountPosition"])
        cancelled = [one for one in by_kind["executionReport"] if one["x"] == "CANCELED"]
        assert [one["C"] for one in cancelled] == ["s-1-2-t"], "a cancel names the order in C"


@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recordings of the real exchange lie beside the project")
async def test_what_the_recorded_ones_have_ours_have_too() -> None:
    async with trading_net() as net:
        found = await answers(net)
    for name in ("order.GET", "order.DELETE", "account.GET", "openOrders.GET", "allOrders.GET"):
        recorded, ours = json.loads((RECORDED / f"rest/{name}.0.json").read_text())["data"], found[name]
        if isinstance(recorded, list):
            recorded, ours = recorded[0], ours[0]
        assert lacks(ours, recorded) == {}, name
    balance = json.loads((RECORDED / "rest/account.GET.0.json").read_text())["data"]["balances"][0]
    assert lacks(found["account.GET"]["balances"][0], balance) == {}
