"""The real exchange library, pointed at a testnet: what a program that uses it gets to see.

The rule: no host but the testnet's can be reached, and a client is closed when the test leaves it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.testnet.server import Testnet


def urls_of(net: Testnet) -> dict[str, Any]:
    """As docs of ccxt have it: everything that a spot client would ask, on the testnet."""
    rest = f"{net.url}/api/v3"
    return {"api": {"public": rest, "private": rest, "ws": {"spot": f"{net.url.replace('http', 'ws')}/ws"}}}


@asynccontextmanager
async def rest_client(net: Testnet, **options: Any) -> AsyncIterator[Any]:
    """`ccxt.async_support.binanceus` without its own rate limit."""
    from ccxt.async_support import binanceus

    client = binanceus({"urls": urls_of(net), "enableRateLimit": False, "timeout_on_exit": 0, **options})
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def stream_client(net: Testnet, **options: Any) -> AsyncIterator[Any]:
    """`ccxt.pro.binanceus`."""
    from ccxt.pro import binanceus

    client = binanceus({"urls": urls_of(net), "enableRateLimit": False, "timeout_on_exit": 0, **options})
    try:
        yield client
    finally:
        await client.close()
