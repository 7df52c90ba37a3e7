"""How many connections a page has, and for how long a stranger may hold one: what aiohttp does not bound by itself.

A connection that has not shown the token within ten seconds is closed, whatever it does meanwhile; at the limit the
oldest of these makes room, so strangers cannot keep the operator out.
"""

import asyncio
import contextlib
from collections.abc import Callable
from weakref import WeakSet

from aiohttp import web

CONNECTIONS_MAX = 200
_STRANGER_S = 10.0
Known = WeakSet[asyncio.BaseTransport]  # the connections over which the token or the cookie has come


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
