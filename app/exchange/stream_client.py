"""ccxt's websocket class with what it hides or gets wrong: the closed flag, what a link last said, what a refusal says.

A frame that cannot be read is handed to `on_damaged` instead of ending ccxt's loop with a traceback; of all that ccxt
can read, klines alone are. Links are hung up on without waiting for one that never answers.
"""

import asyncio
import contextlib
from collections.abc import Callable
from functools import cache
from typing import Any

_HANG_UP_S = 0.5
_MESSAGE_BYTES = 10 << 20


@cache
def stream_class(base: Any) -> Any:
    """ccxt's class with what it hides: the closed flag, what a link last said, the exchange's own wait."""

    class Stream(base):  # type: ignore[misc]  # ccxt's classes have no types
        on_kline: Any = None
        on_damaged: Any = None
        on_refused: Any = None
        refused: tuple[str, int, str | None] | None = None  # the last handshake: address, status, Retry-After
        is_gone = False  # the link that was dialled last
        leaving: Any = None

        def client(self, url: str) -> Any:
            made = super().client(url)
            _guard(made, lambda data, error: self.skip(made, data, error))
            return made

        def skip(self, client: Any, data: Any, error: Exception) -> None:
            if self.on_damaged(data, error):
                self.is_gone = True
                client.reject(_network_error("frames that cannot be read, one after the other"))

        def handle_message(self, client: Any, message: Any) -> None:
            # Of all that ccxt knows how to handle, a session asks for klines alone; the rest says nothing to it.
            content = message.get("data") if isinstance(message, dict) and "stream" in message else message
            if not isinstance(content, dict):
                raise TypeError("no object")
            if content.get("e") == "kline":
                if self.on_kline(content):
                    super().handle_ohlcv(client, content)
            elif content.get("error") is not None and self.on_refused(content["error"]):
                self.is_gone = True
                client.reject(_network_error("the subscription was refused"))
            elif "id" not in content:
                raise ValueError("neither a kline nor an answer")

        def is_spot_url(self, client: Any) -> bool:
            return True  # ccxt looks for `stream` in the address

        def ws_dial_delay(self, url: str) -> float:
            return 0.0  # ours is the one backoff

        def on_error(self, client: Any, error: Any) -> None:
            cause = error.args[0] if error.args else None
            status, headers = getattr(cause, "status", None), getattr(cause, "headers", None) or {}
            if isinstance(status, int):
                waits = headers.getall("Retry-After", ()) if hasattr(headers, "getall") else ()
                self.refused = client.url, status, ",".join(waits) or None
            client.last_retry_after = None  # ccxt computes with it, however long it is
            self.is_gone |= client in self.clients.values()
            super().on_error(client, error)

        def on_close(self, client: Any, error: Any) -> None:
            self.is_gone |= client in self.clients.values()
            super().on_close(client, error)

        def on_connected(self, client: Any, message: Any = None) -> None:
            super().on_connected(client, message)
            if client not in self.clients.values():  # given up while it dialled
                self.leaving = asyncio.ensure_future(hang_up_on(client))

        def is_dialling(self) -> bool:
            return any(not client.isConnected for client in self.clients.values())

        def sign_of_life(self) -> list[int | None]:
            # Changes with whatever the link says, pongs included; None: not a word yet.
            return [getattr(client, "last_message_at", None) for client in self.clients.values()]

    return Stream


def _guard(link: Any, skip: Callable[[Any, Exception], None]) -> None:
    """ccxt reads a frame in a callback: what is raised there would end its loop, with a traceback for the operator."""
    if "create_connection" in vars(link):
        return
    read = link.handle_text_or_binary_message

    def read_or_skip(data: Any) -> None:
        try:
            read(data)
        except Exception as error:  # whatever a stranger can send
            skip(data, error)

    def connection(session: Any) -> Any:
        # Text undecoded: aiohttp would hang up on what is no UTF-8, where a frame is to be skipped.
        wanted = {"autoping": False, "autoclose": False, "compress": 15, "max_msg_size": _MESSAGE_BYTES}
        return session.ws_connect(link.url, decode_text=False, **wanted).__aenter__()

    link.handle_text_or_binary_message, link.create_connection = read_or_skip, connection


def _network_error(text: str) -> Exception:
    import ccxt

    made: Exception = ccxt.NetworkError(text)
    return made


async def hang_up(client: Any) -> None:
    """On every link of the client."""
    links = list(client.clients.values())
    client.clients.clear()
    for link in links:
        await hang_up_on(link)


async def hang_up_on(link: Any) -> None:
    """One link."""
    # A dead link never answers a close: it is cut after a moment.
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_HANG_UP_S):
            await link.close()


async def close(client: Any) -> None:
    """Leaves no link and no task."""
    await hang_up(client)
    if client.leaving is not None:
        await client.leaving
    await client.close()
