"""How many connections a page has, how fast new ones are taken, and for how long a stranger may hold one.

A connection that has not shown the token within ten seconds is closed, whatever it does meanwhile; at the limit the
oldest of these makes room, so strangers cannot keep the operator out. Connections and strangers' requests are taken at
a steady pace: a flood of them must not cost the session beside the page its processor.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from weakref import WeakSet

from aiohttp import web

from app import times

CONNECTIONS_MAX = 200
A_SECOND, _AT_ONCE = 100.0, 50
_BACKLOG = 1_024  # those that wait to be taken
_FAULT_S = 1.0
_STRANGER_S = 10.0
Known = WeakSet[asyncio.BaseTransport]  # the connections over which the token or the cookie has come


class Pace:
    """Lets `A_SECOND` through a second, fifty at once after a calm; the others wait in their order."""

    def __init__(self) -> None:
        self._next_s = float("-inf")

    async def turn(self) -> None:
        """Comes when it may go on."""
        now_s = times.monotonic_s()
        self._next_s = max(self._next_s, now_s - _AT_ONCE / A_SECOND) + 1.0 / A_SECOND
        if self._next_s > now_s:
            await asyncio.sleep(self._next_s - now_s)


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; OSError where it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    made.setblocking(False)
    return made


async def take_connections(taken_from: socket.socket, protocol: Callable[[], asyncio.BaseProtocol]) -> None:
    """Until cancelled; those of a flood wait with the kernel."""
    loop, pace = asyncio.get_running_loop(), Pace()
    while True:
        try:
            connection, _ = await loop.sock_accept(taken_from)
            await loop.connect_accepted_socket(protocol, connection)
        except ConnectionError:
            continue
        except OSError:  # too many open files
            await asyncio.sleep(_FAULT_S)
        await pace.turn()


class _Refused(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def limited(server: web.Server, known: Known) -> Callable[[], asyncio.BaseProtocol]:
    """The factory of protocols that a listening socket asks."""

    def make() -> asyncio.BaseProtocol:
        if len(server.connections) >= CONNECTIONS_MAX and not any(map(drop, list(server.connections))):
            return _Refused()
        protocol = server()
        asyncio.get_running_loop().call_later(_STRANGER_S, drop, protocol)
        return protocol

    def drop(protocol: web.RequestHandler) -> bool:
        transport = protocol.transport
        if transport is None or transport in known or transport.is_closing():
            return False
        transport.abort()
        return True

    return make


def raise_file_limit() -> None:
    """As many open files as this process may have: connections beyond the limit are taken, then closed."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384) if hard > 0 else 16_384, hard))
