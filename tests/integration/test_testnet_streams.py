"""The testnet's websocket as the real exchange library sees it, at the speed of 120 minutes a minute and beyond."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from app.testnet.generator import GeneratorSource
from app.testnet.server import Testnet
from tests.candle_columns import MINUTE_MS, START_MS
from tests.integration.ccxt_clients import stream_client
from tests.testnets import BTC, ETH, klines, testnet

EIGHT = [f"{name}/USDT" for name in ("AAA", "BBB", "BTC", "CCC", "DDD", "EEE", "ETH", "FFF")]


async def frames_for(net: Testnet, path: str, seconds: float) -> list[dict[str, Any]]:
    found = []
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{net.url}{path}") as socket:
        try:
            async with asyncio.timeout(seconds):
                async for message in socket:
                    found.append(json.loads(message.data))
        except TimeoutError:
            pass
    return found


async def test_the_library_watches_two_symbols() -> None:
    async with testnet(start_ms=START_MS, speed=300.0) as net, stream_client(net) as client:
        seen: dict[str, dict[int, list[float]]] = {BTC: {}, ETH: {}}
        async with asyncio.timeout(10):
            while min(len(rows) for rows in seen.values()) < 4:
                update = await client.watch_ohlcv_for_symbols([[BTC, "1m"], [ETH, "1m"]])
                for symbol, by_timeframe in update.items():
                    for row in by_timeframe["1m"]:
                        seen[symbol][row[0]] = list(row)
        for symbol, rows in seen.items():
            *closed, _ = sorted(rows)
            assert closed == list(range(closed[0], closed[0] + len(closed) * MINUTE_MS, MINUTE_MS))
            reply = await klines(net, symbol=symbol.replace("/", ""), startTime=closed[0], limit=len(closed))
            for row, text in zip(closed, reply.json, strict=True):
                assert rows[row] == [text[0], *map(float, text[1:6])]
        assert [one.path for one in net.log.handshakes] == ["ws/0"]


async def test_a_drop_is_a_network_error_and_the_next_call_dials_again() -> None:
    import ccxt

    async with testnet(start_ms=START_MS, speed=300.0) as net, stream_client(net) as client:
        await client.watch_ohlcv(BTC, "1m")
        net.faults.add([{"fault": "drop_sockets"}, {"fault": "refuse_handshakes", "n": 1}])
        async with asyncio.timeout(10):
            with pytest.raises(ccxt.NetworkError):
                while True:
                    await client.watch_ohlcv(BTC, "1m")
            with pytest.raises(ccxt.NetworkError):
                await client.watch_ohlcv(BTC, "1m")
            assert await client.watch_ohlcv(BTC, "1m")
        assert [one.status for one in net.log.handshakes] == [101, 503, 101]


async def test_eight_symbols_at_120_lose_no_candle_and_have_four_updates_each() -> None:
    source = GeneratorSource(9, EIGHT)
    async with testnet(source=source, start_ms=START_MS, speed=120.0) as net:
        path = "/stream?streams=" + "/".join(f"{one.replace('/', '').lower()}@kline_1m" for one in EIGHT)
        frames = await frames_for(net, path, 2.6)
        for symbol in EIGHT:
            mine = [one["data"]["k"] for one in frames if one["data"]["s"] == symbol.replace("/", "")]
            closed = [k for k in mine if k["x"]]
            assert len(closed) >= 4
            assert [k["t"] for k in closed] == [closed[0]["t"] + place * MINUTE_MS for place in range(len(closed))]
            truth = source.candles(symbol, "1m", closed[0]["t"], closed[-1]["T"])
            assert [float(k["c"]) for k in closed] == truth.close.tolist()
            assert [float(k["v"]) for k in closed] == truth.volume.tolist()
            for k in closed[1:]:
                updates = [one for one in mine if one["t"] == k["t"] and not one["x"]]
                assert len(updates) >= 4
                for name in ("h", "v"):
                    values = [float(one[name]) for one in (*updates, k)]
                    assert values == sorted(values)
                lows = [float(one["l"]) for one in (*updates, k)]
                assert lows == sorted(lows, reverse=True)


async def test_a_hole_has_no_frames_and_a_skew_shows_in_them() -> None:
    script = [
        {"fault": "hole", "symbol": BTC, "from": START_MS + MINUTE_MS, "to": START_MS + 3 * MINUTE_MS},
        {"fault": "skew", "ms": 3_600_000},
    ]
    async with testnet(start_ms=START_MS, speed=600.0, faults=script) as net:
        frames = await frames_for(net, "/ws/btcusdt@kline_1m", 0.8)
        assert [one["k"]["t"] for one in frames if one["k"]["x"]][:3] == [
            START_MS,
            START_MS + 3 * MINUTE_MS,
            START_MS + 4 * MINUTE_MS,
        ]
        assert all(one["E"] >= one["k"]["t"] + 3_600_000 for one in frames)


async def test_a_scripted_drop_comes_at_its_virtual_time() -> None:
    script = [{"fault": "drop_sockets", "at_ms": START_MS + 2 * MINUTE_MS + 30_000}]
    async with testnet(start_ms=START_MS, speed=300.0, faults=script) as net:
        frames = await frames_for(net, "/ws/btcusdt@kline_1m", 3.0)
        assert net.now_ms() >= START_MS + 2 * MINUTE_MS
        assert [one["k"]["t"] for one in frames if one["k"]["x"]] == [START_MS, START_MS + MINUTE_MS]


async def test_a_storm_drops_silences_and_refuses_and_lets_a_client_back_in() -> None:
    async with testnet(start_ms=START_MS, speed=3_000.0, faults="storm:2") as net:  # a slot is 0.1 s
        connections = 0
        async with aiohttp.ClientSession() as session, asyncio.timeout(10):
            while connections < 4:
                try:
                    async with session.ws_connect(f"{net.url}/ws/btcusdt@kline_1m") as socket:
                        connections += 1
                        while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                            pass
                except aiohttp.WSServerHandshakeError:
                    continue
        statuses = "".join("r" if one.status == 503 else "." for one in net.log.handshakes)
        assert "rrrr" not in statuses and statuses.count(".") == 4
