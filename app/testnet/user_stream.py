"""The user data stream: events of the trading to whoever listens, as they are or as a fault has them.

Every event is also kept with the real time at which it happened and the fault it met, whatever becomes of it on its
way, so that a test can tell for how long something was so.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.testnet.fault_desk import FaultDesk
from app.testnet.order_faults import Event, spoilt_events
from app.testnet.virtual_clock import VirtualClock
from app.testnet.wire import json_text

_KEPT_MAX = 200_000

Send = Callable[[str], None]  # takes a frame; it does not wait and does not fail


@dataclass(frozen=True)
class Subscription:
    """One account's events to one connection, under the number that the connection knows."""

    number: int
    account: str
    send: Send
    by_logon: bool = False


class UserStream:
    """All subscriptions of a testnet, and all events that ever were in `history`."""

    def __init__(self, clock: VirtualClock, desk: FaultDesk) -> None:
        self._clock, self._desk = clock, desk
        self.subscriptions: list[Subscription] = []
        self.history: list[dict[str, Any]] = []
        self._late: set[asyncio.TimerHandle] = set()

    def publish(self, events: list[Event]) -> None:
        """What one request, or one matching, gave."""
        if not events:
            return
        real_s, now_ms = self._clock.real_s(), self._clock.now_ms()
        fault = self._desk.for_events(events)
        met = {"real_s": real_s, "now_ms": now_ms, "fault": None if fault is None else fault.name}
        self.history += [{**met, "account": account, "event": event} for account, event in events]
        if len(self.history) > _KEPT_MAX:
            del self.history[: _KEPT_MAX // 2]
        left = spoilt_events(fault, events)
        if fault is not None and fault.name == "events_late":
            self._later(fault.values["s"], left)
        else:
            self._send(left)

    def say(self, kind: str, subscription: Subscription | None = None) -> None:
        """An event of the stream itself, like `eventStreamTerminated`: to one subscription, or to all of them."""
        for one in [subscription] if subscription is not None else list(self.subscriptions):
            one.send(_frame(one.number, {"e": kind, "E": self._clock.now_ms() + self._desk.skew_ms}))

    def close(self) -> None:
        """What is still late never comes."""
        for handle in self._late:
            handle.cancel()

    def _later(self, seconds: float, events: list[Event]) -> None:
        def send() -> None:
            self._late.discard(handle)
            self._send(events)

        handle = asyncio.get_running_loop().call_later(seconds, send)
        self._late.add(handle)

    def _send(self, events: list[Event]) -> None:
        if self._desk.is_stream_silent():
            return
        for account, event in events:
            for one in self.subscriptions:
                if one.account == account:
                    one.send(_frame(one.number, event))


def _frame(number: int, event: dict[str, Any]) -> str:
    return json_text({"subscriptionId": number, "event": event})
