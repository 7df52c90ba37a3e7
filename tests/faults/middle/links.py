"""Kinds of damage to the websocket itself: its frames as bytes, its pings, its end; and to the handshake before it."""

import time
from collections.abc import Iterator
from email.utils import formatdate

from tests.faults.middle.kinds import Kind, Link, Message, OnHandshake, OnMessage
from tests.faults.middle.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Answer,
    close_frame,
    frame,
    refusal,
)

REFUSING = (400, 401, 403, 404, 418, 429, 451, 500, 502, 503)
# As the header says it, and how long an exchange may ask to be left alone by it.
RETRY_AFTER = {"2 s": ("2", 2.0), "inf": ("inf", 0.0), "nan": ("nan", 0.0), "1e9": ("1e9", 0.0), "-5": ("-5", 0.0),
               "0": ("0", 0.0), "words": ("soon", 0.0)}  # fmt: skip


def in_seconds(seconds: float) -> str:
    """Retry-After as a date."""
    return formatdate(time.time() + seconds, usegmt=True)


def _bytes(*data: bytes, then: bool = False) -> OnMessage:
    """These bytes, and the true message or (`then`) nothing of it."""

    async def send(message: Message, link: Link) -> None:
        for one in data:
            await link.send(one)
        if not then:
            await link.send(frame(TEXT, message.payload))

    return send


async def _fragments(message: Message, link: Link) -> None:
    half = len(message.payload) // 2
    await link.send(frame(TEXT, message.payload[:half], last=False))
    await link.send(frame(CONTINUATION, message.payload[half:]))


async def _fragments_with_ping(message: Message, link: Link) -> None:
    half = len(message.payload) // 2
    await link.send(frame(TEXT, message.payload[:half], last=False))
    await link.send(frame(PING, b"between"))
    await link.send(frame(CONTINUATION, message.payload[half:]))


async def _fragments_of_a_byte(message: Message, link: Link) -> None:
    *bytes_, final = (message.payload[place : place + 1] for place in range(len(message.payload)))
    for place, one in enumerate(bytes_):
        await link.send(frame(CONTINUATION if place else TEXT, one, last=False))
    await link.send(frame(CONTINUATION, final))


async def _byte_by_byte(message: Message, link: Link) -> None:
    data = frame(TEXT, message.payload)
    for place in range(len(data)):
        await link.send(data[place : place + 1])
        await link.sleep(0.02)


async def _stops_half_way(message: Message, link: Link) -> None:
    await link.send(frame(TEXT, message.payload)[:50])
    link.hang()


async def _masked(message: Message, link: Link) -> None:
    await link.send(frame(TEXT, message.payload, mask=b"\x01\x02\x03\x04"))


async def _hangs(_: Message, link: Link) -> None:
    link.hang()


async def _reset(_: Message, link: Link) -> None:
    link.reset()


async def _cut_in_a_frame(message: Message, link: Link) -> None:
    await link.send(frame(TEXT, message.payload)[:50])
    link.finish()


async def _finished(_: Message, link: Link) -> None:
    link.finish()


def _websockets() -> Iterator[Kind]:
    """Bytes that are legal but rare, and bytes that are not."""
    legal: dict[str, OnMessage] = {
        "a ping before each message": _bytes(frame(PING, b"now")),
        "a ping of 125 bytes": _bytes(frame(PING, b"p" * 125)),
        "100 pings before each message": _bytes(frame(PING, b"flood") * 100),
        "pongs nobody asked for": _bytes(frame(PONG, b"unasked") * 10),
        "fragments": _fragments,
        "fragments with a ping between": _fragments_with_ping,
        "fragments of one byte": _fragments_of_a_byte,
        "byte by byte": _byte_by_byte,
    }
    for name, message in legal.items():
        slow = name == "byte by byte"
        yield Kind(name, message, count=20 if slow else 10**9)
    illegal: dict[str, OnMessage] = {
        "a ping of 126 bytes": _bytes(frame(PING, b"p" * 126)),
        "a masked frame": _masked,
        "opcode 3": _bytes(frame(3, b"what")),
        "opcode 11": _bytes(frame(11, b"what")),
        "reserved bit 1": _bytes(frame(TEXT, b"{}", reserved=4), then=True),
        "reserved bit 2": _bytes(frame(TEXT, b"{}", reserved=2), then=True),
        "bad UTF-8": _bytes(frame(TEXT, b'{"e":"\xff\xfe"}')),
        "bad UTF-8 in bytes": _bytes(frame(BINARY, b'{"e":"\xff\xfe"}')),
        "a continuation of nothing": _bytes(frame(CONTINUATION, b"{}")),
        "a fragmented ping": _bytes(frame(PING, b"half", last=False)),
        "a message inside a message": _bytes(frame(TEXT, b'{"e":', last=False)),
        "a length of 2^63": _bytes(b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", then=True),
        "a length longer than the message": _bytes(b"\x81\x7e\x7f\xff{}", then=True),
        "bytes that are no frame": _bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n", then=True),
    }
    for name, message in illegal.items():
        yield Kind(name, message, count=3, quick=name == "opcode 3")
    for code in (1000, 1001, 1002, 1006, 1008, 1009, 1011, 1012, 1013, 4000, None):
        what = "without a code" if code is None else str(code)
        yield Kind(f"close {what}", _bytes(close_frame(code), then=True), count=2)
    yield Kind("close 1008 with a reason", _bytes(close_frame(1008, "Pong timeout"), then=True), count=2)
    yield Kind("close with half a code", _bytes(frame(CLOSE, b"\x03"), then=True), count=2)
    yield Kind("close 65535", _bytes(close_frame(65_535), then=True), count=2)
    yield Kind("TCP reset", _reset, count=3)
    yield Kind("the end of the stream", _finished, count=3)
    yield Kind("the end of the stream in a frame", _cut_in_a_frame, count=3)
    yield Kind("half open", _hangs, count=1)
    yield Kind("half open in a frame", _stops_half_way, count=1)
    yield Kind("half open again and again", _hangs, count=3)


def _replaced(name: str, value: str) -> OnHandshake:
    """The testnet's own answer with another header, or (an empty value) without it."""

    def change(answer: Answer) -> Answer:
        lines = (answer.raw or b"").decode().split("\r\n")
        kept = [line for line in lines if not line.lower().startswith(name.lower() + ":")]
        more = [f"{name}: {value}"] if value else []
        return answer.but(raw="\r\n".join([*kept[:1], *more, *kept[1:]]).encode())

    return change


def _refuse(status: int, retry_after: str | None = None) -> OnHandshake:
    return lambda _: refusal(status, retry_after, b"no")


def _handshakes() -> Iterator[Kind]:
    """Answers to a dial. The link is cut first, so that the session dials."""

    def kind(name: str, handshake: OnHandshake, wait_s: float = 0.0, *, quick: bool = False) -> Kind:
        return Kind(f"handshake: {name}", handshake=handshake, count=2, minutes=3.0, wait_s=wait_s, quick=quick)

    for status in REFUSING:
        yield kind(str(status), _refuse(status))
    for name, (text, wait_s) in RETRY_AFTER.items():
        yield kind(f"429, Retry-After {name}", _refuse(429, text), wait_s)
    for status in (418, 503):
        yield kind(f"{status}, Retry-After inf", _refuse(status, "inf"), quick=status == 418)
        yield kind(f"{status}, Retry-After 2 s", _refuse(status, "2"), 2.0)
    yield kind("429, Retry-After a date", lambda _: refusal(429, in_seconds(3.0)))
    yield kind("429, Retry-After a date in 50 years", lambda _: refusal(429, in_seconds(1.5e9)))
    yield kind("a page", lambda _: Answer(200, b"<html>hello</html>", {"Content-Type": "text/html"}))
    yield kind("a redirect to itself", lambda _: Answer(301, b"", {"Location": "/ws/0"}))
    yield kind("a redirect to nowhere", lambda _: Answer(302, b"", {"Location": "http://127.0.0.1:9/"}))
    yield kind("a wrong accept key", _replaced("Sec-WebSocket-Accept", "d3Jvbmc="))
    yield kind("no accept key", _replaced("Sec-WebSocket-Accept", ""))
    yield kind("no upgrade", _replaced("Upgrade", ""))
    yield kind("an extension nobody asked for", _replaced("Sec-WebSocket-Extensions", "x-webkit-deflate-frame"))
    yield kind("a protocol nobody asked for", _replaced("Sec-WebSocket-Protocol", "mqtt"))
    yield kind("a header of 100 kB", _replaced("X-Long", "x" * 100_000))
    yield kind("bytes that are no HTTP", lambda _: Answer(101, raw=b"\x00\x01\x02\r\n\r\n", cut=0))
    yield kind("cut", lambda answer: Answer(101, raw=(answer.raw or b"")[:40], cut=0))
    yield kind("reset", lambda _: Answer(101, raw=b"", reset=True))
    yield kind("nothing", lambda _: Answer(101, raw=b"", cut=0))
    yield kind("good, then the end", lambda answer: answer.but(cut=0))
    yield kind("slow, 4 s", lambda answer: answer.but(delay_s=4.0))
    yield kind("slow, 15 s", lambda answer: answer.but(delay_s=15.0))


def link_kinds() -> Iterator[Kind]:
    """All of this file."""
    yield from _websockets()
    yield from _handshakes()
