"""A signed request from its arrival to its answer: order of checks, faults before and after the matching, the log."""

import asyncio
from typing import Any

import aiohttp
import pytest

from app.testnet.api_keys import TEST_ACCOUNT, TEST_KEY
from app.testnet.server import Testnet
from app.testnet.symbol_rules import ExchangeRules
from tests.testnets import get
from tests.trading_nets import NOON_MS, Socket, ask, buy, pass_ms, rest_limit, socket_of, trading_net


def placed(net: Testnet) -> list[str]:
    """Client ids of all orders there ever were."""
    assert net.trading is not None
    return [order["clientOrderId"] for order in net.trading.engine.ledger("test")["orders"]]


async def cut(net: Testnet, name: str = "s-1-1-e") -> None:
    with pytest.raises(aiohttp.ClientError):
        await buy(net, name)


async def test_an_order_its_headers_and_its_line_in_the_log() -> None:
    async with trading_net(weight_limit=1200) as net:
        reply = await buy(net)
        assert (reply.status, reply.json["status"], reply.json["clientOrderId"]) == (200, "FILLED", "s-1-1-e")
        assert reply.headers["X-MBX-USED-WEIGHT-1M"] == "1"
        assert {"X-MBX-ORDER-COUNT-10S", "X-MBX-ORDER-COUNT-1D"} <= set(reply.headers)
        (request,) = net.log.requests
        assert (request.method, request.path, request.account, request.status) == ("POST", "order", "test", 200)
        assert request.query["newClientOrderId"] == "s-1-1-e"
        assert not {"signature", "apiKey"} & set(request.query)
        assert TEST_KEY not in str(net.log.requests)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"key": None}, 401, -2014),
        ({"key": "unknown"}, 401, -2015),
        ({"secret": "of another"}, 400, -1022),
        ({"timestamp": NOON_MS - 5_100}, 400, -1021),
        ({"timestamp": NOON_MS + 1_100}, 400, -1021),
        ({"timestamp": ""}, 400, -1102),
        ({"timestamp": "noon"}, 400, -1100),
        ({"recvWindow": 60_001}, 400, -1102),
    ],
)
async def test_what_is_not_let_in_uses_up_no_fault_and_is_not_executed(
    changes: dict[str, Any], status: int, code: int
) -> None:
    async with trading_net(faults=[{"fault": "lost_after"}]) as net:
        reply = await buy(net, **changes)
        assert (reply.status, reply.json["code"]) == (status, code)
        assert (net.log.requests[0].code, net.faults.waiting(), placed(net)) == (code, 1, [])


async def test_over_the_weight_limit_nothing_is_executed() -> None:
    async with trading_net(weight_limit=20) as net:
        assert (await ask(net, "GET", "account")).status == 200
        reply = await buy(net)
        assert (reply.status, reply.json["code"], placed(net)) == (429, -1003, [])
        assert int(reply.headers["Retry-After"]) >= 1


async def test_too_many_unfilled_orders() -> None:
    rules = ExchangeRules(order_limits=(2, 100))
    async with trading_net(trading={"rules": rules}) as net:
        replies = [await rest_limit(net, f"s-1-{number}-t") for number in range(3)]
        assert [reply.status for reply in replies] == [200, 200, 429]
        assert [reply.headers["X-MBX-ORDER-COUNT-10S"] for reply in replies[:2]] == ["1", "2"]
        assert replies[2].json["code"] == -1015 and int(replies[2].headers["Retry-After"]) >= 1


async def test_in_maintenance_nothing_is_executed() -> None:
    async with trading_net(faults=[{"fault": "maintenance", "s": 30}]) as net:
        await get(net, "ping")
        reply = await buy(net)
        assert (reply.status, reply.json["code"], placed(net)) == (503, -1001, [])


@pytest.mark.parametrize(
    ("fault", "executed"),
    [
        ({"fault": "lost_before"}, False),
        ({"fault": "lost_after"}, True),
        ({"fault": "lost_after", "s": 0.05}, True),
        ({"fault": "cut_answer"}, True),
    ],
)
async def test_a_lost_answer_says_nothing_of_the_order(fault: dict[str, Any], executed: bool) -> None:
    async with trading_net(faults=[fault]) as net:
        await cut(net)
        assert (placed(net) == ["s-1-1-e"]) is executed
        assert net.log.requests[0].status == 0, "the log has it as cut"
        assert (await ask(net, "GET", "order", symbol="BTCUSDT", origClientOrderId="s-1-1-e")).status == (
            200 if executed else 400
        )


@pytest.mark.parametrize(
    ("fields", "status", "text", "executed"),
    [
        ({}, 504, '{"code":-1007,', True),
        ({"executed": False}, 504, '{"code":-1007,', False),
        ({"code": -1006, "status": 200}, 200, '{"code":-1006,', True),
        ({"code": -1000, "executed": False}, 500, '{"code":-1000,', False),
        ({"status": 503, "body": "empty"}, 503, "", True),
        ({"status": 502, "body": "html", "executed": False}, 502, "<!DOCTYPE html>", False),
    ],
)
async def test_an_unknown_outcome(fields: dict[str, Any], status: int, text: str, executed: bool) -> None:
    async with trading_net(faults=[{"fault": "unknown", **fields}]) as net:
        reply = await buy(net)
        assert reply.status == status and reply.text.startswith(text) and bool(reply.text) is bool(text)
        assert (placed(net) == ["s-1-1-e"]) is executed


async def test_a_refusal_on_demand_meets_the_leg_it_names() -> None:
    fault = {"fault": "refused", "code": -2010, "msg": "Order would trigger immediately.", "leg": "t", "after": 1}
    async with trading_net(faults=[fault]) as net:
        replies = [await buy(net), await rest_limit(net, "s-1-2-t"), await rest_limit(net, "s-1-3-t")]
        assert [reply.status for reply in replies] == [200, 200, 400]
        assert replies[2].json == {"code": -2010, "msg": "Order would trigger immediately."}
        assert placed(net) == ["s-1-1-e", "s-1-2-t"]


async def test_a_request_that_was_held_too_long_is_refused_just_before_the_matching() -> None:
    async with trading_net(faults=[{"fault": "late_before", "s": 0.3, "times": 2}]) as net:
        waiting = asyncio.create_task(buy(net, recvWindow=3_000))
        while net.faults.waiting() and not net._clock.real_s() > 5:
            await asyncio.sleep(0.01)
            if net.faults._scripted[0].met:
                break
        pass_ms(net, 3_500)
        reply = await waiting
        assert (reply.status, reply.json["code"], placed(net)) == (400, -1021, [])
        assert (await buy(net, recvWindow=3_000)).status == 200, "held as long, but still within its window"
        assert placed(net) == ["s-1-1-e"]


async def test_a_request_that_is_held_goes_on_when_its_sender_has_gone() -> None:
    async with trading_net(faults=[{"fault": "late_before", "s": 0.3}]) as net:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await buy(net)
        assert placed(net) == []
        async with asyncio.timeout(10):
            while not placed(net):
                await asyncio.sleep(0.01)
        assert placed(net) == ["s-1-1-e"]


async def test_events_may_come_before_the_answer() -> None:
    async with trading_net(faults=[{"fault": "late_after", "s": 0.4}]) as net, socket_of(net) as socket:
        await socket.subscribe()
        waiting = asyncio.create_task(buy(net))
        event = await socket.event("executionReport")
        assert event["c"] == "s-1-1-e" and not waiting.done()
        assert (await waiting).status == 200


@pytest.mark.parametrize(("answer", "status"), [("first", 200), ("second", 400)])
async def test_a_request_that_is_delivered_twice(answer: str, status: int) -> None:
    async with trading_net(faults=[{"fault": "doubled_request", "answer": answer}]) as net:
        reply = await rest_limit(net)
        assert reply.status == status, "an id that rests is taken once"
        assert placed(net) == ["s-1-1-t"]
        net.faults.add({"fault": "doubled_request"})
        await buy(net)
        assert placed(net) == ["s-1-1-t", "s-1-1-e", "s-1-1-e"], "a market order is gone before the second comes"


async def test_lies_about_the_account() -> None:
    async with trading_net() as net:
        await rest_limit(net, "s-1-1-t")
        net.faults.add([{"fault": "wrong_balance", "asset": "USDT", "by": -50}, {"fault": "stale_orders"}])
        told = [(await ask(net, "GET", "account")).json for _ in range(2)]
        free = [float(one["free"]) for account in told for one in account["balances"] if one["asset"] == "USDT"]
        assert free[1] - free[0] == pytest.approx(50)
        assert (await ask(net, "GET", "openOrders", symbol="BTCUSDT")).json == [], "as it was before the order"
        assert [one["clientOrderId"] for one in (await ask(net, "GET", "openOrders")).json] == ["s-1-1-t"]


async def test_trades_that_are_not_told_yet() -> None:
    async with trading_net() as net:
        await buy(net, "s-1-1-e")
        net.faults.add({"fault": "trades_missing"})
        counts = [len((await ask(net, "GET", "myTrades", symbol="BTCUSDT")).json) for _ in range(2)]
        assert counts[1] - counts[0] == 1


async def test_an_order_that_the_exchange_takes_away_as_soon_as_there_is_one() -> None:
    async with trading_net(faults=[{"fault": "expire_order", "leg": "t"}]) as net, socket_of(net) as socket:
        await socket.subscribe()
        await buy(net, "s-1-1-e")
        await rest_limit(net, "s-1-1-t")
        async with asyncio.timeout(10):
            while (event := await socket.event("executionReport"))["X"] != "EXPIRED":
                pass
        assert event["c"] == "s-1-1-t"
        assert (await ask(net, "GET", "openOrders", symbol="BTCUSDT")).json == []


async def test_a_halt_is_seen_in_exchange_info_and_stops_orders() -> None:
    async with trading_net() as net:
        net.faults.add({"fault": "symbol_status", "symbol": "BTC/USDT", "status": "HALT"})
        async with asyncio.timeout(10):
            while (await get(net, "exchangeInfo", symbol="BTCUSDT")).json["symbols"][0]["status"] != "HALT":
                await asyncio.sleep(0.01)
        assert (await buy(net)).status == 400
        assert (await buy(net, symbol="ETHUSDT")).status == 200


async def test_the_time_it_tells_is_the_time_it_judges_by() -> None:
    async with trading_net(faults=[{"fault": "skew", "ms": 120_000}]) as net:
        server_ms = (await get(net, "time")).json["serverTime"]
        assert server_ms == NOON_MS + 120_000
        assert (await buy(net)).json["code"] == -1021
        assert (await buy(net, timestamp=server_ms)).status == 200


async def test_a_key_may_do_what_it_may() -> None:
    account = {
        "name": "two", "balances": {"USDT": 100},
        "keys": [
            {"key": "reads", "secret": "r", "may_trade": False},
            {"key": "far", "secret": "f", "ips": ["10.1.1.1"]},
        ],
    }  # fmt: skip
    async with trading_net(accounts=[TEST_ACCOUNT, account]) as net:
        reads: dict[str, Any] = {"key": "reads", "secret": "r"}
        assert (await ask(net, "GET", "account", **reads)).status == 200
        for reply in (await buy(net, **reads), await ask(net, "GET", "account", key="far", secret="f")):
            assert (reply.status, reply.json["code"]) == (401, -2015)
        may = (await ask(net, "GET", "sapi/v1/account/apiRestrictions", **reads)).json
        assert (may["enableReading"], may["enableSpotAndMarginTrading"], may["ipRestrict"]) == (True, False, False)
        may = (await ask(net, "GET", "sapi/v1/account/apiRestrictions")).json
        assert (may["enableSpotAndMarginTrading"], may["enableWithdrawals"]) == (True, False)


async def test_a_stop_of_the_testnet_ends_what_is_held() -> None:
    net = trading_net(faults=[{"fault": "late_before", "s": 600}])
    await net.start()
    waiting = asyncio.create_task(buy(net))
    async with asyncio.timeout(10):
        while not net.faults._scripted or not net.faults._scripted[0].met:
            if not net.faults._scripted:
                break
            await asyncio.sleep(0.01)
        await net.stop()
        with pytest.raises(aiohttp.ClientError):
            await waiting
    assert placed(net) == [], "what was held is not executed any more"


async def test_public_prices() -> None:
    async with trading_net() as net:
        price = (await get(net, "ticker/price", symbol="BTCUSDT")).json
        assert price["symbol"] == "BTCUSDT" and float(price["price"]) > 0
        assert set((await get(net, "avgPrice", symbol="BTCUSDT")).json) == {"mins", "price", "closeTime"}


async def test_the_listen_key_of_old_is_gone() -> None:
    async with trading_net() as net, aiohttp.ClientSession() as session:
        for method in ("POST", "PUT", "DELETE"):
            async with session.request(method, f"{net.url}/api/v3/userDataStream") as response:
                assert (response.status, "410 Gone" in await response.text()) == (410, True)


async def test_without_accounts_nothing_trades() -> None:
    async with trading_net(accounts=()) as net:
        assert net.trading is None
        assert (await buy(net)).status == 405
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with socket_of(net):
                pass


async def test_a_socket_asks_the_same_as_rest() -> None:
    async with trading_net() as net, socket_of(net) as socket:
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
        answer = await _place(socket, order)
        assert (answer["status"], answer["result"]["status"]) == (200, "FILLED")
        assert {one["rateLimitType"] for one in answer["rateLimits"]} == {"ORDERS"}
        assert [one.path for one in net.log.requests] == ["order"]


async def _place(socket: Socket, order: dict[str, str]) -> Any:
    return await socket.ask("order.place", signed=True, **order, newClientOrderId="s-1-1-e")
