"""Kinds of damage to true frames: their order and number, and the candle they are said to be of."""

from collections.abc import Iterator
from typing import Any

from tests.faults.middle.frames import beside, instead, put
from tests.faults.middle.kinds import Kind, Link, Message, OnMessage
from tests.faults.middle.wire import TEXT, frame


def _late(seconds: float) -> OnMessage:
    async def send(message: Message, link: Link) -> None:
        await link.sleep(seconds)
        await link.send(frame(TEXT, message.payload))

    return send


async def _twice_over(message: Message, link: Link) -> None:
    for _ in range(3):
        await link.send(frame(TEXT, message.payload))


async def _flood(message: Message, link: Link) -> None:
    await link.send(frame(TEXT, message.payload) * 200)


async def _in_pairs(message: Message, link: Link) -> None:
    """Two messages in the other order."""
    link.kept.append(message)
    if len(link.kept) == 2:
        for one in (link.kept.pop(), link.kept.pop()):
            await link.send(frame(TEXT, one.payload))


async def _again_and_again(message: Message, link: Link) -> None:
    """The true one, and all that came before it once more, the newest first."""
    await link.send(frame(TEXT, message.payload))
    for one in reversed(link.kept[-20:]):
        await link.send(frame(TEXT, one.payload))
    link.kept.append(message)


async def _first_only(message: Message, link: Link) -> None:
    """The first message over and over."""
    link.kept.append(message)
    await link.send(frame(TEXT, link.kept[0].payload))


async def _backwards(message: Message, link: Link) -> None:
    """Ten messages, the newest first."""
    link.kept.append(message)
    if len(link.kept) >= 10:
        while link.kept:
            await link.send(frame(TEXT, link.kept.pop().payload))


def _other_symbol(data: Any) -> None:
    other = {"BTCUSDT": "ETHUSDT", "ETHUSDT": "BTCUSDT"}[data["s"]]
    data["s"] = data["k"]["s"] = other


def _other_outer_symbol(data: Any) -> None:
    data["s"] = {"BTCUSDT": "ETHUSDT", "ETHUSDT": "BTCUSDT"}[data["s"]]


def _revised(data: Any) -> None:
    data["k"]["v"] = str(float(data["k"]["v"]) + 1.0)


async def _without_closed(message: Message, link: Link) -> None:
    if not message.is_closed:
        await link.send(frame(TEXT, message.payload))


async def _closed_only(message: Message, link: Link) -> None:
    if message.is_closed:
        await link.send(frame(TEXT, message.payload))


async def _none(_: Message, __: Link) -> None:
    """Silence."""


def order_kinds() -> Iterator[Kind]:
    """All of this file."""
    yield Kind("each message three times", _twice_over)
    yield Kind("each message 200 times", _flood, minutes=1.2)
    yield Kind("in pairs, the later first", _in_pairs)
    yield Kind("ten at a time, backwards", _backwards)
    yield Kind("old messages again and again", _again_and_again)
    yield Kind("the first message over and over", _first_only)
    yield Kind("5 s late", _late(5.0), count=20)
    yield Kind("symbols swapped", instead(_other_symbol), lies=True)
    yield Kind("outer symbols swapped", instead(_other_outer_symbol), lies=True)
    yield Kind("forming candles called closed", instead(put("k.x", True), closed=False), lies=True)
    yield Kind("closed candles called forming", instead(put("k.x", False), closed=True), quick=True)
    yield Kind("closed candles revised at once", beside(_revised), lies=True)
    yield Kind("closed candles revised beforehand", beside(_revised, first=True), lies=True)
    yield Kind("no closed candle", _without_closed)
    yield Kind("closed candles alone", _closed_only)
    yield Kind("silence, with pongs", _none)
    yield Kind("silence, without pongs", _none, pongs=False)
