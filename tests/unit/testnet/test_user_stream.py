"""Events to whoever listens: to whom, in which order, late or not at all; and what is kept of them whatever happens."""

import asyncio
import json
from typing import Any

from app.testnet.fault_desk import FaultDesk
from app.testnet.faults import parse_faults
from app.testnet.kline_pages import KlinePages
from app.testnet.market import FileSource
from app.testnet.order_faults import Event
from app.testnet.spot import SpotMarket
from app.testnet.user_stream import Subscription, UserStream
from app.testnet.virtual_clock import VirtualClock
from tests.testnets import END_MS, SERIES

EVENTS: list[Event] = [
    ("one", {"e": "executionReport", "c": "s-1-1-e"}),
    ("one", {"e": "outboundAccountPosition"}),
    ("two", {"e": "executionReport", "c": "s-9-1-e"}),
]


class Heard:
    """A stream with two listeners: `one` and `two` under the numbers 0 and 5."""

    def __init__(self, *faults: dict[str, Any]) -> None:
        clock = VirtualClock(END_MS, 1.0)
        clock.start()
        market = SpotMarket(FileSource(SERIES))
        self.desk = FaultDesk(market, KlinePages(market), clock, parse_faults(list(faults)), None)
        self.stream = UserStream(clock, self.desk)
        self.frames: dict[str, list[Any]] = {"one": [], "two": []}
        for name, number in (("one", 0), ("two", 5)):
            self.stream.subscriptions.append(Subscription(number, name, self._taker(name)))

    def _taker(self, name: str) -> Any:
        return lambda frame: self.frames[name].append(json.loads(frame))

    @property
    def kinds(self) -> list[str]:
        return [frame["event"]["e"] for frame in self.frames["one"]]


async def test_each_account_hears_its_own() -> None:
    heard = Heard()
    heard.stream.publish(EVENTS)
    assert heard.frames["one"] == [{"subscriptionId": 0, "event": event} for _, event in EVENTS[:2]]
    assert heard.frames["two"] == [{"subscriptionId": 5, "event": EVENTS[2][1]}]


async def test_what_happened_is_kept_whatever_becomes_of_it(passed_s: list[float]) -> None:
    heard = Heard({"fault": "events_lost"})
    passed_s[0] += 1.5
    heard.stream.publish(EVENTS[:1])
    assert heard.kinds == []
    assert heard.stream.history == [
        {
            "real_s": 1.5, "now_ms": END_MS + 1_500, "fault": "events_lost", "account": "one", "event": EVENTS[0][1],
        },
    ]  # fmt: skip


async def test_a_fault_meets_one_batch() -> None:
    heard = Heard({"fault": "events_doubled"}, {"fault": "events_permuted"})
    heard.stream.publish([])
    heard.stream.publish(EVENTS[:2])
    heard.stream.publish(EVENTS[:2])
    heard.stream.publish(EVENTS[:2])
    report, position = "executionReport", "outboundAccountPosition"
    assert heard.kinds == [report, report, position, position, position, report, report, position]


async def test_late_events_are_overtaken() -> None:
    heard = Heard({"fault": "events_late", "s": 0.05})
    heard.stream.publish(EVENTS[:1])
    heard.stream.publish(EVENTS[1:2])
    async with asyncio.timeout(10):
        while len(heard.kinds) < 2:
            await asyncio.sleep(0.01)
    assert heard.kinds == ["outboundAccountPosition", "executionReport"]


async def test_late_events_of_a_testnet_that_ended_never_come() -> None:
    heard = Heard({"fault": "events_late", "s": 0.05})
    heard.stream.publish(EVENTS[:1])
    heard.stream.close()
    await asyncio.sleep(0.1)
    assert heard.kinds == []


async def test_in_silence_events_are_lost(passed_s: list[float]) -> None:
    heard = Heard({"fault": "stream_silent", "s": 2.0})
    heard.stream.publish(EVENTS[:1])
    passed_s[0] += 2.0
    heard.stream.publish(EVENTS[1:2])
    assert heard.kinds == ["outboundAccountPosition"]


async def test_the_stream_says_something_of_itself() -> None:
    heard = Heard({"fault": "skew", "ms": 7})
    heard.stream.say("eventStreamTerminated", heard.stream.subscriptions[1])
    (frame,) = heard.frames["two"]
    assert heard.kinds == []
    assert (frame["subscriptionId"], frame["event"]["e"]) == (5, "eventStreamTerminated")
    assert frame["event"]["E"] >= END_MS + 7
