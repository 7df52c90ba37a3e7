"""A Binance of a few lines on 127.0.0.1, for tests of who asks it: the answers that a test gives it, over real sockets.

The rule: what it was not told to answer it answers as a healthy exchange with two symbols and no
candles; no test logic.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

_FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "100000", "tickSize": "0.01"},
    {"filterType": "LOT_SIZE", "minQty": "0.00002", "maxQty": "9000", "stepSize": "0.00001"},
    {"filterType": "MIN_NOTIONAL", "minNotional": "10.0"},
]
LIMITS = [
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
]


def _symbol(base: str, filters: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "symbol": f"{base}USDT",
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": "USDT",
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "permissions": ["SPOT"],
        "filters": filters,
    }


EXCHANGE_INFO = {"rateLimits": LIMITS, "symbols": [_symbol("BTC", _FILTERS), _symbol("ETH", [])]}


@dataclass
class Reply:
    """An answer: JSON unless `body` is text or bytes; `is_cut` breaks off, in the body if there is one."""

    status: int = 200
    body: Any = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    is_cut: bool = False

    def data(self) -> bytes:
        """The body's bytes."""
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


class Loopback:
    """`async with`; `replies` by the path's last word; `asked` are the paths and queries that came."""

    def __init__(self, **replies: Reply) -> None:
        self.replies = {"exchangeInfo": Reply(body=EXCHANGE_INFO), "klines": Reply(body=[]), **replies}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.url = ""
        application = web.Application()
        application.router.add_get("/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=0.1)

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._runner.server.connections) if self._runner.server is not None else 0

    async def __aenter__(self) -> "Loopback":
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        self.asked.append((path, dict(request.query)))
        reply = self.replies[path.rpartition("/")[2]]
        data = reply.data()
        if reply.is_cut and request.transport is not None:
            if data:
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
                request.transport.write(head.encode() + data[: len(data) // 2])
                request.transport.close()
            else:
                request.transport.abort()
        return web.Response(
            status=reply.status, body=data, headers={"Content-Type": "application/json"} | dict(reply.headers)
        )
