"""Each fault once, as a client sees it over a real socket."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from app import times
from app.testnet.server import Testnet
from tests.candle_columns import MINUTE_MS, START_MS
from tests.integration.ccxt_clients import rest_client
from tests.testnets import BTC, END_MS, ETH, Reply, get, klines, testnet

PAGE = {"startTime": START_MS, "endTime": START_MS + 9 * MINUTE_MS}
TEN = list(range(START_MS, START_MS + 10 * MINUTE_MS, MINUTE_MS))


async def page(net: Testnet) -> Reply:
    return await klines(net, **PAGE)


def opens(reply: Reply) -> list[int]:
    return [row[0] for row in reply.json]


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"fault": "rate_limited", "retry_after_s": 3}, 429),
        ({"fault": "banned", "s": 0.1}, 418),
        ({"fault": "server_error"}, 500),
        ({"fault": "server_error", "status": 502, "body": "html"}, 502),
        ({"fault": "server_error", "status": 503}, 503),
        ({"fault": "server_error", "status": 504}, 504),
        ({"fault": "html"}, 200),
        ({"fault": "blocked"}, 403),
        ({"fault": "blocked", "status": 451}, 451),
        ({"fault": "maintenance", "s": 0.1}, 503),
    ],
)
async def test_another_status_or_body_and_then_it_is_over(fault: dict[str, Any], status: int) -> None:
    async with testnet(faults=[fault]) as net:
        reply = await page(net)
        assert reply.status == status
        assert ("Retry-After" in reply.headers) == (status in (429, 418))
        if fault.get("body") == "html" or fault["fault"] == "html":
            assert reply.text.startswith("<!DOCTYPE html>")
        await asyncio.sleep(0.11 if "s" in fault else 0)
        assert opens(await page(net)) == TEN
        assert net.log.requests[0].fault == fault["fault"]


async def test_a_slow_answer() -> None:
    async with testnet(faults=[{"fault": "slow", "s": 0.2}]) as net:
        before_s = times.monotonic_s()
        assert opens(await page(net)) == TEN
        assert times.monotonic_s() - before_s >= 0.2


@pytest.mark.parametrize(("fault", "least_s"), [({"fault": "hang", "s": 0.2}, 0.2), ({"fault": "reset"}, 0.0)])
async def test_no_answer_and_the_connection_is_cut(fault: dict[str, Any], least_s: float) -> None:
    async with testnet(faults=[fault | {"times": 2}]) as net:
        before_s = times.monotonic_s()
        with pytest.raises(aiohttp.ClientConnectionError):
            await page(net)
        assert least_s <= times.monotonic_s() - before_s < least_s + 1
        assert net.log.requests[0].status == 0


@pytest.mark.parametrize("name", ["broken_json", "cut_json"])
async def test_what_is_no_json_has_200_and_its_length(name: str) -> None:
    async with testnet(faults=[{"fault": name, "path": "klines", "times": 2}]) as net:
        reply = await page(net)
        assert reply.status == 200 and int(reply.headers["Content-Length"]) == len(reply.text)
        with pytest.raises(json.JSONDecodeError):
            _ = reply.json
        # The library takes such a body for rows without numbers; a client has to look itself.
        async with rest_client(net) as client:
            rows = await client.fetch_ohlcv(BTC, "1m")
            assert rows and all(None in row for row in rows)


async def test_rows_that_are_not_what_they_should_be() -> None:
    script = [
        {"fault": "empty"},
        {"fault": "missing", "rows": 2},
        {"fault": "duplicate"},
        {"fault": "disorder"},
        {"fault": "forming"},
    ]
    async with testnet(faults=script, start_ms=END_MS - 30_000) as net:
        assert opens(await page(net)) == []
        assert len(set(opens(await page(net)))) == 8
        duplicate = opens(await page(net))
        assert len(duplicate) == 11 and sorted(set(duplicate)) == TEN
        disorder = opens(await page(net))
        assert disorder != TEN and sorted(disorder) == TEN
        assert opens(await page(net)) == [*TEN, END_MS - MINUTE_MS]
        assert opens(await page(net)) == TEN


async def test_a_hole_in_rest() -> None:
    hole = {"fault": "hole", "symbol": BTC, "from": TEN[2], "to": TEN[5]}
    async with testnet(faults=[hole]) as net:
        assert opens(await page(net)) == TEN[:2] + TEN[5:]
        assert opens(await klines(net, symbol="ETHUSDT", **PAGE)) == TEN
        net.faults.add({"fault": "hole", "symbol": ETH, "from": TEN[0], "to": TEN[9]})
        assert opens(await klines(net, symbol="ETHUSDT", **PAGE)) == TEN[9:]


async def test_a_revised_candle() -> None:
    revised = {"fault": "revised", "symbol": BTC, "at": TEN[3], "from_answer": 2, "close": 1.5}
    async with testnet(faults=[revised]) as net:
        first, second = (await page(net)).json, (await page(net)).json
        assert [place for place in range(10) if first[place] != second[place]] == [3]
        assert (second[3][3], second[3][4]) == ("1.50000000", "1.50000000")


async def test_a_skewed_clock() -> None:
    async with testnet(faults=[{"fault": "skew", "ms": -90_000}]) as net:
        assert (await get(net, "time")).json["serverTime"] in range(END_MS - 90_000, END_MS - 89_990)
        assert (await get(net, "exchangeInfo")).json["serverTime"] in range(END_MS - 90_000, END_MS - 89_990)
        assert net.now_ms() in range(END_MS, END_MS + 10)


async def test_who_asks_again_gets_through_a_storm() -> None:
    async with testnet(faults="storm:44") as net:
        for start in range(0, 60, 2):
            query = {"startTime": TEN[0] + start * MINUTE_MS, "limit": 2}
            whole = [query["startTime"], query["startTime"] + MINUTE_MS]
            for _ in range(60):
                try:
                    reply = await klines(net, **query)
                except aiohttp.ClientConnectionError:
                    continue
                if reply.status in (418, 503):
                    await asyncio.sleep(0.1)
                elif reply.status == 200 and reply.text.endswith("]]") and opens(reply) == whole:
                    break
            else:
                raise AssertionError("the storm never let it through")
        assert sum(one.fault is not None for one in net.log.requests) >= 5
        assert not {one.fault for one in net.log.requests} & {"hole", "revised", "skew"}
