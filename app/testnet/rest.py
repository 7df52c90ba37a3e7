"""REST below /api/v3: each request is weighed, met by a fault or not, logged, and answered.

The order is fixed: ban, weight, maintenance, fault, response. The log has a request before its response is sent, and a
pause ends at once when the testnet stops.
"""

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING

from app.errors import OnetapeError
from app.testnet.fault_desk import FaultDesk
from app.testnet.faults import Fault
from app.testnet.kline_pages import KlinePages
from app.testnet.request_log import Request, RequestLog
from app.testnet.responses import Response, Responses
from app.testnet.rest_faults import faulty_response, maintenance_response, refused_response, server_error
from app.testnet.spot import SpotMarket
from app.testnet.spot_exchange import PUBLIC
from app.testnet.trading import Trading
from app.testnet.virtual_clock import VirtualClock
from app.testnet.weights import WEIGHTS, WeightLimit
from app.testnet.wire import json_text
from app.times import TIMEFRAMES_MS

if TYPE_CHECKING:
    from aiohttp import web


class RestApi:
    """The handler of all REST requests."""

    def __init__(
        self,
        market: SpotMarket,
        pages: KlinePages,
        clock: VirtualClock,
        desk: FaultDesk,
        weights: WeightLimit,
        log: RequestLog,
        stopping: asyncio.Event,
        trading: Trading | None = None,
    ) -> None:
        self._market, self._pages, self._clock, self._desk = market, pages, clock, desk
        self._responses = Responses(market, pages, weights.limit, None if trading is None else trading.engine)
        self._weights, self._log, self._stopping = weights, log, stopping
        self._trading = trading

    async def handle(self, request: "web.Request") -> "web.StreamResponse":
        """One request from its arrival to its response."""
        from aiohttp import web

        path, query = request.match_info["path"], dict(request.query)
        weight = WEIGHTS.get(path, 1)
        real_s, now_ms = self._clock.real_s(), self._clock.now_ms()
        was_banned = self._weights.is_banned(real_s)
        response, fault = self._decide(path, query, weight, now_ms)
        used = self._weights.used
        status = 0 if response.is_cut else response.status
        logged = Request(real_s, now_ms, path, query, status, weight, fault)
        self._log.add(logged, used_weight=used, was_banned=was_banned)
        if response.pause_s:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(response.pause_s):
                    await self._stopping.wait()
        if response.is_cut and request.transport is not None:
            request.transport.abort()
        return web.Response(
            status=response.status,
            body=response.body,
            headers={"X-MBX-USED-WEIGHT": str(used), "X-MBX-USED-WEIGHT-1M": str(used), **response.headers},
            content_type=response.content_type,
        )

    def _decide(self, path: str, query: dict[str, str], weight: int, now_ms: int) -> tuple[Response, str | None]:
        real_s = self._clock.real_s()
        if refusal := self._weights.charge(weight, real_s):
            return refused_response(refusal.status, refusal.retry_after_s), None
        if self._desk.is_in_maintenance():
            return maintenance_response(), "maintenance"
        symbol = self._market.symbol_of(query.get("symbol", ""))
        fault = self._desk.for_request(path, symbol, query)
        if fault is not None and fault.name == "banned":
            refusal = self._weights.ban(real_s, fault.values["s"])
            return refused_response(refusal.status, refusal.retry_after_s), fault.name
        if fault is not None and fault.name == "maintenance":
            self._desk.begin_maintenance(fault.values["s"])
            return maintenance_response(), fault.name
        good = self._good(path, query, symbol, now_ms)
        return (good, None) if fault is None else (self._spoilt(fault, good, query, symbol, now_ms), fault.name)

    def _good(self, path: str, query: dict[str, str], symbol: str | None, now_ms: int) -> Response:
        if self._trading is not None and path in PUBLIC:
            reply = self._trading.own_request("", "GET", path, query)
            return Response(reply.status, json_text(reply.body).encode())
        try:
            response = self._responses.to(path, query, now_ms, skew_ms=self._desk.skew_ms)
        except OnetapeError as error:
            print(f"testnet: {error}", file=sys.stderr, flush=True)
            return server_error(500)
        rows = response.rows
        if symbol is None or rows is None or not self._desk.revisions:
            return response
        for revision in self._desk.revisions:
            rows = revision.applied(self._market, symbol, query["interval"], rows, now_ms)
        return response.with_rows(rows)

    def _spoilt(self, fault: Fault, good: Response, query: dict[str, str], symbol: str | None, now_ms: int) -> Response:
        timeframe, end, forming = query.get("interval", ""), query.get("endTime", ""), None
        if fault.name == "forming" and symbol is not None and timeframe in TIMEFRAMES_MS:
            forming = self._pages.forming_row(symbol, timeframe, now_ms)
        return faulty_response(fault, good, forming, int(end) if end.isdecimal() else None)
