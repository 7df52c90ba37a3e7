"""Connections of the websocket API: what ends them, what outlives them, and what the streams suffer at a time."""

import asyncio
from typing import Any

import aiohttp
import pytest

from app.testnet import socket_api
from app.testnet.socket_api import LIFE_MS
from tests.trading_nets import NOON_MS, buy, pass_ms, rest_limit, socket_of, trading_net


async def test_a_connection_lasts_a_day_of_the_exchanges_time() -> None:
    async with trading_net() as net, socket_of(net) as old:
        pass_ms(net, LIFE_MS // 2)
        async with socket_of(net) as young:
            pass_ms(net, LIFE_MS // 2)
            assert await old.is_cut()
            assert (await young.ask("ping"))["status"] == 200


async def test_who_does_not_answer_pings_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_api, "PING_S", 0.05)
    monkeypatch.setattr(socket_api, "PONG_MAX_S", 0.6)
    async with trading_net() as net:
        async with socket_of(net, autoping=False) as deaf:
            assert (await deaf.socket.receive(timeout=10)).type is aiohttp.WSMsgType.PING
            assert await deaf.is_cut()
        async with socket_of(net) as good:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.2):  # the client answers the pings in there
                    await good.socket.receive()
            assert not good.socket.closed


async def test_a_ping_of_the_client_has_its_pong() -> None:
    async with trading_net() as net, socket_of(net, autoping=False) as client:
        await client.socket.ping(b"one")
        message = await client.socket.receive(timeout=5)
        assert (message.type, message.data) == (aiohttp.WSMsgType.PONG, b"one")


async def test_a_held_request_holds_up_no_other_and_outlives_its_connection() -> None:
    order: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
    async with trading_net(faults=[{"fault": "late_before", "s": 0.5}]) as net:
        async with socket_of(net) as socket:
            waiting = asyncio.create_task(socket.ask("order.place", signed=True, **order))
            await asyncio.sleep(0.1)
            await socket.socket.send_json({"id": 99, "method": "ping"})
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            assert (await socket.socket.receive_json(timeout=5))["id"] == 99
        assert net.trading is not None
        async with asyncio.timeout(10):
            while not net.trading.engine.ledger("test")["orders"]:
                await asyncio.sleep(0.01)


async def test_streams_are_cut_and_other_connections_are_not() -> None:
    async with trading_net() as net, socket_of(net) as stream, socket_of(net) as plain:
        await stream.subscribe()
        net.faults.add({"fault": "stream_cut"})
        assert await stream.is_cut()
        assert (await plain.ask("ping"))["status"] == 200
        net.faults.add({"fault": "drop_sockets"})
        assert await plain.is_cut()


async def test_a_silent_stream_answers_and_pings_on() -> None:
    async with trading_net() as net, socket_of(net) as stream:
        await stream.subscribe()
        net.faults.add({"fault": "stream_silent", "s": 600})
        await buy(net)
        assert (await stream.ask("ping"))["status"] == 200
        assert await stream.quiet() == [], "no event came"


async def test_in_silence_of_the_sockets_no_answer_comes_either() -> None:
    async with trading_net() as net, socket_of(net) as stream:
        net.faults.add({"fault": "silence", "s": 600})
        await stream.socket.send_json({"id": 1, "method": "ping"})
        assert await stream.quiet() == []


async def test_a_stream_that_the_exchange_terminates_says_so() -> None:
    async with trading_net() as net, socket_of(net) as stream:
        await stream.subscribe()
        net.faults.add({"fault": "stream_terminated", "at_ms": NOON_MS})
        assert (await stream.event())["e"] == "eventStreamTerminated"
        await buy(net)
        assert await stream.quiet() == []
        assert await stream.subscribe() == 1


async def test_a_server_that_shuts_down_says_so_first() -> None:
    async with trading_net() as net, socket_of(net) as stream:
        net.faults.add({"fault": "server_shutdown", "s": 0.2})
        frame = (await stream.quiet(0.1) or [await stream.socket.receive_json(timeout=5)])[0]
        assert set(frame) == {"event"} and frame["event"]["e"] == "serverShutdown"
        assert await stream.is_cut()


async def test_handshakes_are_logged_and_refused_on_demand() -> None:
    async with trading_net(faults=[{"fault": "refuse_handshakes", "n": 1}]) as net:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with socket_of(net):
                pass
        async with socket_of(net, "?returnRateLimits=false") as socket:
            assert "rateLimits" not in await socket.ask("ping")
        assert [(one.path, one.status) for one in net.log.handshakes] == [("ws-api/v3", 503), ("ws-api/v3", 101)]


async def test_nothing_is_left_of_a_connection_that_ended() -> None:
    async with trading_net() as net:
        async with socket_of(net) as stream:
            await stream.subscribe()
            await rest_limit(net)
        assert net.trading is not None and net._socket_api is not None
        async with asyncio.timeout(10):
            while net._socket_api.sessions:
                await asyncio.sleep(0.01)
        assert net.trading.stream.subscriptions == []
