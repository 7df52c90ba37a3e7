"""One request from its arrival to its answer: headers, the log, limits before faults, states that outlast an answer."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from app.candles.cache import CandleCache
from app.testnet.market import CacheSource
from tests.candle_columns import START_MS
from tests.testnets import BTC, END_MS, SERIES, get, klines, testnet


async def test_headers_and_log() -> None:
    async with testnet(weight_limit=1200) as net:
        await get(net, "exchangeInfo")
        reply = await klines(net, startTime=START_MS, limit=1)
        assert reply.headers["X-MBX-USED-WEIGHT"] == reply.headers["X-MBX-USED-WEIGHT-1M"] == "11"
        assert reply.headers["Content-Type"].startswith("application/json")
        first, second = net.log.requests
        assert (first.path, first.weight, first.status, first.fault) == ("exchangeInfo", 10, 200, None)
        assert second.query == {"symbol": "BTCUSDT", "interval": "1m", "startTime": str(START_MS), "limit": "1"}
        assert END_MS <= second.virtual_ms <= END_MS + 1
        assert 0 <= first.real_s <= second.real_s < 60
        assert (net.log.used_weight_max, net.log.total_weight) == (11, 11)


async def test_over_the_limit_it_is_429_and_then_a_ban() -> None:
    async with testnet(weight_limit=2) as net:
        statuses = [(await get(net, "ping")).status for _ in range(23)]
        assert statuses == [200] * 2 + [429] * 20 + [418]
        banned = await get(net, "time")
        assert (banned.status, banned.json["code"]) == (418, -1003)
        assert 118 <= int(banned.headers["Retry-After"]) <= 120
        assert (net.log.count(status=429), net.log.count(status=418), net.log.during_ban) == (20, 2, 1)


async def test_a_request_that_is_refused_uses_up_no_fault() -> None:
    async with testnet(weight_limit=1, faults=[{"fault": "html"}]) as net:
        assert (await get(net, "exchangeInfo")).status == 429
        assert net.log.requests[0].fault is None
        assert net.faults.waiting() == 1


async def test_a_ban_and_a_maintenance_are_for_everybody() -> None:
    async with testnet(faults=[{"fault": "banned", "path": "klines", "s": 0.6}]) as net:
        assert [(await get(net, "ping")).status, (await klines(net)).status] == [200, 418]
        assert (await get(net, "ping")).status == 418
        await asyncio.sleep(0.65)
        assert (await get(net, "ping")).status == 200
        net.faults.add({"fault": "maintenance", "s": 0.6})
        assert [(await klines(net)).status, (await get(net, "ping")).status] == [503, 503]
        await asyncio.sleep(0.65)
        assert (await get(net, "ping")).status == 200
        assert net.log.count(fault="maintenance") == 2
        assert net.log.during_ban == 1


async def test_the_log_has_a_request_before_its_answer_is_sent() -> None:
    async with testnet(faults=[{"fault": "slow", "s": 30}, {"fault": "hang", "s": 30}]) as net:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.2)) as session:
            for _ in range(2):
                with pytest.raises(TimeoutError):
                    await session.get(f"{net.url}/api/v3/ping")
        assert [(one.status, one.fault) for one in net.log.requests] == [(200, "slow"), (0, "hang")]


async def test_a_damaged_month_is_the_servers_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache = CandleCache(tmp_path)
    cache.merge(BTC, "1m", SERIES[BTC, "1m"])
    async with testnet(source=CacheSource(cache)) as net:
        cache.path(BTC, "1m", "2025-10").write_bytes(b"")
        reply = await klines(net)
        assert (reply.status, reply.json["code"]) == (500, -1000)
        assert "is damaged" in capsys.readouterr().err
        assert (await get(net, "ping")).status == 200
