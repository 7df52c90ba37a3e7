"""The outermost edge of the client, replaced: what sends bytes hands them to the exchange in this process.

The rule: it has the surface of SignedRest and of an aiohttp websocket, as far as the client uses it, and no other.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import aiohttp

from app.exchange import account_requests
from app.exchange.signed_rest import RawAnswer
from tests.real_stack.exchange import InProcessExchange, Line
from tests.real_stack.fates import Call

_CLOSED = aiohttp.WSMessage(aiohttp.WSMsgType.CLOSED, None, None)
_ERROR = aiohttp.WSMessage(aiohttp.WSMsgType.ERROR, None, None)


class Wire:
    """In the place of SignedRest: signs nothing, for the exchange knows who asks."""

    def __init__(self, exchange: InProcessExchange, line: Line, answer_s: float) -> None:
        self.host = "binance"
        self._exchange, self._line, self._answer_s = exchange, line, answer_s

    async def send(
        self, method: str, path: str, params: Mapping[str, str], *, section: str = "private", timeout_s: float = 0.0
    ) -> RawAnswer:
        """One signed request."""
        return await self._exchange.carry(self._line, Call(method, path, dict(params)), timeout_s or self._answer_s)

    async def public(self, path: str, params: Mapping[str, str], timeout_s: float = 0.0) -> RawAnswer:
        """One question that needs no key."""
        return await self._exchange.carry(self._line, Call("GET", path, dict(params)), timeout_s or self._answer_s)

    def socket_params(self, params: Mapping[str, str | int]) -> dict[str, str | int]:
        """As if signed."""
        return {**params, "apiKey": "key", "signature": "signed"}

    async def socket(self, url: str, heartbeat_s: float, dial_s: float) -> "Socket":
        """A websocket; OSError where the exchange takes no dial."""
        await asyncio.sleep(0.03)
        if self._line.is_dead:
            await asyncio.get_running_loop().create_future()
        if not self._exchange.takes_dials:
            raise OSError("connection refused")
        return Socket(self._line, heartbeat_s)

    async def close(self) -> None:
        """Nothing is open."""


class Socket:
    """A websocket of the user data stream; told once it has subscribed."""

    def __init__(self, line: Line, heartbeat_s: float) -> None:
        self.close_code = 1006
        self._line, self._heartbeat_s = line, heartbeat_s
        self._messages = asyncio.Queue[aiohttp.WSMessage]()
        self._error: BaseException | None = None

    async def receive(self) -> aiohttp.WSMessage:
        """The next message."""
        return await self._messages.get()

    async def send_str(self, text: str) -> None:
        """The subscription, which is answered."""
        request = json.loads(text)
        assert request["method"] == "userDataStream.subscribe.signature"
        await asyncio.sleep(0.06)
        self._line.sockets.append(self)
        self.put_text(json.dumps({"id": request["id"], "status": 200, "result": {"subscriptionId": 0}}))

    def put_text(self, text: str) -> None:
        """A message comes, as long as there is somebody to hear it."""
        if not self._line.is_dead:
            self._messages.put_nowait(aiohttp.WSMessage(aiohttp.WSMsgType.TEXT, text, None))

    def end(self, why: str) -> None:
        """The connection is gone: at once, or `hung`: nobody notices until its heartbeat is missed."""
        if self in self._line.sockets:
            self._line.sockets.remove(self)
        if why == "hung":
            self._error = aiohttp.ServerTimeoutError()
            asyncio.get_running_loop().call_later(self._heartbeat_s * 1.5, self._messages.put_nowait, _ERROR)
        else:
            self._messages.put_nowait(_CLOSED)

    def exception(self) -> BaseException | None:
        """Why it has ended, where it is known."""
        return self._error

    async def close(self) -> None:
        """Hangs up."""
        if self in self._line.sockets:
            self._line.sockets.remove(self)


@contextmanager
def wired_to(exchange: InProcessExchange) -> Iterator[None]:
    """Every client that is made in here is wired to this exchange, on the line that is its newest."""
    names = vars(account_requests)
    real = names["SignedRest"]

    def wire(_exchange: str, _url: str | None, _keys: Any, answer_s: float) -> Wire:
        return Wire(exchange, exchange.line, answer_s)

    names["SignedRest"] = wire
    try:
        yield
    finally:
        names["SignedRest"] = real
