"""The user data stream over the websocket API: subscribed by signature, dialled again whenever it is gone.

ccxt's own is not used: it dials Binance.com for Binance US, and a frame that it cannot read ends it. A connection that
says nothing, not even a pong, is given up. An event that cannot be read is a hole: the link counts as broken for a
moment, so that whoever listens asks for what it may have missed.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from app.errors import BlockedError, ExchangeError, RateLimitError
from app.exchange.account_requests import AccountRequests
from app.exchange.answers import Verdict
from app.exchange.binance_fixes import refusal_of
from app.exchange.dialling import DialPacer
from app.exchange.order_reading import UNREADABLE
from app.exchange.repeated_lines import RepeatedLines
from app.exchange.retries import Tell, jittered_s, refusal_wait_s

_DIAL_S, _SUBSCRIBED_S, _HANG_UP_S = 10.0, 10.0, 0.5
_BASE_S, _LONGEST_S = 0.25, 30.0
_UNREADABLE_IN_A_ROW = 20  # then the link itself is broken
_WEIGHT = 4  # of a connection and of the subscription
_SHOWN, _READ = 60, 20_000  # characters of what the exchange wrote
_MONEY = ("balanceUpdate", "externalLockUpdate")  # money came or went, or was locked, from outside

Take = Callable[[Mapping[str, Any]], None]
OnLink = Callable[[bool, str], None]


class _GoneError(Exception):
    """The link has ended, and why; `at_once`: the exchange wants it dialled again."""

    def __init__(self, why: str, *, at_once: bool = False) -> None:
        super().__init__(why)
        self.at_once = at_once


class UserStream:
    """Of the account of `requests`, at `url`. `silence_s`: a link that says nothing for so long is pinged, then cut."""

    def __init__(
        self,
        requests: AccountRequests,
        url: str,
        *,
        silence_s: float,
        tell: Tell | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._requests, self._url, self._silence_s, self._sleep = requests, url, silence_s, sleep
        self._tell, self._lines, self._pacer = tell, RepeatedLines(tell), DialPacer()
        self._unreadable_in_a_row = 0
        self._refusals = 0  # of handshakes and subscriptions, in a row
        self._is_up = False
        self.unreadable = 0

    async def run(self, take: Take, on_link: OnLink) -> None:
        """For ever; ends only by being cancelled, and leaves no socket."""
        failures = 0
        while True:
            why, wait_s, at_once = "", 0.0, False
            await self._sleep(self._pacer.until_dial_s())
            try:
                await self._listen(take, on_link)
            except _GoneError as error:
                why, at_once = str(error), error.at_once
            except ExchangeError as error:
                why = str(error)
                if isinstance(error, (RateLimitError, BlockedError)):
                    self._refusals += 1
                    wait_s = refusal_wait_s(error, self._refusals)
                    self._requests.limiter.pause_for(wait_s)  # it is the address that is refused
            failures = 1 if self._is_up else failures + 1
            if self._is_up:
                self._is_up = False
                on_link(False, why)
            else:
                self._lines.say("link", f"user data stream: {why}; dialling again")
            if not (at_once and failures == 1):
                await self._sleep(max(wait_s, jittered_s(failures, _BASE_S, _LONGEST_S)))

    async def _listen(self, take: Take, on_link: OnLink) -> None:
        """Dials, subscribes and hears, until the link is gone."""
        async with self._requests.limiter.request(_WEIGHT):
            socket = await self._dial()
        try:
            await self._subscribe(socket, take)
            self._is_up, self._refusals, self._unreadable_in_a_row = True, 0, 0
            on_link(True, "")
            while True:
                self._hear(await self._frame(socket), take, on_link)
        finally:
            with contextlib.suppress(Exception):  # a dead link never answers a close
                async with asyncio.timeout(_HANG_UP_S):
                    await socket.close()

    async def _dial(self) -> Any:
        import aiohttp

        why = ""
        refusal: ExchangeError | None = None
        try:
            return await self._requests.rest.socket(self._url, self._silence_s, _DIAL_S)
        except aiohttp.WSServerHandshakeError as error:
            retry_after = None if error.headers is None else error.headers.get("Retry-After")
            refusal, why = (
                refusal_of(self._url, error.status, retry_after),
                f"the handshake was refused: {error.status}",
            )
        except TimeoutError:
            why = f"no connection within {_DIAL_S:g} s"
        except (aiohttp.ClientError, OSError) as error:
            why = f"cannot be reached ({type(error).__name__})"
        raise refusal or _GoneError(why)

    async def _subscribe(self, socket: Any, take: Take) -> None:
        """Until it is answered; an event may come before the answer."""
        await self._requests.ready_clock()
        params = self._requests.rest.socket_params(self._requests.stamp())
        request = {"id": 1, "method": "userDataStream.subscribe.signature", "params": params}
        why = ""
        try:
            async with asyncio.timeout(_SUBSCRIBED_S):
                await socket.send_str(json.dumps(request))
                while not self._is_subscribed(await self._frame(socket), take):
                    pass
        except TimeoutError:
            why = f"the subscription was not answered within {_SUBSCRIBED_S:g} s"
        except OSError:
            why = "the connection broke off"
        if why:
            raise _GoneError(why)

    def _is_subscribed(self, text: str, take: Take) -> bool:
        try:
            content = _object(text)
        except ValueError:
            content = {"event": None}
        if "event" in content:
            self._hear(text, take, lambda _is_up, _why: None)  # whoever listens asks for all when the link is up
            return False
        status = content.get("status")
        if status == 200:
            return True
        answer = self._requests.judged_socket(status if type(status) is int else 0, content.get("error"))
        if answer.verdict is Verdict.LIMITED:
            raise RateLimitError(f"subscription: {answer.why}", answer.retry_after_s, banned=answer.is_banned)
        raise _GoneError(f"the subscription was refused: {answer.why} ({answer.code})")

    async def _frame(self, socket: Any) -> str:
        """The next text; raises _GoneError where the link has ended."""
        import aiohttp

        message = await socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            return str(message.data)
        if message.type is aiohttp.WSMsgType.BINARY:
            return ""  # nothing that was asked for: read as what cannot be read
        if isinstance(socket.exception(), aiohttp.ServerTimeoutError | TimeoutError):
            raise _GoneError(f"no sign of life for {self._silence_s:g} s")
        raise _GoneError(f"the exchange has hung up ({socket.close_code})")

    def _hear(self, text: str, take: Take, on_link: OnLink) -> None:
        try:
            content = _object(text)
            if "event" not in content and "id" in content:
                return  # an answer to something
            event = content["event"]
            name = event["e"]
            if name not in ("eventStreamTerminated", "serverShutdown"):
                take(event)
            self._unreadable_in_a_row = 0
        except UNREADABLE as error:
            self._skip(text, error, on_link)
            return
        if name == "eventStreamTerminated":
            raise _GoneError("the exchange has ended the subscription")
        if name == "serverShutdown":
            raise _GoneError("the exchange's server shuts down", at_once=True)
        if name in _MONEY and self._tell is not None:
            what = "locked or unlocked" if name == "externalLockUpdate" else "deposited, withdrawn or transferred"
            self._tell(self._shown(f"{event.get('d')} {event.get('a')}") + f" was {what} by somebody else")

    def _skip(self, text: str, error: Exception, on_link: OnLink) -> None:
        self.unreadable += 1
        self._unreadable_in_a_row += 1
        shown = self._shown(text)
        what = f"an event that cannot be read ({type(error).__name__})"
        self._lines.say("frame", f"user data stream: {what} was skipped: {shown!r}")
        if self._unreadable_in_a_row >= _UNREADABLE_IN_A_ROW:
            raise _GoneError("events that cannot be read, one after the other")
        on_link(False, what)
        on_link(True, "")

    def _shown(self, text: str) -> str:
        return " ".join(self._requests.scrubbed(text[:_READ]).split())[:_SHOWN]


def _object(text: str) -> dict[str, Any]:
    content = None
    with contextlib.suppress(ValueError, RecursionError):
        content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("no object")
    return content
