"""The testnet's own pages about trading: acts of others, and a ledger that tells when what was so."""

import asyncio
from typing import Any

import aiohttp
import pytest

from app.testnet.api_keys import TEST_ACCOUNT
from app.testnet.server import Testnet
from tests.trading_nets import buy, rest_limit, socket_of, trading_net


async def post(net: Testnet, body: Any) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.post(f"{net.url}/testnet/orders", json=body) as response:
        return response.status, await response.json()


async def ledger(net: Testnet, query: str = "") -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(f"{net.url}/testnet/ledger{query}") as response:
        return response.status, await response.json()


def limit(**changes: Any) -> dict[str, Any]:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": 1, "price": 50}
    return {**order, "newClientOrderId": "web", **changes}


async def test_a_foreign_order_is_placed_and_cancelled() -> None:
    async with trading_net() as net, socket_of(net) as stream:
        await stream.subscribe()
        status, order = await post(net, {"place": limit()})
        assert (status, order["clientOrderId"]) == (200, "web")
        assert (await stream.event("executionReport"))["c"] == "web"
        assert (await post(net, {"cancel": {"symbol": "BTCUSDT", "origClientOrderId": "web"}}))[0] == 200
        status, refused = await post(net, {"cancel": {"symbol": "BTCUSDT", "origClientOrderId": "web"}})
        assert (status, refused["code"]) == (400, -2011)
        assert net.log.count() == 0, "none of this is a request"


async def test_a_balance_a_status_and_an_order_are_changed_by_hand() -> None:
    async with trading_net() as net, socket_of(net) as stream:
        await stream.subscribe()
        assert await post(net, {"adjust": {"asset": "USDT", "amount": -25}}) == (200, {"done": True})
        assert (await stream.event("balanceUpdate"))["a"] == "USDT"
        assert await post(net, {"lock": {"asset": "USDT", "amount": 25}}) == (200, {"done": True})
        assert (await stream.event("externalLockUpdate"))["a"] == "USDT"
        assert await post(net, {"status": {"symbol": "BTCUSDT", "status": "CANCEL_ONLY"}}) == (200, {"done": True})
        assert (await buy(net)).status == 400
        await post(net, {"status": {"symbol": "BTCUSDT", "status": "TRADING"}})
        await rest_limit(net)
        assert await post(net, {"expire": "s-1-1-t"}) == (200, {"done": True})
        async with asyncio.timeout(10):
            while (await stream.event("executionReport"))["X"] != "EXPIRED":
                pass
        assert await post(net, {"expire": "s-1-1-t"}) == (200, {"done": False})


@pytest.mark.parametrize(
    "body",
    [
        [], {}, {"shout": 1}, {"place": 1}, {"adjust": {"asset": "USDT"}}, {"adjust": {"amount": 5}},
        {"status": "HALT"},
        {"place": limit(), "expire": "web"}, {"status": {"symbol": "BTCUSDT", "status": "OPEN"}},
        {"status": {"symbol": "XYZ", "status": "HALT"}}, {"adjust": {"asset": "USDT", "amount": -1e9}},
        {"account": "nobody", "expire": "web"},
    ],
)  # fmt: skip
async def test_what_makes_no_sense(body: Any) -> None:
    async with trading_net() as net:
        status, answer = await post(net, body)
        assert (status, bool(answer["error"])) == (400, True)


async def test_a_ledger_with_real_times() -> None:
    async with trading_net(faults=[{"fault": "lost_before"}]) as net:
        with pytest.raises(aiohttp.ClientError):
            await buy(net, "s-1-1-e")
        await buy(net, "s-1-2-e")
        status, told = await ledger(net)
        assert (status, told["account"], told["speed"]) == (200, "test", 1e-6)
        assert [order["clientOrderId"] for order in told["orders"]] == ["s-1-2-e"]
        assert len(told["trades"]) == 1 and set(told["balances"]) == {"BTC", "USDT"}
        reports = [one for one in told["events"] if one["event"]["e"] == "executionReport"]
        assert {one["event"]["c"] for one in reports} == {"s-1-2-e"}
        assert all(0 <= one["real_s"] <= told["real_s"] and one["now_ms"] <= told["now_ms"] for one in reports)


async def test_of_several_accounts_one_is_named() -> None:
    other = {"name": "two", "balances": {"USDT": 100}, "keys": [{"key": "k2", "secret": "s"}]}
    async with trading_net(accounts=[TEST_ACCOUNT, other]) as net:
        assert (await ledger(net))[0] == 400
        assert (await ledger(net, "?account=two"))[1]["account"] == "two"
        assert (await post(net, {"account": "two", "place": limit()}))[0] == 200
        assert [len((await ledger(net, f"?account={name}"))[1]["orders"]) for name in ("test", "two")] == [0, 1]
