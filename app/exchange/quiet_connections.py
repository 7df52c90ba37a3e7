"""Connections are used again only if nothing came over them that nobody had asked for.

A server or a proxy that answers twice leaves the second answer in the connection, and it would be read as the answer to
the next request: an order that was filled would be what became of another one. aiohttp does not look.
"""

import select
from typing import Any


def guarded(connector: Any) -> Any:
    """The same aiohttp connector; a pooled connection that is not quiet is closed, and another one taken."""
    get = connector._get  # there is no public place for it; a test shows that it is asked

    async def get_quiet(key: Any, traces: Any) -> Any:
        while (connection := await get(key, traces)) is not None:
            if _is_quiet(connection):
                return connection
            connection.close()
        return None

    connector._get = get_quiet
    return connector


def _is_quiet(connection: Any) -> bool:
    """Nothing of it waits, neither read already nor in the kernel."""
    if connection.protocol.should_close:
        return False
    socket = connection.transport.get_extra_info("socket")
    if socket is None or not hasattr(select, "poll"):
        return True
    waiting = select.poll()
    waiting.register(socket.fileno(), select.POLLIN)
    return not waiting.poll(0)
