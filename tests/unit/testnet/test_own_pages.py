"""The testnet's own pages: faults on demand, the log, the state; none of them is a request of the exchange."""

from typing import Any

import aiohttp
import pytest

from app.testnet.server import Testnet
from tests.testnets import END_MS, get, klines, testnet


async def post(net: Testnet, body: Any, page: str = "faults") -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.post(f"{net.url}/testnet/{page}", json=body) as response:
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


async def test_the_exchanges_clock_is_held_and_released() -> None:
    async with testnet(speed=60_000.0) as net:
        status, held = await post(net, {"held": True}, "clock")
        assert (status, held["held"]) == (200, True)
        assert (await get(net, "time")).json == {"serverTime": held["now_ms"]}
        assert (await page(net, "state"))["held"] is True
        assert (await post(net, {"held": False}, "clock"))[1]["held"] is False
        assert (await get(net, "time")).json["serverTime"] > held["now_ms"]


@pytest.mark.parametrize("body", [{}, {"held": 1}, {"held": True, "speed": 2}, ["held"]])
async def test_a_clock_is_held_or_not(body: Any) -> None:
    async with testnet() as net:
        said = 'clock: write {"held": true} or {"held": false}'
        assert await post(net, body, "clock") == (400, {"error": said})


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
