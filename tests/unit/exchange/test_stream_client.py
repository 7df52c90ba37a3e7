"""Damaged frames and refused handshakes over a real socket, with the real ccxt client: skipped, counted, told once."""

import asyncio
import json
import logging
from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import web

from app.feeds.link import Frame, LiveStream
from tests.made import BTC
from tests.unit.feeds.test_link import MARKETS, message

DEEP = "[" * 100_000 + "]" * 100_000
DAMAGED: dict[str, str | bytes] = {
    "cut JSON": json.dumps(message())[:40],
    "no JSON": "hello",
    "a lone brace": "{",
    "nothing": "",
    "a list": "[1, 2]",
    "a number": "5",
    "null": "null",
    "deep": DEEP,
    "infinity": json.dumps(message(o=float("inf"))),
    "an open time of infinity": json.dumps(message(t=float("inf"))),
    "1e999": json.dumps(message()).replace('"10.5"', "1e999"),
    "not a number": json.dumps(message(c=float("nan"))),
    "a number of 10,000 digits": json.dumps(message()).replace("60000", "6" * 10_000),
    "binary": b"\xff\xfe\x00\x01",
    "binary zeros": bytes(100),
    "another event": json.dumps({"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "b": 5}),
    "an account": json.dumps({"e": "outboundAccountPosition", "B": [{"a": None}]}),
    "an error that nobody asked for": json.dumps({"error": {"code": 5000, "msg": "x"}, "id": 77}),
    "an error that is text": json.dumps({"error": "x"}),
    "no candle": json.dumps({"e": "kline", "E": 1, "s": "BTCUSDT"}),
    "a candle that is a list": json.dumps({**message(), "k": [1]}),
    "a symbol that is a list": json.dumps(message(s=["BTCUSDT"])),
    "an interval that is none": json.dumps(message(i=None)),
    "a flag that is text": json.dumps(message(x="true")),
    "a time that is text": json.dumps(message(t="60000")),
    "a time with a point": json.dumps(message(t=60_000.5)),
    "a time that is true": json.dumps(message(event=True)),
    "prices that are objects": json.dumps(message(o={}, h=[], l=None, c=True)),
    "two symbols": json.dumps({**message(), "s": "ETHUSDT"}),
    "another length": json.dumps(message(T=60_000 + 299_999)),
    "off the grid": json.dumps(message(t=60_001, T=120_000)),
    "a low above the high": json.dumps(message(l="13")),
    "a wrapper of nothing": json.dumps({"stream": "btcusdt@kline_1m", "data": None}),
    "a wrapper of text": json.dumps({"stream": 5, "data": "x"}),
}
FOREIGN = {
    "another symbol": json.dumps({**message(s="XRPUSDT"), "s": "XRPUSDT"}),
    "another interval": json.dumps(message(i="5m")),
    "an answer": json.dumps({"result": None, "id": 1}),
    "an answer of odd types": json.dumps({"result": {"a": []}, "id": [1]}),
}


class Script:
    """A websocket that sends what it is told after the subscription; or refuses the handshake."""

    def __init__(self, sends: Sequence[str | bytes] = (), refuse: tuple[int, list[str]] | None = None) -> None:
        self.sends, self.refuse = sends, refuse
        self.dials, self.url = 0, ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> "Script":
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
        self.dials += 1
        if self.refuse is not None:
            status, waits = self.refuse
            answer = web.Response(status=status)
            for wait in waits:
                answer.headers.add("Retry-After", wait)
            return answer
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive_json()
        for one in self.sends:
            await (socket.send_str(one) if isinstance(one, str) else socket.send_bytes(one))
        async for _ in socket:
            pass
        return socket


class Heard:
    """A stream that listens while the block lasts, with what it told and what its loop complained of."""

    def __init__(self, server: Script, sleep: Any = asyncio.sleep) -> None:
        self.frames: list[Frame] = []
        self.told: list[str] = []
        self.complaints: list[dict[str, Any]] = []
        self.stream = LiveStream(
            "binanceus", [BTC], "1m", MARKETS, url=server.url, silence_s=20.0, tell=self.told.append, sleep=sleep
        )

    async def __aenter__(self) -> "Heard":
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.complaints.append(context))
        self._task = asyncio.create_task(self.stream.run(self.frames.append, lambda _: None))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def until(self, happened: Any) -> None:
        async with asyncio.timeout(30.0):
            while not happened():
                if self._task.done():
                    self._task.result()
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("kind", DAMAGED)
async def test_a_damaged_frame_is_skipped_counted_and_told(
    kind: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    good = json.dumps(message())
    caplog.set_level(logging.WARNING)
    async with Script([good, DAMAGED[kind], good, DAMAGED[kind], good]) as server, Heard(server) as heard:
        await heard.until(lambda: len(heard.frames) == 3)
        assert server.dials == 1, "the link is kept"
        assert heard.stream.unreadable == 2
        assert len(heard.told) == 1 and "a frame that cannot be read was skipped" in heard.told[0]
        assert "\n" not in heard.told[0] and len(heard.told[0]) < 200
        assert heard.complaints == []
    assert capfd.readouterr().err == "" and caplog.records == []


@pytest.mark.parametrize("kind", FOREIGN)
async def test_what_is_not_ours_says_nothing(kind: str) -> None:
    async with Script([FOREIGN[kind]] * 30 + [json.dumps(message())]) as server, Heard(server) as heard:
        await heard.until(lambda: heard.frames)
        assert (server.dials, heard.stream.unreadable, heard.told, heard.complaints) == (1, 0, [], [])


async def test_text_that_is_no_text_is_skipped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Raw(Script):
        async def _handle(self, request: web.Request) -> web.StreamResponse:
            self.dials += 1
            socket = web.WebSocketResponse(compress=False)
            await socket.prepare(request)
            await socket.receive_json()
            assert request.transport is not None
            request.transport.write(bytes([0x81, 4]) + b"\xff\xfe{}")  # a text frame of no UTF-8
            await socket.send_str(json.dumps(message()))
            async for _ in socket:
                pass
            return socket

    async with Raw() as server, Heard(server) as heard:
        await heard.until(lambda: heard.frames)
        assert (server.dials, heard.stream.unreadable) == (1, 1)


async def test_only_a_row_of_damaged_frames_ends_a_link() -> None:
    good = json.dumps(message())
    some = [*["{"] * 19, good] * 5
    async with Script([*some, *["{"] * 20]) as server, Heard(server) as heard:
        await heard.until(lambda: server.dials == 2)
        assert len(heard.frames) >= 5
        assert heard.complaints == []


async def test_a_refused_subscription_is_told_and_dialled_again() -> None:
    refusal = json.dumps({"error": {"code": 2, "msg": "no such stream"}, "id": 1})
    async with Script([refusal]) as server, Heard(server) as heard:
        await heard.until(lambda: server.dials == 2)
        assert "refuses the subscription" in heard.told[0] and "no such stream" in heard.told[0]


@pytest.mark.parametrize(
    ("status", "waits", "least_s", "most_s", "words"),
    [
        (418, ["3600"], 3_600.0, 3_600.0, "has banned this address"),
        (418, [], 120.0, 121.0, "has banned this address"),
        (418, ["inf"], 120.0, 121.0, "has banned this address"),
        (418, ["1e9"], 120.0, 121.0, "has banned this address"),
        (418, ["5", "3600"], 3_600.0, 3_600.0, "has banned this address"),
        (429, ["nan"], 60.0, 60.0, "limits the rate"),
        (429, ["7"], 7.0, 7.0, "limits the rate"),
        (429, ["-7"], 60.0, 60.0, "limits the rate"),
        (403, [], 1.0, 4.0, "403, forbidden"),
        (451, ["inf"], 1.0, 4.0, "451, not served"),
        (404, [], 1.0, 4.0, "does not exist"),
        (503, ["inf"], 0.0, 0.25, ""),
        (503, ["20"], 20.0, 20.0, ""),
        (503, ["86400"], 300.0, 300.0, ""),
    ],
)
async def test_a_refused_handshake_waits_as_the_documents_allow(
    status: int, waits: list[str], least_s: float, most_s: float, words: str
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            await asyncio.Event().wait()

    async with Script(refuse=(status, waits)) as server, Heard(server, sleep) as heard:
        await heard.until(lambda: len(slept) == 2)
        assert least_s <= slept[1] <= most_s
        assert (words in heard.told[0]) if words else heard.told == []
        assert heard.complaints == []


async def test_dials_never_come_faster_than_binance_allows() -> None:
    """300 in five minutes: here from a server that drops every link at once, by a clock that only waits move."""
    from app import times

    now_s, dialled = 1_000.0, list[float]()

    async def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds
        await asyncio.sleep(0)

    stream = LiveStream("binanceus", [BTC], "1m", MARKETS, silence_s=20.0, sleep=sleep)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(times, "monotonic_s", lambda: now_s)
        while now_s < 2_000.0:
            await sleep(stream._pacer.until_dial_s())
            dialled.append(now_s)
    for begin in dialled:
        assert sum(begin <= one < begin + 300.0 for one in dialled) <= 300
    assert len([one for one in dialled if one < 1_001.0]) >= 10, "a few at once are fine"
