"""A Binance that takes signed requests and a websocket, on 127.0.0.1: a test writes down what it answers.

The rule: what it was not told to answer is answered as by a healthy exchange; every request is kept; no test logic.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiohttp import web

from app import times
from app.exchange.keys import Keys
from app.exchange.spot_api import BinanceSpotApi

BTC = "BTC/USDT"
KEY, SECRET = "K3y" * 21, "S3cr3t" * 10
TIME_MS = 1_767_225_600_000
INFO: dict[str, Any] = {
    "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "ocoAllowed": True,
    "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"],
    "allowedSelfTradePreventionModes": ["NONE", "EXPIRE_MAKER", "EXPIRE_TAKER"],
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01000000", "maxPrice": "1000000.0000", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"},
    ],
}  # fmt: skip


def info(**changes: Any) -> dict[str, Any]:
    """The symbol's row of exchangeInfo."""
    return {**INFO, **changes}


class Asked(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    params: dict[str, str]
    headers: Mapping[str, str]


@dataclass
class Said:
    """An answer: JSON unless `body` is text; `cut` in the middle of it, or before it; `after_s` late."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    is_cut: bool = False
    after_s: float = 0.0


def error(code: int, message: str = "No.", status: int = 400, **headers: str) -> Said:
    """A refusal."""
    return Said(
        {"code": code, "msg": message}, status, {name.replace("_", "-"): text for name, text in headers.items()}
    )


Handler = Callable[[Asked], Said]


class SignedExchange:
    """`async with`. `answers` by `METHOD path` are given one after the other, the last again and again."""

    def __init__(self, **_: Any) -> None:
        self.answers: dict[str, list[Said | Handler]] = defaultdict(list)
        self.asked: list[Asked] = []
        self.on_socket: Callable[[web.WebSocketResponse], Awaitable[None]] | None = None
        self.dials = 0
        self.url = ""
        application = web.Application()
        application.router.add_get("/ws-api/v3", self._socket)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=0.1)

    async def __aenter__(self) -> "SignedExchange":
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def of(self, method: str, path: str) -> list[Asked]:
        """The requests to a path."""
        return [one for one in self.asked if (one.method, one.path) == (method, path)]

    def now_ms(self) -> int:
        """Its clock, which goes as fast as this machine's."""
        return TIME_MS + int(times.monotonic_s() * 1000) % 10**9

    def api(self, keys: Keys | None = None, row: Mapping[str, Any] = INFO, **options: Any) -> BinanceSpotApi:
        """A client of it."""
        keys = keys or Keys(KEY, SECRET)
        return BinanceSpotApi("binance", [BTC], {BTC: {"info": row}}, keys, **{"url": self.url, **options})

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"].removeprefix("api/v3/")
        form = dict(await request.post()) if request.method == "POST" else {}
        asked = Asked(request.method, path, {**request.query, **{k: str(v) for k, v in form.items()}}, request.headers)
        self.asked.append(asked)
        planned = self.answers[f"{request.method} {path}"]
        if not planned:
            return web.json_response(self._healthy(path))
        answer = planned.pop(0) if len(planned) > 1 else planned[0]
        said = answer if isinstance(answer, Said) else answer(asked)
        await asyncio.sleep(said.after_s)
        text = said.body if isinstance(said.body, str) else json.dumps(said.body)
        if said.is_cut and request.transport is not None:
            if text != "null":
                head = f"HTTP/1.1 {said.status} OK\r\nContent-Length: {len(text)}\r\n\r\n"
                request.transport.write((head + text[: len(text) // 2]).encode())
                request.transport.close()
            else:
                request.transport.abort()
        return web.Response(status=said.status, text=text, content_type="application/json", headers=said.headers)

    def _healthy(self, path: str) -> Any:
        healthy: dict[str, Any] = {
            "time": {"serverTime": self.now_ms()},
            "exchangeInfo": {"symbols": [INFO], "rateLimits": []},
            "openOrders": [],
            "myTrades": [],
            "account": {"balances": []},
        }
        return healthy.get(path, {})

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        self.dials += 1
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        if self.on_socket is not None:
            await self.on_socket(socket)
        return socket


def full(client_id: str, status: str = "FILLED", **changes: Any) -> dict[str, Any]:
    """An answer FULL to a placement, as the documents show it."""
    return {
        "symbol": "BTCUSDT", "orderId": 28, "orderListId": -1, "clientOrderId": client_id,
        "transactTime": 1507725176595, "price": "0.00000000", "origQty": "10.00000000", "executedQty": "10.00000000",
        "origQuoteOrderQty": "0.000000", "cummulativeQuoteQty": "10.00000000", "status": status, "timeInForce": "GTC",
        "type": "MARKET", "side": "BUY", "workingTime": 1507725176595, "selfTradePreventionMode": "NONE",
        "fills": [
            {"price": "4000.00000000", "qty": "1.00000000", "commission": "4.00000000", "commissionAsset": "USDT",
             "tradeId": 56},
            {"price": "3999.00000000", "qty": "9.0", "commission": "0.01", "commissionAsset": "BNB", "tradeId": 57},
        ],
        **changes,
    }  # fmt: skip


def row(client_id: str, status: str = "NEW", **changes: Any) -> dict[str, Any]:
    """A row of a query for an order."""
    return {
        "symbol": "BTCUSDT", "orderId": 1, "orderListId": -1, "clientOrderId": client_id, "price": "0.1",
        "origQty": "1.0", "executedQty": "0.0", "cummulativeQuoteQty": "0.0", "status": status, "timeInForce": "GTC",
        "type": "LIMIT", "side": "BUY", "stopPrice": "0.0", "icebergQty": "0.0", "time": 1499827319559,
        "updateTime": 1499827319560, "isWorking": True, "workingTime": 1499827319559,
        "origQuoteOrderQty": "0.000000", "selfTradePreventionMode": "NONE", **changes,
    }  # fmt: skip


def report(client_id: str, kind: str = "NEW", status: str = "NEW", **changes: Any) -> dict[str, Any]:
    """An executionReport as the documents show it."""
    return {
        "e": "executionReport", "E": 1499405658658, "s": "BTCUSDT", "c": client_id, "S": "BUY", "o": "LIMIT",
        "f": "GTC", "q": "1.00000000", "p": "0.10264410", "P": "0.00000000", "F": "0.00000000", "g": -1, "C": "",
        "x": kind, "X": status, "r": "NONE", "i": 4293153, "l": "0.00000000", "z": "0.00000000", "L": "0.00000000",
        "n": "0", "N": None, "T": 1499405658657, "t": -1, "I": 8641984, "w": True, "m": False, "M": False,
        "O": 1499405658657, "Z": "0.00000000", "Y": "0.00000000", "Q": "0.00000000", "W": 1499405658657, "V": "NONE",
        **changes,
    }  # fmt: skip
