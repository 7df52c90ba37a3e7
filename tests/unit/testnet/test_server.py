"""The testnet as a whole: it starts, stops, leaves nothing behind and refuses what cannot be."""

import asyncio
import socket

import aiohttp
import pytest

from app.errors import ConfigError
from app.testnet.server import Testnet
from tests.testnets import END_MS, get, testnet


async def test_after_stop_no_task_and_no_port_is_left() -> None:
    before = asyncio.all_tasks()
    net = testnet(start_ms=0, speed=600.0)
    await net.start()
    assert net.url.startswith("http://127.0.0.1:") and not net.url.endswith(":0")
    async with aiohttp.ClientSession() as session:
        ws = await session.ws_connect(f"{net.url}/ws/btcusdt@kline_1m")
        net.faults.add({"fault": "hang", "s": 60})
        hanging = asyncio.ensure_future(session.get(f"{net.url}/api/v3/ping"))
        while not (net.log.requests and net.log.handshakes):
            await asyncio.sleep(0.01)
        async with asyncio.timeout(2):  # of the five seconds in which a SIGTERM ends it
            await net.stop()
        with pytest.raises(aiohttp.ClientError):
            await hanging
        await ws.receive()
        await ws.close()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", int(net.url.rpartition(":")[2]))


async def test_a_port_of_choice_and_one_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} of 127.0.0.1 cannot be taken"):
            await testnet(port=port).start()
    async with testnet(port=port) as net:
        assert net.url == f"http://127.0.0.1:{port}"
        assert (await get(net, "ping")).json == {}


async def test_the_clock_starts_when_it_does() -> None:
    net = testnet(speed=1_000.0)
    await asyncio.sleep(0.01)
    assert net.now_ms() == END_MS
    async with net:
        await asyncio.sleep(0.01)
        assert net.now_ms() >= END_MS + 10_000


async def test_only_the_loopback_hears() -> None:
    async with testnet() as net:
        (server,) = {site.name for site in net._runner.sites}  # type: ignore[union-attr]
        assert server == net.url


@pytest.mark.parametrize("faults", ["storm", "storm:", "storm:x", "rain:1", [{"fault": "rain"}]])
def test_faults_that_are_none(faults: object) -> None:
    with pytest.raises(ConfigError, match="faults"):
        testnet(faults=faults)


@pytest.mark.parametrize("faults", [None, "none", "storm:7", [], [{"fault": "html"}]])
def test_no_fault_a_storm_or_a_list(faults: object) -> None:
    assert isinstance(testnet(faults=faults), Testnet)


async def test_a_bug_in_the_frames_is_loud(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object) -> float:
        raise ZeroDivisionError

    monkeypatch.setattr("app.testnet.kline_streams.KlineStreams.emit_due", broken)
    net = testnet()
    await net.start()
    async with asyncio.timeout(2):
        await net.serve_until(asyncio.Event())
    with pytest.raises(ZeroDivisionError):
        await net.stop()
