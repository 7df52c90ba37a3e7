"""REST below /api/v3: each request is logged, weighed, met by a fault or not, and answered.

The rule: the order is fixed (ban, weight, maintenance, fault, answer), the log has the request before its answer is
sent, and a pause ends at once when the testnet stops. What an answer says belongs to responses.py and rest_faults.py.
"""

import asyncio
import sys
from typing import TYPE_CHECKING

from app.errors import OnetapeError
from app.testnet.fault_desk import FaultDesk
from app.testnet.faults import Fault
from app.testnet.kline_pages import KlinePages
from app.testnet.request_log import Request, RequestLog
from app.testnet.responses import Answer, Answers
from app.testnet.rest_faults import faulty_answer, maintenance_answer, refused_answer
from app.testnet.spot import SpotMarket
from app.testnet.virtual_clock import VirtualClock
from app.testnet.weights import WEIGHTS, WeightLimit
from app.testnet.wire import error_body
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
    ) -> None:
        self._market, self._pages, self._clock, self._desk = market, pages, clock, desk
        self._answers = Answers(market, pages, weights.limit)
        self._weights, self._log, self._stopping = weights, log, stopping

    async def handle(self, request: "web.Request") -> "web.StreamResponse":
        """One request from its arrival to its answer."""
        from aiohttp import web

        path, query = request.match_info["path"], dict(request.query)
        weight = WEIGHTS.get(path, 1)
        real_s, now_ms = self._clock.real_s(), self._clock.now_ms()
        was_banned = self._weights.is_banned(real_s)
        answer, fault = self._decide(path, query, weight, now_ms)
        status = 0 if answer.is_cut else answer.status
        self._log.add(
            Request(real_s, now_ms, path, query, status, weight, fault),
            used_weight=self._weights.used,
            was_banned=was_banned,
        )
        headers = {
            "X-MBX-USED-WEIGHT": str(self._weights.used),
            "X-MBX-USED-WEIGHT-1M": str(self._weights.used),
            **answer.headers,
        }
        if answer.pause_s:
            await self._pause(answer.pause_s)
        if answer.is_cut and request.transport is not None:
            request.transport.abort()
        return web.Response(status=answer.status, body=answer.body, headers=headers, content_type=answer.content_type)

    def _decide(self, path: str, query: dict[str, str], weight: int, now_ms: int) -> tuple[Answer, str | None]:
        real_s = self._clock.real_s()
        if refusal := self._weights.charge(weight, real_s):
            return refused_answer(refusal.status, refusal.retry_after_s), None
        if self._desk.is_in_maintenance():
            return maintenance_answer(), "maintenance"
        fault = self._desk.for_request(path, self._market.symbol_of(query.get("symbol", "")), query)
        if fault is not None and fault.name == "banned":
            refusal = self._weights.ban(real_s, fault.values["s"])
            return refused_answer(refusal.status, refusal.retry_after_s), fault.name
        if fault is not None and fault.name == "maintenance":
            self._desk.begin_maintenance(fault.values["s"])
            return maintenance_answer(), fault.name
        good = self._good(path, query, now_ms)
        if fault is None:
            return good, None
        return self._spoilt(fault, good, query, now_ms), fault.name

    def _good(self, path: str, query: dict[str, str], now_ms: int) -> Answer:
        try:
            answer = self._answers.of(path, query, now_ms, skew_ms=self._desk.skew_ms)
        except OnetapeError as error:
            print(f"testnet: {error}", file=sys.stderr, flush=True)
            return Answer(500, error_body(-1000, "An unknown error occurred while processing the request.").encode())
        symbol = self._market.symbol_of(query.get("symbol", ""))
        if answer.rows is None or symbol is None or not self._desk.revisions:
            return answer
        rows = answer.rows
        for revision in self._desk.revisions:
            rows = revision.applied(self._market, symbol, query["interval"], rows, now_ms)
        return answer.with_rows(rows)

    def _spoilt(self, fault: Fault, good: Answer, query: dict[str, str], now_ms: int) -> Answer:
        symbol, timeframe = self._market.symbol_of(query.get("symbol", "")), query.get("interval", "")
        forming = None
        if fault.name == "forming" and symbol is not None and timeframe in TIMEFRAMES_MS:
            forming = self._pages.forming_row(symbol, timeframe, now_ms)
        end = query.get("endTime", "")
        return faulty_answer(fault, good, forming, int(end) if end.isdecimal() else None)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass
