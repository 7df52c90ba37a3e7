"""When a kind's damage begins and when it is over, by the exchange's clock."""

import asyncio

from app.testnet.server import Testnet
from tests.faults.middle.kinds import Kind

LOOK_S = 0.5
_MINUTE_MS = 60_000


class Damage:
    """When a kind's damage begins and when it has ended, by the exchange's clock."""

    def __init__(self, kind: Kind, net: Testnet) -> None:
        self._kind, self._net = kind, net
        self.began_ms: int | None = None
        self.ended_ms: int | None = None
        self.done = 0
        self.begun, self.ended = asyncio.Event(), asyncio.Event()

    @property
    def is_on(self) -> bool:
        """Whether what passes now is damaged."""
        if self.began_ms is None or self.ended_ms is not None:
            return False
        if self._net.now_ms() >= self.began_ms + int(self._kind.minutes * _MINUTE_MS):
            self.end()
            return False
        return True

    def begin(self) -> None:
        """The session has reached what was waited for."""
        if self.began_ms is None:
            self.began_ms = self._net.now_ms()
            self.begun.set()

    def count(self) -> None:
        """One more thing was damaged."""
        self.done += 1
        if self.done >= self._kind.count:
            self.end()

    def end(self) -> None:
        """No more of it."""
        if self.ended_ms is None:
            self.ended_ms = self._net.now_ms()
            self.ended.set()

    async def watch(self) -> None:
        """Ends it where nothing passes any more."""
        while not self.ended.is_set():
            await asyncio.sleep(LOOK_S)
            _ = self.is_on
