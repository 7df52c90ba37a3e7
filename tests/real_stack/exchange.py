"""The testnet's engine behind an edge in this process: requests and events travel on the virtual clock, each with the
fate that it is given, and outlive the process that sent them.

The rule: what is measured here is the exchange's side: every trade, every placement that was sent, and for how long
something that the session bought lay there without a stop that rests.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.exchange.signed_rest import CutError, RawAnswer
from app.testnet.spot import SpotMarket, wire_name
from app.testnet.spot_exchange import PUBLIC, Reply, SpotExchange
from app.testnet.trading_account import TradingAccount
from app.testnet.wire import exchange_info
from tests.candle_columns import MINUTE_MS, START_MS
from tests.real_stack.fates import GOOD, TOLD, Call, EventFate, Fate
from tests.real_stack.protection import Protection, is_own

ME, SOMEBODY = "me", "x"
_AHEAD_MS = 1_000


@dataclass
class Line:
    """One process's connections: once it is cut nothing passes any more, in neither direction."""

    is_dead: bool = False
    sockets: list["Any"] = field(default_factory=list)


class InProcessExchange:
    """`fate` and `event_fate` are asked for each request and each batch; `moment` hears of each message."""

    def __init__(
        self, market: SpotMarket, symbols: Sequence[str], balances: Mapping[str, float], **options: Any
    ) -> None:
        self.engine = SpotExchange(market, **options)
        self.engine.add_account(ME, balances)
        self.symbols = list(symbols)
        self.fate: Callable[[Call], Fate] = lambda _call: GOOD
        self.event_fate: Callable[[Sequence[Any]], EventFate] = lambda _batch: TOLD
        self.moment: Callable[[str], None] = lambda _name: None
        self.line = Line()
        self.is_silent = False  # the stream says nothing, and its pongs go on
        self.takes_dials = True
        self.skew_ms = 0  # of the clock as it is told, and as requests are judged by
        self.jumped_ms = 0  # this machine stood still for so long
        self.lag_s = 0.0  # how old what queries of orders and trades see is
        self.false_balance: tuple[str, float] | None = None
        self.met: Counter[str] = Counter()
        self.placed: Counter[str] = Counter()  # client ids, by how often they were sent
        self.calls: list[tuple[float, Call, Fate]] = []
        self._due: asyncio.TimerHandle | None = None
        self._told_s = 0.0
        self.protection = Protection(symbols, self.engine._matching.reference)
        self.now_ms_at_0 = START_MS + MINUTE_MS

    # The clock.

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    @property
    def now_ms(self) -> int:
        """The matching's time; an hour before it the session has begun nothing."""
        return self.now_ms_at_0 + int(self.loop.time() * 1000.0) + self.jumped_ms

    @property
    def told_ms(self) -> int:
        return self.now_ms + self.skew_ms

    @property
    def account(self) -> TradingAccount:
        return self.engine._account(ME)

    def jump(self, ms: int) -> None:
        """This machine was suspended: the exchange's time has gone on."""
        self.jumped_ms += ms
        self.advance()

    # Requests.

    async def carry(self, line: Line, call: Call, answer_s: float) -> RawAnswer:
        """A request on its way, and its answer on the way back."""
        if line.is_dead:
            await self.loop.create_future()
        if call.path not in ("time", "exchangeInfo", *PUBLIC):
            self.moment(f"{call.method} {call.path} leaves")
            if line.is_dead:
                await self.loop.create_future()
        fate = self.fate(call)
        self.calls.append((self.loop.time(), call, fate))
        self.placed.update(call.places)
        if fate.name:
            self.met[fate.name] += 1
        answer: asyncio.Future[RawAnswer] = self.loop.create_future()
        if fate.arrives:
            self.loop.call_later(fate.travel_s, self._arrive, call, fate, answer)
        elif fate.answer == "lost":
            self.loop.call_later(fate.back_s, _fail, answer)
        if fate.cut_s is not None:
            self.loop.call_later(fate.cut_s, _fail, answer)
        try:
            async with asyncio.timeout(answer_s):
                return await answer
        except TimeoutError:
            pass
        raise CutError(f"binance did not answer within {answer_s:g} s")

    def _arrive(self, call: Call, fate: Fate, answer: "asyncio.Future[RawAnswer]") -> None:
        if call.is_change:
            self.moment(f"{call.method} {call.path} arrives")
        reply = self._out_of_window(call)
        if reply is not None:
            self.met["-1021 at the gate"] += call.is_change
            self._answer(Fate(back_s=fate.back_s), reply, answer)
        elif not fate.executes:
            self._answer(fate, Reply(200, {}), answer)
        elif fate.inside_s:
            self.loop.call_later(fate.inside_s, self._execute, call, fate, answer)
        else:
            self._execute(call, fate, answer)

    def _execute(self, call: Call, fate: Fate, answer: "asyncio.Future[RawAnswer]") -> None:
        self._answer(fate, self.handle(call), answer)
        if call.is_change:
            self.moment(f"{call.method} {call.path} executed")

    def handle(self, call: Call) -> Reply:
        """What the exchange answers, and does."""
        if call.path == "time":
            return Reply(200, {"serverTime": self.told_ms})
        if call.path == "exchangeInfo":
            rules = [(one, self.engine.symbol_rules(wire_name(one))) for one in self.symbols]
            return Reply(200, json.loads(exchange_info(rules, self.told_ms, 6_000)))
        if call.method == "GET":
            self.advance()
            return self._lagging(call, self.engine.request(ME, "GET", call.path, call.params, self.now_ms))
        reply = self.engine.request(ME, call.method, call.path, call.params, self.now_ms)
        self._changed()
        return reply

    def own(self, method: str, path: str, **params: object) -> Any:
        """A request of somebody else on this account, who needs no network."""
        sent = {name: str(value) for name, value in params.items()}
        reply = self.engine.request(ME, method, path, sent, self.now_ms)
        self._changed()
        return reply.body

    def _lagging(self, call: Call, reply: Reply) -> Reply:
        """Queries may be answered from a copy that is a little old."""
        body = reply.body
        if reply.status != 200:
            return reply
        since_ms = self.now_ms - int(self.lag_s * 1000.0)
        if self.lag_s and call.path == "order" and body["time"] > since_ms:
            self.met["query says -2013 though it is there"] += 1
            return Reply(400, {"code": -2013, "msg": "Order does not exist."})
        if self.lag_s and call.path == "myTrades":
            shown = [row for row in body if row["time"] <= since_ms]
            self.met["trades late in the history"] += len(shown) < len(body)
            return Reply(200, shown)
        if self.lag_s and call.path == "openOrders":
            shown = [row for row in body if row["time"] <= since_ms]
            self.met["open orders late"] += len(shown) < len(body)
            return Reply(200, shown)
        if call.path == "account" and self.false_balance is not None:
            asset, by = self.false_balance
            self.false_balance = None
            self.met["balance wrong once"] += 1
            rows = [
                {**row, "free": f"{max(0.0, float(row['free']) + by):.8f}"} if row["asset"] == asset else row
                for row in body["balances"]
            ]
            return Reply(200, {**body, "balances": rows})
        return reply

    def _out_of_window(self, call: Call) -> Reply | None:
        if "timestamp" not in call.params:
            return None
        age_ms = self.told_ms - int(call.params["timestamp"])
        if -_AHEAD_MS <= age_ms <= int(call.params["recvWindow"]):
            return None
        return Reply(400, {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."})

    def _answer(self, fate: Fate, reply: Reply, answer: "asyncio.Future[RawAnswer]") -> None:
        if fate.answer == "none":
            return
        if fate.answer == "lost":
            self.loop.call_later(fate.back_s, _fail, answer)
            return
        text, status = json.dumps(reply.body), reply.status
        headers = {"content-type": "application/json", **fate.headers}
        if fate.answer == "half":
            text = text[: len(text) // 2]
        elif fate.answer == "html":
            text, status = "<html><body>Bad Gateway</body></html>", fate.status
        elif fate.answer == "code":
            text, status = json.dumps({"code": fate.code, "msg": fate.words}) if fate.code else "", fate.status
        self.loop.call_later(fate.back_s, self._hand_over, RawAnswer(status, headers, text), answer)

    def _hand_over(self, raw: RawAnswer, answer: "asyncio.Future[RawAnswer]") -> None:
        self.moment("an answer comes")
        if not answer.done():
            answer.set_result(raw)

    # The market and the stream.

    def advance(self) -> None:
        """Match up to now, tell it, and come again when something is due."""
        self.engine.advance(self.now_ms)
        self._changed()

    def _changed(self) -> None:
        self._publish()
        self.protection.measure(self.account, self.now_ms)
        if self._due is not None:
            self._due.cancel()
            self._due = None
        next_ms = self.engine.next_ms(self.now_ms)
        if next_ms is not None:
            self._due = self.loop.call_later(max(0.001, (next_ms - self.now_ms) / 1000.0), self.advance)

    def stop(self) -> None:
        """No more timers."""
        if self._due is not None:
            self._due.cancel()

    def _publish(self) -> None:
        batch = [event for account, event in self.engine.take_events() if account == ME]
        if not batch:
            return
        fate = self.event_fate(batch)
        if fate.name:
            self.met[fate.name] += 1
        if self.is_silent:
            self.met["events lost in silence"] += len(batch)
            return
        if fate.order is not None:
            batch = [batch[place] for place in fate.order]
        at_s = self._told_s = max(self._told_s, self.loop.time() + fate.delay_s)  # a connection keeps its order
        for event in batch:
            text = json.dumps({"subscriptionId": 0, "event": event})
            for socket in self.line.sockets:
                for _ in range(fate.copies):
                    self.loop.call_at(at_s, self._tell, socket, text)

    def _tell(self, socket: Any, text: str) -> None:
        self.moment("an event comes")
        socket.put_text(text)

    def say(self, text: str) -> None:
        """Something of its own on the stream, without delay."""
        for socket in self.line.sockets:
            socket.put_text(text)

    def cut_stream(self, why: str = "cut") -> None:
        """The user stream's connections end: by a close, or by a silence that even pongs keep."""
        for socket in list(self.line.sockets):
            socket.end(why)

    def own_orders(self) -> dict[int, str]:
        """The session's orders: client ids by the exchange's number."""
        orders = self.account.orders.items()
        return {number: one.client_order_id for number, one in orders if is_own(one.client_order_id)}


def _fail(answer: "asyncio.Future[RawAnswer]") -> None:
    if not answer.done():
        answer.set_exception(CutError("binance: the connection broke off"))
