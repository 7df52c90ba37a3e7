"""The user data stream over a real socket: subscribed, dialled again, and what it says when it says nothing right."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from app.exchange.order_reports import OrderReport, TradeReport
from app.exchange.spot_api import BinanceSpotApi
from tests.signed_exchange import BTC, KEY, SECRET, SignedExchange, report

Play = Callable[[web.WebSocketResponse], Awaitable[None]]
SUBSCRIBED = {"id": 1, "status": 200, "result": {"subscriptionId": 0}}
FILL = report("t-1-1-e", "TRADE", "FILLED", l="1", z="1", L="5", t=7, N="BTC", n="0.001")


@pytest.fixture
async def server() -> AsyncIterator[SignedExchange]:
    async with SignedExchange() as made:
        yield made


def event(content: Any) -> str:
    return json.dumps({"subscriptionId": 0, "event": content})


async def request_of(socket: web.WebSocketResponse) -> dict[str, Any]:
    message = await socket.receive()
    return dict(json.loads(message.data))


async def hold(socket: web.WebSocketResponse) -> None:
    """Until the client goes."""
    async for _ in socket:
        pass


def says(*frames: str | bytes, holds: bool = True) -> Play:
    """Answers the subscription, then these; and hangs up, or waits."""

    async def play(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        await socket.send_json(SUBSCRIBED)
        for frame in frames:
            await (socket.send_str(frame) if isinstance(frame, str) else socket.send_bytes(frame))
        if holds:
            await hold(socket)

    return play


class Listening:
    """A client that listens, as a context; what it heard, and what became of its link."""

    def __init__(self, server: SignedExchange, *plays: Play, silence_s: float = 20.0) -> None:
        self.heard: list[OrderReport | TradeReport] = []
        self.links: list[tuple[bool, str]] = []
        self.told: list[str] = []
        self.api: BinanceSpotApi = server.api(tell=self.told.append, silence_s=silence_s)
        left = list(plays)

        async def play(socket: web.WebSocketResponse) -> None:
            await (left.pop(0) if len(left) > 1 else left[0])(socket)

        server.on_socket = play

    async def __aenter__(self) -> "Listening":
        self.task = asyncio.create_task(
            self.api.listen(self.heard.append, lambda up, why: self.links.append((up, why)))
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.api.close()

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not done():
                assert not self.task.done(), self.task.exception()
                await asyncio.sleep(0.005)


async def test_it_subscribes_by_signature_and_hears_trades_and_orders(server: SignedExchange) -> None:
    requests: list[dict[str, Any]] = []

    async def play(socket: web.WebSocketResponse) -> None:
        requests.append(await request_of(socket))
        await socket.send_str(event(report("t-1-0-e")))  # before the answer
        await socket.send_json(SUBSCRIBED)
        await socket.send_str(event({"e": "outboundAccountPosition", "E": 1, "B": []}))
        await socket.send_str(event(FILL))
        await hold(socket)

    async with Listening(server, play) as client:
        await client.until(lambda: len(client.heard) == 3)
    assert client.links == [(True, "")]
    assert [type(one) for one in client.heard] == [OrderReport, TradeReport, OrderReport]
    assert isinstance(client.heard[1], TradeReport)
    assert (client.heard[1].symbol, client.heard[1].trade_id) == (BTC, 7)
    (request,) = requests
    params = dict(request["params"])
    assert request["method"] == "userDataStream.subscribe.signature"
    signature = params.pop("signature")
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
    assert signature == hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
    assert 0 <= server.now_ms() - int(params["timestamp"]) < 60_000
    assert client.told == []


ENDS: dict[str, tuple[Play, str]] = {
    "hung up": (says(holds=False), "the exchange has hung up"),
    "terminated": (says(event({"e": "eventStreamTerminated", "E": 1})), "the exchange has ended the subscription"),
    "shutdown": (says(json.dumps({"event": {"e": "serverShutdown", "E": 1}})), "the exchange's server shuts down"),
    "rubbish": (says(*["no JSON"] * 20), "events that cannot be read, one after the other"),
}


@pytest.mark.parametrize("kind", list(ENDS))
async def test_a_link_that_is_gone_is_said_and_dialled_again(server: SignedExchange, kind: str) -> None:
    play, why = ENDS[kind]
    async with Listening(server, play, says(event(report("t-1-1-e")))) as client:
        await client.until(lambda: len(client.heard) == 1)
    assert client.links[0] == (True, "")
    assert client.links[-1] == (True, "")
    is_up, said = client.links[-2]
    assert not is_up
    assert said.startswith(why)
    assert server.dials == 2


async def test_silence_without_a_pong_ends_a_link(server: SignedExchange) -> None:
    """A peer that is gone answers no ping: its socket stays open and says nothing."""

    async def deaf(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        await socket.send_json(SUBSCRIBED)
        await asyncio.sleep(60)  # reads nothing, so it answers no ping

    async with Listening(server, deaf, says(event(report("t-1-1-e"))), silence_s=0.3) as client:
        await client.until(lambda: len(client.heard) == 1)
    assert client.links[1] == (False, "no sign of life for 0.3 s")


async def test_a_quiet_account_with_pongs_stays_linked(server: SignedExchange) -> None:
    pings = 0

    async def quiet(socket: web.WebSocketResponse) -> None:
        nonlocal pings
        await socket.receive()
        await socket.send_json(SUBSCRIBED)
        socket._autoping = False
        while True:
            message = await socket.receive()
            if message.type is not WSMsgType.PING:
                return
            pings += 1
            await socket.pong(message.data)

    async with Listening(server, quiet, silence_s=0.2) as client:
        await client.until(lambda: pings >= 5)
    assert client.links == [(True, "")]


@pytest.mark.parametrize(
    "frame",
    [
        "", "{", "[1]", "5", "null", b"\x00\xff", "[" * 100_000, '{"event": null}',
        '{"event": {"e": "executionReport"}}', '{"subscriptionId": 0}',
        event({**FILL, "l": "NaN"}), event({**FILL, "t": 1.5}),
        event({**FILL, "X": "LIKE_NEW"}),
    ],
)  # fmt: skip
async def test_an_event_that_cannot_be_read_is_a_hole(server: SignedExchange, frame: str | bytes) -> None:
    """What it said is lost: whoever listens hears that the link was broken, and asks for everything anew."""
    async with Listening(server, says(frame, event(report("t-1-1-e")))) as client:
        await client.until(lambda: len(client.heard) == 1)
    assert [is_up for is_up, _ in client.links] == [True, False, True]
    assert server.dials == 1
    assert len(client.told) == 1
    assert "user data stream: an event that cannot be read" in client.told[0]
    assert client.api._stream.unreadable == 1


async def test_answers_and_other_events_are_no_holes(server: SignedExchange) -> None:
    frames = [json.dumps({"id": 77, "status": 200, "result": {}}), event({"e": "ofTomorrow"}), event(FILL)]
    async with Listening(server, says(*frames)) as client:
        await client.until(lambda: len(client.heard) == 2)
    assert client.links == [(True, "")]


async def test_money_that_comes_or_goes_is_told(server: SignedExchange) -> None:
    frames = [
        event({"e": "balanceUpdate", "E": 1, "a": "BTC", "d": "-100.5", "T": 1}),
        event({"e": "externalLockUpdate", "E": 1, "a": "NEO", "d": "10.0", "T": 1}),
        event(FILL),
    ]
    async with Listening(server, says(*frames)) as client:
        await client.until(lambda: len(client.heard) == 2)
    assert client.told == [
        "-100.5 BTC was deposited, withdrawn or transferred by somebody else",
        "10.0 NEO was locked or unlocked by somebody else",
    ]


def refuses(code: int, status: int = 400, **data: Any) -> Play:
    async def play(socket: web.WebSocketResponse) -> None:
        request = await request_of(socket)
        error = {"code": code, "msg": f"no, {request['params']['signature']} {KEY}", **data}
        await socket.send_json({"id": 1, "status": status, "error": error})
        await hold(socket)

    return play


async def test_a_refused_subscription_is_told_without_a_secret_and_tried_again(server: SignedExchange) -> None:
    async with Listening(server, refuses(-2015), says(event(report("t-1-1-e")))) as client:
        await client.until(lambda: len(client.heard) == 1)
    assert client.links == [(True, "")], "it was never up before"
    (line,) = client.told
    assert line.startswith("user data stream: the subscription was refused: no, ")
    assert KEY not in line
    assert "(-2015)" in line


async def test_a_refused_time_stamp_measures_the_clock_again(server: SignedExchange) -> None:
    async with Listening(server, refuses(-1021), says(event(report("t-1-1-e")))) as client:
        await client.until(lambda: len(client.heard) == 1)
    times = [place for place, one in enumerate(server.asked) if one.path == "time"]
    assert len(times) >= 3, "two at first for the pace, and again"


async def test_a_ban_holds_the_dials_and_everything_else(server: SignedExchange) -> None:
    until = {"serverTime": 1_000, "retryAfter": 601_000}
    async with Listening(server, refuses(-1003, 418, data=until)) as client:
        await client.until(lambda: bool(client.told))
        outcome_pause = client.api._requests.limiter.is_paused
        await asyncio.sleep(0.3)
    assert outcome_pause
    assert server.dials == 1


async def test_cancelled_it_leaves_no_task_and_no_socket(server: SignedExchange) -> None:
    before = asyncio.all_tasks()
    async with Listening(server, says()) as client:
        await client.until(lambda: bool(client.links))
    await asyncio.sleep(0.05)
    assert {
        task for task in asyncio.all_tasks() - before if "Listening" in repr(task) or "listen" in repr(task)
    } == set()
