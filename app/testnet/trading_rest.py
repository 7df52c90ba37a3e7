"""Signed requests over HTTP: what was sent becomes a call of the trading, and its answer a response.

The signature is over the query string and the body as they came, percent-encoded.
"""

from typing import TYPE_CHECKING

from app.testnet.order_faults import Answer
from app.testnet.rest_faults import html_page
from app.testnet.signing import rest_query
from app.testnet.trading import Call, Trading
from app.testnet.wire import json_text

if TYPE_CHECKING:
    from aiohttp import web


class TradingRest:
    """The handler of all signed requests."""

    def __init__(self, trading: Trading) -> None:
        self._trading = trading

    async def handle(self, request: "web.Request") -> "web.StreamResponse":
        """One request."""
        body = (await request.read()).decode("utf-8", "replace")
        query = rest_query(request.raw_path.partition("?")[2], body)
        path = request.path.removeprefix("/api/v3/").removeprefix("/")
        key = request.headers.get("X-MBX-APIKEY")
        answer = await self._trading.answer(Call(request.method, path, query, key, request.remote or ""))
        return await self._respond(request, answer)

    async def retired(self, request: "web.Request") -> "web.StreamResponse":
        """The listen key of old, which the exchange has no more."""
        from aiohttp import web

        return web.Response(status=410, text=html_page(410), content_type="text/html")

    async def _respond(self, request: "web.Request", answer: Answer) -> "web.StreamResponse":
        from aiohttp import web

        transport = request.transport
        if answer.is_cut and not answer.is_half and transport is not None:
            transport.abort()
        used = str(self._trading.weight.used)
        text = json_text(answer.reply.body) if answer.page is None else answer.page
        is_json = answer.page is None
        response = web.Response(
            status=answer.reply.status or 500,
            text=text,
            content_type="application/json" if is_json else "text/html",
            headers={"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used, **answer.headers},
        )
        if answer.is_half and transport is not None:
            await _send_half(request, response, text)
        elif answer.times > 1 and transport is not None:
            await response.prepare(request)
            await response.write_eof()
            head = f"HTTP/1.1 {response.status} OK\r\nContent-Type: application/json\r\n"
            transport.write(f"{head}Content-Length: {len(text.encode())}\r\n\r\n{text}".encode())
        return response


async def _send_half(request: "web.Request", whole: "web.Response", text: str) -> None:
    """The header of the whole and half of its body, then the end of the connection."""
    from aiohttp import web

    half = web.StreamResponse(status=whole.status, headers=whole.headers)
    half.content_length = len(text.encode())
    await half.prepare(request)
    await half.write(text.encode()[: len(text) // 2])
    if request.transport is not None:
        request.transport.close()
