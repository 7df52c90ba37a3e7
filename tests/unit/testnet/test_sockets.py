"""Connections: subscriptions in Binance's words, wrapped and direct streams, silence, drops and who is too slow."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from app.testnet.server import Testnet
from tests.candle_columns import START_MS
from tests.testnets import testnet


@asynccontextmanager
async def connected(net: Testnet, path: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{net.url}{path}", autoping=False) as socket,
    ):
        yield socket


async def ask(socket: aiohttp.ClientWebSocketResponse, content: Any) -> Any:
    await socket.send_str(content if isinstance(content, str) else json.dumps(content))
    return await socket.receive_json(timeout=5)


async def test_subscriptions_in_binances_words() -> None:
    async with testnet() as net, connected(net, "/ws/0") as socket:
        name = "btcusdt@kline_1m"
        assert await ask(socket, {"method": "SUBSCRIBE", "params": [name], "id": 1}) == {"result": None, "id": 1}
        assert await ask(socket, {"method": "LIST_SUBSCRIPTIONS", "id": 2}) == {"result": [name], "id": 2}
        assert await ask(socket, {"method": "UNSUBSCRIBE", "params": [name], "id": 3}) == {"result": None, "id": 3}
        assert await ask(socket, {"method": "LIST_SUBSCRIPTIONS", "id": 4}) == {"result": [], "id": 4}
        assert [one.path for one in net.log.handshakes] == ["ws/0"]
        assert net.log.count() == 0


@pytest.mark.parametrize(
    ("content", "code", "number"),
    [
        ("{", 3, None),
        ("[]", 2, None),
        ({"method": "SHOUT", "id": 5}, 2, 5),
        ({"id": 6}, 2, 6),
        ({"method": "SUBSCRIBE", "id": 7, "params": "btcusdt@kline_1m"}, 2, 7),
        ({"method": "SUBSCRIBE", "id": 8, "params": ["btcusdt"]}, 2, 8),
        ({"method": "SUBSCRIBE", "id": [], "params": ["btcusdt@kline_1m"]}, 2, None),
    ],
)
async def test_error_frames(content: Any, code: int, number: int | None) -> None:
    async with testnet() as net, connected(net, "/ws") as socket:
        answer = await ask(socket, content)
        assert (answer["error"]["code"], answer["id"]) == (code, number)
        assert answer["error"]["msg"].startswith("Invalid")


@pytest.mark.parametrize("path", ["/ws/btcusdt@kline_1m/ethusdt@kline_1m", "/ws"])
async def test_plain_frames(path: str) -> None:
    async with testnet(start_ms=START_MS, speed=600.0) as net, connected(net, path) as socket:
        if path == "/ws":
            names = ["btcusdt@kline_1m", "ethusdt@kline_1m"]
            await ask(socket, {"method": "SUBSCRIBE", "params": names, "id": 1})
        frames = [await socket.receive_json(timeout=5) for _ in range(6)]
        assert {frame["s"] for frame in frames} == {"BTCUSDT", "ETHUSDT"}
        await socket.close()
        while net._sockets.connections:
            await asyncio.sleep(0.01)
        assert net._streams._streams == {}, "nobody listens, nothing is made"


async def test_wrapped_frames() -> None:
    async with (
        testnet(start_ms=START_MS, speed=600.0) as net,
        connected(net, "/stream?streams=btcusdt@kline_1m") as socket,
    ):
        frame = await socket.receive_json(timeout=5)
        assert set(frame) == {"stream", "data"} and frame["stream"] == "btcusdt@kline_1m"
        assert frame["data"]["s"] == "BTCUSDT"
        await socket.send_json({"method": "SUBSCRIBE", "params": ["ethusdt@kline_1m"], "id": 9})
        frames = [await socket.receive_json(timeout=5) for _ in range(20)]
        assert {"result": None, "id": 9} in frames
        assert "ethusdt@kline_1m" in {frame.get("stream") for frame in frames}


async def test_a_ping_has_its_pong_but_in_silence_nothing_comes() -> None:
    async with testnet(start_ms=START_MS, speed=600.0) as net, connected(net, "/ws/btcusdt@kline_1m") as socket:
        await socket.ping(b"one")
        kinds = [(await socket.receive(timeout=5)) for _ in range(4)]
        assert any(one.type is aiohttp.WSMsgType.PONG and one.data == b"one" for one in kinds)
        net.faults.add({"fault": "silence", "s": 1.0})
        await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError):  # what was sent before is read first
            for _ in range(50):
                await socket.receive(timeout=0.1)
        await socket.ping(b"two")
        with pytest.raises(TimeoutError):
            await socket.receive(timeout=0.1)
        assert (await socket.receive_json(timeout=5))["s"] == "BTCUSDT"


async def test_drops_and_refused_handshakes() -> None:
    async with testnet() as net, connected(net, "/ws/0") as first, connected(net, "/ws/1") as second:
        net.faults.add([{"fault": "drop_sockets"}, {"fault": "refuse_handshakes", "n": 2}])
        for socket in (first, second):
            message = await socket.receive(timeout=5)
            assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
            assert socket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE
        for _ in range(2):
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                async with connected(net, "/ws/0"):
                    raise AssertionError("it was let in")
            assert caught.value.status == 503
        async with connected(net, "/ws/0") as third:
            assert await ask(third, {"method": "LIST_SUBSCRIPTIONS", "id": 1}) == {"result": [], "id": 1}
        assert [one.status for one in net.log.handshakes] == [101, 101, 503, 503, 101]


async def test_a_slow_client_is_cut_off_and_the_others_get_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.testnet.sockets._WAITING_BYTES_MAX", 50_000)
    async with testnet(start_ms=START_MS, speed=600.0) as net:
        host, _, port = net.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1_024)
        writer.write(
            b"GET /ws/btcusdt@kline_1m HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await writer.drain()
        async with connected(net, "/ws/btcusdt@kline_1m") as quick:
            await quick.receive_json(timeout=5)
            slow = net._sockets.connections[0]
            count = 0
            while slow in net._sockets.connections and count < 10_000:
                for _ in range(100):
                    slow.push("x", "y" * 1_000)  # as thousands of frames would
                await asyncio.sleep(0.005)
                count += 1
            assert slow not in net._sockets.connections
            assert (await quick.receive_json(timeout=5))["s"] == "BTCUSDT"
            assert len(net._sockets.connections) == 1
        writer.close()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1 << 30)
