"""The link to the exchange: frames read, closed flags kept, silence noticed, dialled again, nothing left behind."""

import asyncio
import copy
from importlib import import_module
from typing import Any

import pytest
from aiohttp import ClientConnectionResetError, WSMsgType, web

from app.errors import ConfigError
from app.feeds.link import Frame, LiveStream, read_frame
from app.models.market import Candle
from tests.made import BTC

MESSAGE: dict[str, Any] = {
    "e": "kline", "E": 65_000, "s": "BTCUSDT",
    "k": {"t": 60_000, "T": 119_999, "s": "BTCUSDT", "i": "1m", "o": "10.5", "h": "12", "l": "9", "c": "11",
          "v": "3.25", "x": False},
}  # fmt: skip
MARKETS = {BTC: {"id": "BTCUSDT", "lowercaseId": "btcusdt", "symbol": BTC, "base": "BTC", "quote": "USDT",
                 "type": "spot", "spot": True, "contract": False, "option": False, "active": True}}  # fmt: skip


def message(*, event: Any = 65_000, **kline: Any) -> dict[str, Any]:
    changed = copy.deepcopy(MESSAGE)
    changed["E"] = event
    changed["k"] |= kline
    return changed


def test_a_frame_is_the_candle_its_closed_flag_and_its_own_time() -> None:
    candle = Candle(BTC, "1m", 60_000, 10.5, 12.0, 9.0, 11.0, 3.25)
    assert read_frame(BTC, "1m", message()) == Frame(candle, False, 65_000)
    assert read_frame(BTC, "1m", message(x=True, event=120_010)) == Frame(candle, True, 120_010)


@pytest.mark.parametrize(
    "kline",
    [
        {"i": "5m"}, {"t": 60_001}, {"t": None}, {"o": None}, {"o": "nan"}, {"v": "-1"}, {"h": "10"}, {"l": "0"},
        {"l": "10.9"}, {"c": "inf"}, {"o": {}},
    ],
)  # fmt: skip
def test_what_is_no_candle_is_none(kline: dict[str, Any]) -> None:
    assert read_frame(BTC, "1m", message(**kline)) is None


@pytest.mark.parametrize("broken", [{}, {"k": None}, {"k": {"t": 0}}, {**MESSAGE, "E": None}])
def test_nor_is_what_lacks_parts(broken: dict[str, Any]) -> None:
    assert read_frame(BTC, "1m", broken) is None


def test_other_exchanges_are_refused() -> None:
    with pytest.raises(ConfigError, match="binanceus, binance, binance_demo only, not from kraken"):
        LiveStream("kraken", [BTC], "1m", {}, silence_s=1.0)


async def test_what_is_put_right_in_the_library() -> None:
    stream = LiveStream("binanceus", [BTC], "1m", MARKETS, silence_s=9.0)
    client = stream._opened()
    try:
        link = client.client("wss://example.invalid/ws/0")
        assert client.is_spot_url(link)
        client.ws_dial_backoff[link.url] = {"attempts": 9, "until": client.milliseconds() + 60_000}
        assert client.ws_dial_delay(link.url) == 0.0, "ours is the one backoff"
        assert link.keepAlive == 3_000, "a dead link is noticed by its pongs within the silence"
        assert not client.enableRateLimit
    finally:
        await client.close()


class Server:
    """A websocket on the loopback that does what a test tells it, connection by connection."""

    def __init__(self, *scripts: str) -> None:
        self.scripts = list(scripts)
        self.subscribed: list[dict[str, Any]] = []
        self.dials = 0
        self.pings = 0
        self.open = 0
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> "Server":
        application = web.Application()
        application.router.add_get("/ws/{tail:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        script = self.scripts[min(self.dials, len(self.scripts) - 1)]
        self.dials += 1
        if script == "refuse":
            return web.Response(status=503, headers={"Retry-After": "0.3"})
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        self.open += 1
        try:
            self.subscribed.append(await socket.receive_json())
            for number in range({"two": 2, "drop": 1, "fades": 1}.get(script, 0)):
                await socket.send_json(message(event=65_000 + number, x=number == 1))
            if script == "garbage":
                await socket.send_json(message(o=None))
                await socket.send_json({"result": None, "id": 1})
                await socket.send_json(message())
            if script == "drop":
                assert request.transport is not None
                request.transport.abort()
            async for received in socket:
                assert received.type in (WSMsgType.TEXT, WSMsgType.PING)
                if received.type is WSMsgType.PING:
                    self.pings += 1
                    if script not in ("dead", "fades"):
                        await socket.pong(received.data)
        finally:
            self.open -= 1
        return socket


class Listening:
    """A stream that runs until the block ends; what it told."""

    def __init__(self, server: Server, silence_s: float) -> None:
        self.stream = LiveStream("binanceus", [BTC], "1m", MARKETS, url=server.url, silence_s=silence_s)
        self.frames: list[Frame] = []
        self.links: list[bool] = []

    async def __aenter__(self) -> "Listening":
        self._before = asyncio.all_tasks()
        self._task = asyncio.create_task(self.stream.run(self.frames.append, self.links.append))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.until(lambda: not self._left())

    def _left(self) -> set[asyncio.Task[Any]]:
        """Tasks that the stream has left behind."""
        return {task for task in asyncio.all_tasks() - self._before if "RequestHandler" not in repr(task)}

    async def until(self, happened: Any, seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not happened():
                await asyncio.sleep(0.01)


async def test_one_subscription_and_every_frame_with_its_flag() -> None:
    async with Server("two") as server, Listening(server, 5.0) as listening:
        await listening.until(lambda: len(listening.frames) == 2)
        assert [frame.closed for frame in listening.frames] == [False, True]
        assert [one["params"] for one in server.subscribed] == [["btcusdt@kline_1m"]]
        assert listening.links == [True]


async def test_a_drop_and_a_refused_handshake_are_dialled_again() -> None:
    async with Server("drop", "refuse", "two") as server, Listening(server, 5.0) as listening:
        await listening.until(lambda: len(listening.frames) == 3)
        assert listening.links == [True, False, True]
        assert server.dials == 3


async def test_a_link_that_is_cut_before_the_subscription_goes_out_is_dialled_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # ccxt hands on what aiohttp raised, no error of its own.
    client = import_module("ccxt.async_support.base.ws.client").Client
    send, cuts = client.send, [ClientConnectionResetError("Cannot write to closing transport")]

    async def cut_once(link: Any, message: Any) -> Any:
        if cuts:
            raise cuts.pop()
        return await send(link, message)

    monkeypatch.setattr(client, "send", cut_once)
    async with Server("two", "two") as server, Listening(server, 5.0) as listening:
        await listening.until(lambda: len(listening.frames) == 2)
        assert server.dials == 2


async def test_a_link_that_says_nothing_is_dialled_again() -> None:
    async with Server("dead", "two") as server, Listening(server, 0.3) as listening:
        await listening.until(lambda: len(listening.frames) == 2, 2.0)  # silence, hanging up, a short wait
        assert server.dials == 2


async def test_a_link_that_falls_silent_is_dialled_again() -> None:
    async with Server("fades", "two") as server, Listening(server, 0.4) as listening:
        await listening.until(lambda: len(listening.frames) == 3, 2.6)
        assert server.dials == 2
        assert listening.links == [True, False, True]


async def test_pongs_alone_keep_a_quiet_link_for_some_time_but_not_for_ever() -> None:
    async with Server("quiet", "two") as server, Listening(server, 0.2) as listening:
        await listening.until(lambda: server.pings >= 8)  # through two silences and more
        assert server.dials == 1, "it answers, nobody trades"
        await listening.until(lambda: len(listening.frames) == 2)
        assert server.dials == 2, "or its subscription is lost"


async def test_garbage_is_counted_and_left_out() -> None:
    async with Server("garbage") as server, Listening(server, 5.0) as listening:
        await listening.until(lambda: listening.frames)
        assert listening.stream.unreadable == 1
        assert len(listening.frames) == 1


async def test_no_socket_is_left_when_it_ends() -> None:
    async with Server("quiet") as server:
        async with Listening(server, 5.0) as listening:
            await listening.until(lambda: server.subscribed)
        await listening.until(lambda: not server.open)


async def test_it_ends_while_it_dials() -> None:
    dialled = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dialled.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    mute = Server()
    mute.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with Listening(mute, 0.2):
        await dialled.wait()
    server.close()
    await server.wait_closed()
