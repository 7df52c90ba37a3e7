"""How many connections a page has, and for how long one may say nothing: what aiohttp does not bound by itself.

Beyond the limit a connection is closed at once; one that has not sent a whole request within ten seconds, too.
"""

import asyncio
import contextlib
from collections.abc import Callable
from weakref import WeakSet

from aiohttp import web

CONNECTIONS_MAX = 200
_FIRST_REQUEST_S = 10.0
Asked = WeakSet[asyncio.BaseTransport]  # the connections over which a whole request has come


class _Refused(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def limited(server: web.Server, asked: Asked) -> Callable[[], asyncio.BaseProtocol]:
    """The factory of protocols that a listening socket asks."""

    def make() -> asyncio.BaseProtocol:
        if len(server.connections) >= CONNECTIONS_MAX:
            return _Refused()
        protocol = server()
        asyncio.get_running_loop().call_later(_FIRST_REQUEST_S, look, protocol)
        return protocol

    def look(protocol: web.RequestHandler) -> None:
        transport = protocol.transport
        if transport is not None and transport not in asked:
            transport.abort()

    return make


def raise_file_limit() -> None:
    """As many open files as this process may have: connections beyond the limit are taken, then closed."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384) if hard > 0 else 16_384, hard))
