"""The testnet's engine behind BinanceSpotApi without a socket, on a virtual clock: real payloads, and faults of a seed.

What is lost, late or cut is decided here; what is answered is the engine's.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, cast

from app.exchange.keys import Keys
from app.exchange.limiter import RateLimiter
from app.exchange.signed_rest import CutError, RawAnswer
from app.exchange.spot_api import BinanceSpotApi
from app.testnet.exchange_variants import Variants
from app.testnet.wire import exchange_info
from tests.candle_columns import START_MS
from tests.spot_exchanges import BTC, ME, Row, Venue

Take = Callable[[Mapping[str, Any]], None]
_LATENCY_S = 0.02
_PULSE_S = 0.25


class EngineAccount:
    """`stream_s` None: the stream is silent. Calm: nothing goes wrong."""

    def __init__(self, random: Random, minutes: int, variants: Variants, **options: Any) -> None:
        self.venue = Venue(_walk(random, minutes), variants=variants, balances={"USDT": 100_000.0}, **options)
        self.random, self.is_calm = random, False
        self.stream_s: float | None = 0.02
        self.is_up = True
        self.placed: list[str] = []  # client ids of requests to place that arrived or were lost
        self.take: Take | None = None
        self.changed = asyncio.Event()

    @property
    def now_ms(self) -> int:
        return START_MS + int(asyncio.get_running_loop().time() * 1000)

    def info(self) -> str:
        """What exchangeInfo says."""
        exchange = self.venue.exchange
        return exchange_info([(BTC, exchange.symbol_rules("BTCUSDT"))], self.now_ms, 6_000, exchange.rules)

    def api(self) -> BinanceSpotApi:
        """One process's way to it."""
        made = BinanceSpotApi(
            "binance", [BTC], {BTC: {"info": json.loads(self.info())["symbols"][0]}}, Keys("k" * 20, "s" * 20),
            url="http://127.0.0.1:1", limiter=RateLimiter(10_000),
        )  # fmt: skip
        made._requests.rest = cast("Any", _Rest(self))
        made._stream = cast("Any", _Stream(self))
        return made

    def request(self, method: str, path: str, params: Mapping[str, str], sent_ms: int) -> RawAnswer:
        """Arrives now."""
        sent = {name: str(value) for name, value in params.items()}
        reply = self.venue.exchange.request(ME, method, path, sent, sent_ms, max(sent_ms, self.now_ms))
        self.tell()
        return RawAnswer(reply.status, {}, json.dumps(reply.body))

    def tell(self) -> None:
        """Events of what has happened, to who listens."""
        self.venue.exchange.advance(self.now_ms)
        loop = asyncio.get_running_loop()
        for _, event in self.venue.exchange.take_events():
            if self.take is not None and self.is_up and self.stream_s is not None:
                for _ in range(1 if self.is_calm else self.random.choice((1, 1, 2))):
                    loop.call_later(self.stream_s, self._hear, self.take, event)

    def _hear(self, take: Take, event: Mapping[str, Any]) -> None:
        if self.take is take and self.is_up:
            take(event)

    async def go_on(self) -> None:
        """For ever: its clock."""
        while True:
            self.tell()
            await asyncio.sleep(_PULSE_S)

    def switch(self, *, is_up: bool) -> None:
        """The stream is cut, or back."""
        self.is_up = is_up
        self.changed.set()


def _walk(random: Random, minutes: int) -> list[Row | None]:
    rows, price = list[Row | None](), 100.0
    for _ in range(minutes):
        close = round(price * (1.0 + random.uniform(-0.01, 0.01)), 2)
        high, low = round(max(price, close) * 1.003, 2), round(min(price, close) * 0.997, 2)
        rows.append((price, high, low, close, 10.0))
        price = close
    return rows


class _Rest:
    """In place of SignedRest."""

    host = "engine"

    def __init__(self, account: EngineAccount) -> None:
        self._account = account

    async def send(
        self, method: str, path: str, params: Mapping[str, str], *, section: str = "private", timeout_s: float = 0.0
    ) -> RawAnswer:
        account, random, sent_ms = self._account, self._account.random, self._account.now_ms
        if method == "GET":
            await asyncio.sleep(_LATENCY_S)
            if not account.is_calm and random.random() < 0.05:
                return RawAnswer(503, {}, "")
            return account.request(method, path, params, sent_ms)
        if method == "POST":
            account.placed.append(params.get("newClientOrderId") or params["listClientOrderId"])
        kind = 1.0 if account.is_calm else random.random()
        if kind < 0.15:
            await asyncio.sleep(random.choice((0.1, 15.0)))
            raise CutError("cut")
        arrives_s = _LATENCY_S if kind > 0.4 else random.choice((0.5, 2.5, 3.5))
        loop = asyncio.get_running_loop()
        if kind < 0.3:
            loop.call_later(arrives_s, account.request, method, path, params, sent_ms)
            await asyncio.sleep(random.choice((0.1, 4.0, 15.0)))
            if random.random() < 0.5:
                return RawAnswer(503, {}, json.dumps({"code": -1006, "msg": "Execution status unknown."}))
            raise CutError("cut")
        if kind < 0.35 and method == "DELETE":
            return RawAnswer(503, {}, json.dumps({"code": -1008, "msg": "Server is currently overloaded."}))
        await asyncio.sleep(arrives_s)
        answer = account.request(method, path, params, sent_ms)
        await asyncio.sleep(_LATENCY_S if kind > 0.5 else random.choice((1.0, 6.0)))
        return answer

    async def public(self, path: str, params: Mapping[str, str], timeout_s: float = 0.0) -> RawAnswer:
        await asyncio.sleep(_LATENCY_S)
        if path == "time":
            return RawAnswer(200, {}, json.dumps({"serverTime": self._account.now_ms}))
        if path == "exchangeInfo":
            return RawAnswer(200, {}, self._account.info())
        return self._account.request("GET", path, params, self._account.now_ms)

    async def close(self) -> None:
        """Nothing is open."""


class _Stream:
    """In place of UserStream."""

    def __init__(self, account: EngineAccount) -> None:
        self._account = account

    async def run(self, take: Take, on_link: Callable[[bool, str], None]) -> None:
        account = self._account
        try:
            while True:
                await self._until(is_up=True)
                await asyncio.sleep(_LATENCY_S)
                account.take = take
                on_link(True, "")
                await self._until(is_up=False)
                account.take = None
                on_link(False, "cut")
        finally:
            account.take = None

    async def _until(self, *, is_up: bool) -> None:
        while self._account.is_up != is_up:
            self._account.changed.clear()
            await self._account.changed.wait()
