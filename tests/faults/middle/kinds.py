"""What a kind of damage is: what is done to frames, handshakes and answers, from when on, and how long.

A kind's damage begins with what the session has reached and ends by itself: after so many frames, handshakes or
answers, or when the exchange's clock has gone on by `minutes`. No kind depends on the time of day.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from tests.faults.middle.wire import Answer

MINUTES = 2.2  # two candles close while the damage lasts
ANY_NUMBER = 10**9


class Link(Protocol):
    """One websocket connection of the session, as a kind of damage may use it."""

    kept: list["Message"]  # for kinds that hold messages back

    async def send(self, data: bytes) -> None:
        """Bytes to the session."""

    async def sleep(self, seconds: float) -> None:
        """Seconds of the exchange."""

    def reset(self) -> None:
        """TCP reset."""

    def finish(self) -> None:
        """The end of the stream, without a close frame."""

    def hang(self) -> None:
        """From now on no byte is passed on, in neither direction, and the connection stays open."""


@dataclass(frozen=True)
class Message:
    """A kline of the testnet on its way to the session."""

    payload: bytes

    @cached_property
    def data(self) -> Any:
        """The message; a new copy is the caller's business."""
        return json.loads(self.payload)

    @property
    def copy(self) -> Any:
        """The message, to be changed."""
        return json.loads(self.payload)

    @property
    def is_closed(self) -> bool:
        """Whether the exchange calls the candle closed."""
        return bool(self.data["k"]["x"])

    @property
    def symbol(self) -> str:
        """As on the wire."""
        return str(self.data["s"])


@dataclass(frozen=True)
class Asked:
    """A request of the session."""

    path: str  # klines, time, exchangeInfo
    query: dict[str, str]


OnMessage = Callable[[Message, Link], Awaitable[None]]
OnHandshake = Callable[[Answer], Answer]
OnAnswer = Callable[[Answer, Asked], Answer]


@dataclass(frozen=True)
class Kind:
    """One kind of damage. Without `at_start` it begins when the session has traded for some candles.

    `stream` is what happens to frames meanwhile, so that REST is needed: `lose` the closed ones of one symbol,
    `withhold` them until the damage is over, `withhold all` frames, `silence`: all are lost.
    """

    name: str
    message: OnMessage | None = None
    pongs: bool = True  # whether the session's pings are answered
    handshake: OnHandshake | None = None
    answer: OnAnswer | None = None
    paths: tuple[str, ...] = ("klines", "time", "exchangeInfo")
    stream: str = ""
    at_start: bool = False
    count: int = ANY_NUMBER
    minutes: float = MINUTES
    lies: bool = False  # what it says cannot be told from the truth: other values may be traded on
    wait_s: float = 0.0  # the exchange itself asks to be left alone for so long
    ban_s: float = 0.0  # a refusal holds for so long by the exchange's documents, also when the damage is over
    stop_s: float | None = None  # SIGTERM so many seconds after the damage began
    endless: bool = False  # the session is started without --end, and stopped when it has healed
    quick: bool = False  # one of those that `make test` runs
