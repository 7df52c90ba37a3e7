"""Kinds of damage to what frames say: times, numbers, shapes, symbols.

`instead` sends the damaged frame in the place of the true one, `beside` after it. What a frame of a foreign symbol or
interval says is sent beside the true ones: it is nobody's business.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.faults.middle.kinds import Kind, Link, Message, OnMessage
from tests.faults.middle.wire import BINARY, TEXT, frame, text_frame

DAY_MS, MINUTE_MS = 86_400_000, 60_000
YEARS_MS = 50 * 365 * DAY_MS
Change = Callable[[Any], object]  # changes a message in place, or returns another one
_FOREIGN = ("SOLUSDT", "1m"), ("BTCUSDT", "5m")


def _wire(content: object) -> bytes:
    if isinstance(content, bytes):
        return content
    return text_frame(content if isinstance(content, str) else json.dumps(content))


def _changed(message: Message, change: Change) -> bytes:
    data = message.copy
    made = change(data)
    return _wire(data if made is None else made)


def instead(change: Change, *, closed: bool | None = None) -> OnMessage:
    """The damaged one in the place of the true one (`closed`: only of those that are, or are not)."""

    async def send(message: Message, link: Link) -> None:
        if closed is not None and message.is_closed is not closed:
            await link.send(frame(TEXT, message.payload))
        else:
            await link.send(_changed(message, change))

    return send


def beside(*changes: Change, first: bool = False) -> OnMessage:
    """The true one and the damaged ones after it, or before it."""

    async def send(message: Message, link: Link) -> None:
        if not first:
            await link.send(frame(TEXT, message.payload))
        for change in changes:
            await link.send(_changed(message, change))
        if first:
            await link.send(frame(TEXT, message.payload))

    return send


def shifted(ms: int, *, opens: bool = True, event: bool = True, closed: bool | None = None) -> Change:
    """The same frame at another time: its candle, its own time, or both."""

    def change(data: Any) -> None:
        if opens:
            data["k"]["t"] += ms
            data["k"]["T"] += ms
        if event:
            data["E"] += ms
        if closed is not None:
            data["k"]["x"] = closed

    return change


def _foreign(symbol: str, interval: str, ms: int, *, closed: bool) -> Change:
    def change(data: Any) -> None:
        data["s"] = data["k"]["s"] = symbol
        data["k"]["i"] = interval
        data["k"]["t"] = data["k"]["t"] // 300_000 * 300_000
        shifted(ms, closed=closed)(data)

    return change


def _scaled(times: float, *, opens: bool, event: bool) -> Change:
    def change(data: Any) -> None:
        if opens:
            data["k"]["t"], data["k"]["T"] = int(data["k"]["t"] * times), int(data["k"]["T"] * times)
        if event:
            data["E"] = int(data["E"] * times)

    return change


def _times() -> Iterator[Kind]:
    """Frames that claim another time."""
    for length, ms in (("a day", DAY_MS), ("50 years", YEARS_MS)):
        quick = ms == DAY_MS
        yield Kind(f"one frame {length} ahead", beside(shifted(ms, closed=False)), count=1, quick=quick)
        yield Kind(f"one frame {length} ahead, no end", beside(shifted(ms, closed=False)), count=1, endless=True)
        yield Kind(f"one closed candle {length} ahead", beside(shifted(ms, closed=True)), count=1)
        yield Kind(f"frames {length} ahead", instead(shifted(ms)))
        yield Kind(f"one event time {length} ahead", beside(shifted(ms, opens=False)), count=1)
        yield Kind(f"event times {length} ahead", instead(shifted(ms, opens=False)))
        yield Kind(f"open times {length} ahead", instead(shifted(ms, event=False)))
        yield Kind(f"frames {length} behind", instead(shifted(-ms)))
        yield Kind(f"event times {length} behind", instead(shifted(-ms, opens=False)))
        for symbol, interval in _FOREIGN:
            for closed in (False, True):
                what = f"{symbol} {interval} {'closed' if closed else 'forming'} {length} ahead"
                yield Kind(what, beside(_foreign(symbol, interval, ms, closed=closed)), count=2)
    yield Kind("event times in seconds", instead(_scaled(1e-3, opens=False, event=True)))
    yield Kind("event times in microseconds", instead(_scaled(1e3, opens=False, event=True)))
    yield Kind("all times in seconds", instead(_scaled(1e-3, opens=True, event=True)))
    yield Kind("all times in microseconds", instead(_scaled(1e3, opens=True, event=True)))
    yield Kind("all times in nanoseconds", instead(_scaled(1e6, opens=True, event=True)))
    yield Kind("the next candle before its time", beside(shifted(MINUTE_MS, event=False, closed=False)))
    yield Kind("the candle after the next, forming", beside(shifted(2 * MINUTE_MS, closed=False)))
    yield Kind("the candle after the next, closed", beside(shifted(2 * MINUTE_MS, closed=True)))
    yield Kind("an hour ahead", instead(shifted(60 * MINUTE_MS)))
    yield Kind("times off the minute", instead(shifted(12_345)))


def put(place: str, value: object) -> Change:
    """One field of the message, or as `k.o` of its candle, has another value."""

    def change(data: Any) -> None:
        holder, name = (data["k"], place[2:]) if place.startswith("k.") else (data, place)
        holder[name] = value

    return change


def _without(place: str) -> Change:
    def change(data: Any) -> None:
        holder, name = (data["k"], place[2:]) if place.startswith("k.") else (data, place)
        del holder[name]

    return change


def _number(text: str) -> Change:
    """The close as this text, without quotes."""
    return lambda data: json.dumps(data).replace(json.dumps(data["k"]["c"]), text)


def _nothing(_: Any) -> str:
    return ""


def _swapped_high_and_low(data: Any) -> None:
    data["k"]["h"], data["k"]["l"] = data["k"]["l"], str(float(data["k"]["h"]) + 1.0)


def _fields() -> Iterator[Kind]:
    """Frames with a field that is missing, null, of another type or no candle's."""
    for place in ("e", "E", "s", "k", "k.t", "k.s", "k.i", "k.o", "k.x"):
        yield Kind(f"without {place}", instead(_without(place)))
        yield Kind(f"{place} null", instead(put(place, None)))
    values: dict[str, tuple[str, object]] = {
        "k a list": ("k", [1, 2, 3]), "k a text": ("k", "kline"), "k a number": ("k", 7), "k empty": ("k", {}),
        "an unknown symbol": ("s", "NOSUCHCOIN"), "a symbol of another type": ("s", 42), "an event of another kind":
        ("e", "executionReport"), "a price in words": ("k.c", "abc"), "an empty price": ("k.o", ""), "a price with a "
        "comma": ("k.c", "1,234.5"), "a price in a list": ("k.o", ["1.0"]), "a price as an object": ("k.h", {"p": 1}),
        "a price 'NaN'": ("k.c", "NaN"), "a price 'Infinity'": ("k.h", "Infinity"), "a price '1e999'": ("k.h", "1e999"),
        "a negative price": ("k.l", "-1.0"), "a price 0": ("k.l", "0.00000000"), "a negative volume": ("k.v", "-5.0"),
        "a volume 'NaN'": ("k.v", "NaN"), "the closed flag a text": ("k.x", "true"), "the closed flag a number":
        ("k.x", 1), "an open time in words": ("k.t", "now"), "an open time of 400 digits": ("k.t", 10**400),
        "a negative open time": ("k.t", -60_000), "an event time in words": ("E", "now"), "event time 0": ("E", 0),
        "event time 2^63": ("E", 2**63), "an event time of 400 digits": ("E", 10**400), "a negative event time":
        ("E", -1), "an event time as a list": ("E", [1]), "another interval": ("k.i", "3m"), "an interval of another "
        "type": ("k.i", 60), "true as a price": ("k.o", True),
    }  # fmt: skip
    for name, (place, value) in values.items():
        yield Kind(name, instead(put(place, value)))
    yield Kind("high below low", instead(_swapped_high_and_low))
    for name, text in (("NaN", "NaN"), ("Infinity", "Infinity"), ("-Infinity", "-Infinity"), ("1e999", "1e999")):
        yield Kind(f"the number {name}", instead(_number(text)))
    yield Kind("a number of 5000 digits", instead(_number("9" * 5000)))


def _shapes() -> Iterator[Kind]:
    """Messages that are no kline, or no JSON."""
    bodies: dict[str, Change] = {
        "cut JSON": lambda data: json.dumps(data)[:60],
        "cut JSON, balanced": lambda data: json.dumps(data)[:60] + "}",
        "empty messages": _nothing,
        "spaces": lambda _: " " * 40,
        "the word null": lambda _: "null",
        "the word true": lambda _: "true",
        "a bare number": lambda _: "12345",
        "a bare text": lambda _: '"kline"',
        "an empty list": lambda _: "[]",
        "an empty object": lambda _: "{}",
        "the message in a list": lambda data: [data],
        "a list in a list": lambda data: [[data]],
        "wrapped as of a combined stream": lambda data: {"stream": "btcusdt@kline_1m", "data": data},
        "deep lists": lambda _: "[" * 20_000 + "]" * 20_000,
        "deep objects": lambda _: '{"a":' * 20_000 + "1" + "}" * 20_000,
        "deep lists in a kline": lambda data: json.dumps(data)[:-1] + ',"z":' + "[" * 5_000 + "]" * 5_000 + "}",
        "two messages in one": lambda data: json.dumps(data) * 2,
        "something after the message": lambda data: json.dumps(data) + " and so on",
        "zero bytes": lambda data: "\0" + json.dumps(data),
        "HTML": lambda _: "<html><body>502 Bad Gateway</body></html>",
        "an error": lambda _: {"error": {"code": 3, "msg": "Invalid JSON"}, "id": None},
        "an error of a code alone": lambda _: {"code": -1003, "msg": "Too many requests"},
        "an error in words": lambda _: {"error": "server busy"},
        "an error 503": lambda _: {"id": 1, "status": 503, "error": {"code": -1000, "msg": "unavailable"}},
        "an answer nobody asked for": lambda _: {"result": None, "id": 1},
        "the server's shutdown": lambda data: {"e": "serverShutdown", "E": data["E"]},
        "bytes of a message": lambda data: frame(BINARY, json.dumps(data).encode()),
        "random bytes": lambda data: frame(BINARY, bytes(range(128, 256)) + str(data["E"]).encode()),
        "compressed bytes": lambda _: frame(BINARY, b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03broken"),
    }
    for name, change in bodies.items():
        # Bytes that are the message itself are the message.
        yield Kind(name, instead(change), quick=name == "cut JSON")
    yield Kind("cut JSON beside the true", beside(lambda data: json.dumps(data)[:60]))
    yield Kind("random bytes beside the true", beside(lambda _: frame(BINARY, bytes(range(128, 256)))))
    yield Kind("5 MB of text", beside(lambda data: {**data, "z": "z" * 5_000_000}), count=4)
    yield Kind("12 MB of text", beside(lambda data: {**data, "z": "z" * 12_000_000}), count=2)
    yield Kind("2,000 fields too many", instead(lambda data: {**data, **{f"x{n}": n for n in range(2_000)}}))


def frame_kinds() -> Iterator[Kind]:
    """All of this file."""
    yield from _times()
    yield from _fields()
    yield from _shapes()
