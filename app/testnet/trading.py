"""A signed request from its arrival to its answer, whichever way it came: REST or the websocket API.

The order is fixed: ban and weight, maintenance, key, time, signature, fault, (time again), matching, events, answer.
The log has a request before its answer is sent. A request that is held goes on when its sender has gone.
"""

import asyncio
import contextlib
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.errors import OnetapeError
from app.testnet.api_keys import Account, ApiKey
from app.testnet.fault_desk import FaultDesk
from app.testnet.faults import Fault
from app.testnet.order_faults import Answer, error_reply, leg_of, spoilt_answer, unknown_answer
from app.testnet.request_log import Request, RequestLog
from app.testnet.signing import KeyRing, Query, refusal, time_refusal
from app.testnet.spot import SpotMarket, wire_name
from app.testnet.spot_exchange import Reply, SpotExchange
from app.testnet.user_stream import UserStream
from app.testnet.virtual_clock import VirtualClock
from app.testnet.weights import Refusal, WeightLimit, signed_weight

_READS = "may_read"
_TRADES = "may_trade"
_PLACING = ("order", "order/cancelReplace", "orderList/oco")
_COINS = "sapi/v1/capital/config/getall"  # networks of deposits, which ccxt asks for with its markets; there are none
_ADVANCE_S = 0.02
_NOTHING = Answer(Reply(0, None), is_cut=True)


@dataclass(frozen=True)
class Call:
    """A signed request: `key` is what it named, or one that was signed in before."""

    method: str
    path: str
    query: Query
    key: str | None
    ip: str
    signed_in: bool = False


class Trading:
    """The trading of one testnet: its engine, its accounts, and the stream of what happens."""

    def __init__(
        self,
        market: SpotMarket,
        clock: VirtualClock,
        desk: FaultDesk,
        weights: WeightLimit,
        log: RequestLog,
        stopping: asyncio.Event,
        accounts: Iterable[Account],
        options: Mapping[str, Any],
    ) -> None:
        accounts = tuple(accounts)
        self.engine = SpotExchange(market, **options)
        for account in accounts:
            self.engine.add_account(account.name, account.balances)
        self.accounts = tuple(account.name for account in accounts)
        self.keys = KeyRing(accounts)
        self.stream = UserStream(clock, desk)
        self._market, self._clock, self._desk = market, clock, desk
        self._weights, self._log, self._stopping = weights, log, stopping
        self._earlier: dict[str, Any] = {}  # the open orders before the last change, by account
        self._expiring: list[Fault] = []  # waiting for an order to take away

    def told_ms(self) -> int:
        """The exchange's time as it tells it, and as it judges others' by."""
        return self._clock.now_ms() + self._desk.skew_ms

    @property
    def weight(self) -> WeightLimit:
        """The weights used so far."""
        return self._weights

    def charge(self, weight: int) -> Refusal | None:
        """Count a request that asks nothing of the trading."""
        return self._weights.charge(weight, self._clock.real_s())

    def rate_limits(self, answer: Answer) -> list[dict[str, Any]]:
        """How the websocket API tells the counts, beside an answer."""
        counts = [
            ("ORDERS", "SECOND", 10, 100, answer.headers.get("X-MBX-ORDER-COUNT-10S")),
            ("ORDERS", "DAY", 1, 200_000, answer.headers.get("X-MBX-ORDER-COUNT-1D")),
            ("REQUEST_WEIGHT", "MINUTE", 1, self._weights.limit, self._weights.used),
        ]
        return [
            {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit, "count": int(count)}
            for kind, interval, number, limit, count in counts
            if limit is not None and count is not None
        ]

    async def answer(self, call: Call) -> Answer:
        """Handle one request."""
        arrived = self._clock.real_s(), self._clock.now_ms()
        params = call.query.says
        weight = signed_weight(call.method, call.path, params)
        was_banned = self._weights.is_banned(arrived[0])
        key, refused = self._let_in(call, weight)
        fault = None if refused or key is None else self._desk.for_order(call.method, call.path, params)
        after_s = 0.0
        if refused is not None or key is None:
            answer = refused or _NOTHING
        elif fault is None:
            answer = Answer(self._execute(key, call, params))
        else:
            answer, after_s = await self._faulty(key, call, params, fault)
        status = 0 if answer.is_cut else answer.reply.status
        code = answer.reply.body.get("code") if isinstance(answer.reply.body, dict) else None
        request = Request(
            *arrived, call.path, dict(params), status, weight, fault.name if fault else None, call.method,
            key.account if key else None, code,
        )  # fmt: skip
        self._log.add(request, used_weight=self._weights.used, was_banned=was_banned)
        await self._pause(after_s)
        return self._with_headers(answer, call, key)

    def own_request(self, account: str, method: str, path: str, params: Mapping[str, str]) -> Reply:
        """A request that nobody signed and no fault meets: of a test, or of the public."""
        self.advance()
        reply = self.engine.request(account, method, path, params, self._clock.now_ms())
        self.publish()
        return reply

    def advance(self) -> None:
        """Match what can be matched by now, and tell it."""
        self.engine.advance(self._clock.now_ms())
        self.publish()
        self._expiring = [fault for fault in self._expiring if not self._expired(fault)]

    def happen(self, fault: Fault) -> None:
        """What a fault does to the market, or to an order as soon as there is one."""
        if fault.name == "symbol_status":
            self.engine.set_status(wire_name(fault.values["symbol"]), fault.values["status"])
        elif fault.name == "expire_order":
            self._expiring.append(fault)

    def publish(self) -> None:
        """Tell what the engine did."""
        self.stream.publish(self.engine.take_events())

    async def run(self) -> None:
        """Let the trading go on as time passes, until cancelled."""
        while True:
            self.advance()
            next_ms = self.engine.next_ms(self._clock.now_ms())
            wait_s = _ADVANCE_S if next_ms is None else min(_ADVANCE_S, self._clock.real_s_until(next_ms))
            await asyncio.sleep(wait_s)

    def _let_in(self, call: Call, weight: int) -> tuple[ApiKey | None, Answer | None]:
        real_s = self._clock.real_s()
        if over := self._weights.charge(weight, real_s):
            return None, too_many(over)
        if self._desk.is_in_maintenance():
            return None, Answer(error_reply(-1001, status=503))
        key = self.keys.find(call.key, call.ip)
        if isinstance(key, Reply):
            return None, Answer(key)
        right = _READS if call.method == "GET" else _TRADES
        refused = refusal(key, call.query, self.told_ms(), right, needs_signature=not call.signed_in)
        return key, Answer(refused) if refused else None

    async def _faulty(self, key: ApiKey, call: Call, params: dict[str, str], fault: Fault) -> tuple[Answer, float]:
        """The answer that the fault leaves, and the seconds to wait before it is given."""
        values = fault.values
        if fault.name == "lost_before":
            return _NOTHING, values["s"]
        if fault.name == "refused":
            return Answer(error_reply(values["code"], values["msg"], values["status"])), 0.0
        if fault.name == "unknown" and not values["executed"]:
            return unknown_answer(fault), 0.0
        if fault.name == "late_before":
            if await self._pause(values["s"]):
                return _NOTHING, 0.0
            if late := time_refusal(params, self.told_ms()):
                return Answer(late), 0.0
        reply = self._execute(key, call, params)
        if fault.name == "doubled_request":
            second = self._execute(key, call, params)
            reply = second if values["answer"] == "second" else reply
        after_s = values["s"] if fault.name in ("late_after", "lost_after") else 0.0
        return spoilt_answer(fault, reply, self._earlier_orders(key.account, params)), after_s

    def _execute(self, key: ApiKey, call: Call, params: dict[str, str]) -> Reply:
        if call.path == _COINS:
            return Reply(200, [])
        self.advance()
        now_ms = self._clock.now_ms()
        if call.method != "GET":
            self._earlier[key.account] = self.engine.request(key.account, "GET", "openOrders", {}, now_ms).body
        try:
            reply = self.engine.request(key.account, call.method, call.path, params, now_ms)
        except OnetapeError as error:  # a damaged month
            print(f"testnet: {error}", file=sys.stderr, flush=True)
            reply = error_reply(-1000)
        self.publish()
        if call.path == "sapi/v1/account/apiRestrictions" and reply.status == 200:
            own = {
                "ipRestrict": bool(key.ips), "enableReading": key.may_read,
                "enableSpotAndMarginTrading": key.may_trade, "enableWithdrawals": key.may_withdraw,
            }  # fmt: skip
            reply = reply._replace(body={**reply.body, **own})
        return reply

    def _expired(self, fault: Fault) -> bool:
        now_ms = self._clock.now_ms()
        for account in self.accounts:
            for order in self.engine.request(account, "GET", "openOrders", {}, now_ms).body:
                name = order["clientOrderId"]
                if fault.values["client_id"] in (None, name) and fault.values["leg"] in (None, leg_of(name)):
                    done = self.engine.expire(account, name, now_ms)
                    self.publish()
                    return done
        return False

    def _earlier_orders(self, account: str, params: Mapping[str, str]) -> Any:
        orders = self._earlier.get(account, [])
        return [order for order in orders if params.get("symbol") in (None, order["symbol"])]

    def _with_headers(self, answer: Answer, call: Call, key: ApiKey | None) -> Answer:
        headers = dict(answer.headers)
        if key is not None and call.method == "POST" and call.path in _PLACING:
            now_ms = self._clock.now_ms()
            counts = self.engine.order_counts(key.account, now_ms)
            headers |= {f"X-MBX-ORDER-COUNT-{interval}": str(count) for interval, count in counts.items()}
            if answer.reply.status == 429:
                left_s = (10_000 - now_ms % 10_000) / 1_000 / self._clock.speed
                headers["Retry-After"] = str(max(1, math.ceil(left_s)))
        return replace(answer, headers=headers)

    async def _pause(self, seconds: float) -> bool:
        """Waits in real time; whether the testnet stops meanwhile."""
        if seconds:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()
        return self._stopping.is_set()


def too_many(over: Refusal) -> Answer:
    """429, or 418 while a ban lasts."""
    return Answer(error_reply(-1003, status=over.status), headers={"Retry-After": str(over.retry_after_s)})
