"""The testnet's own pages: faults on demand, the log, the state; none of them is a request of the exchange."""

from typing import Any

import aiohttp

from app.testnet.server import Testnet
from tests.testnets import END_MS, get, klines, testnet


async def post(net: Testnet, body: Any) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.post(f"{net.url}/testnet/faults", json=body) as response:
        return response.status, await response.json()


async def page(net: Testnet, name: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(f"{net.url}/testnet/{name}") as response:
        return await response.json()


async def test_faults_on_demand() -> None:
    async with testnet() as net:
        assert await post(net, {"fault": "empty"}) == (200, {"waiting": 1})
        assert await post(net, [{"fault": "html"}, {"fault": "skew", "ms": 5}]) == (200, {"waiting": 2})
        status, error = await post(net, [{"fault": "html"}, {"fault": "htlm"}])
        assert (status, error["error"]) == (400, "faults: unknown fault 'htlm'; did you mean html or hole?")
        assert (await klines(net)).json == []
        assert (await get(net, "time")).text.startswith("<!DOCTYPE html>")
        assert (await get(net, "time")).json == {"serverTime": END_MS + 5}


async def test_a_body_that_is_no_json() -> None:
    async with (
        testnet() as net,
        aiohttp.ClientSession() as session,
        session.post(f"{net.url}/testnet/faults", data=b"{") as response,
    ):
        assert response.status == 400


async def test_log_and_state_do_not_count() -> None:
    async with testnet(weight_limit=1200, faults=[{"fault": "html"}]) as net:
        await get(net, "exchangeInfo", symbol="BTCUSDT")
        log, state = await page(net, "log"), await page(net, "state")
        assert [(one["path"], one["query"], one["fault"]) for one in log["requests"]] == [
            ("exchangeInfo", {"symbol": "BTCUSDT"}, "html")
        ]
        assert (state["requests"], state["used_weight"], state["weight_limit"]) == (1, 10, 1200)
        assert (state["now_ms"], state["speed"], state["connections"]) == (END_MS, 1e-6, 0)
        assert net.log.count() == 1
