"""Signed requests of one account: stamped with the exchange's time, paced by the one limiter, each answer judged.

A question that was not answered raises; a request that changes something answers what became of it, and never raises
for what the exchange or the way to it did. Neither is repeated here.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from app import times
from app.errors import BlockedError, ExchangeError, RateLimitError, RefusedError, UnavailableError
from app.exchange.answers import CLOCK, TOO_MANY_ORDERS, Answer, Verdict, read_answer
from app.exchange.keys import Keys
from app.exchange.limiter import RateLimiter
from app.exchange.order_counts import OrderCounts
from app.exchange.order_requests import Request
from app.exchange.retries import refusal_wait_s
from app.exchange.server_clock import ServerClock
from app.exchange.signed_rest import CutError, NotSentError, RawAnswer, SignedRest

# What a question costs of the minute's weight: Binance.com's, Binance US's.
_WEIGHTS = {
    "time": (1, 1),
    "exchangeInfo": (20, 10),
    "ticker/price": (2, 1),
    "order": (4, 2),
    "openOrders": (80, 40),
    "myTrades": (20, 10),
    "account": (20, 10),
    "account/apiRestrictions": (1, 1),
}
_MEASURES, _BETWEEN_S = 4, 0.1  # of the clock in one go, where one does not do
_TIME_ANSWER_S = 5.0
_TIME_LEAST_MS, _TIME_MOST_MS = 10**12, 4 * 10**12  # 2001 to 2096


class CodedRefusalError(RefusedError):
    """A refusal with the exchange's code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Changed(NamedTuple):
    """What became of a request that changes something; `sent_ms` is its time stamp, 0 if it was not sent."""

    answer: Answer
    sent_ms: int = 0


class AccountRequests:
    """Of the account of `keys`; `url` is a testnet's address."""

    def __init__(
        self,
        exchange: str,
        url: str | None,
        keys: Keys,
        limiter: RateLimiter,
        *,
        recv_window_ms: int,
        answer_s: float,
    ) -> None:
        self.clock = ServerClock(has_own_pace=url is not None)
        self.counts = OrderCounts()
        self.limiter, self.rest = limiter, SignedRest(exchange, url, keys, answer_s)
        self.host = self.rest.host
        self._keys, self._recv_window_ms = keys, recv_window_ms
        self._is_us = exchange == "binanceus"
        self._measuring = asyncio.Lock()
        self._refusals = 0  # in a row: answers that made all wait

    async def ask(self, path: str, params: Mapping[str, str] | None = None, *, section: str = "private") -> Any:
        """A signed question's answer. Raises UnavailableError, RateLimitError or RefusedError."""
        async with self.limiter.request(self._weight(path)):
            await self._measure_if_old()  # after the wait for a start, which may be long
            stamped = self._stamped(params or {})
            answer = await self._answer(self.rest.send("GET", path, stamped, section=section))
        return self._content(answer, path)

    async def ask_public(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """The same without a key."""
        async with self.limiter.request(self._weight(path)):
            answer = await self._answer(self.rest.public(path, params or {}))
        return self._content(answer, path)

    async def account(self) -> Any:
        """The account with its balances; at Binance US, whose documents know no parameter, the empty ones too."""
        return await self.ask("account", {} if self._is_us else {"omitZeroBalances": "true"})

    async def change(self, request: Request) -> Changed:
        """Sends it, once."""
        try:
            await self._measure_if_old(patience=float("inf"))  # an order waits only for a clock that is not known
        except ExchangeError as error:
            return Changed(Answer(Verdict.PASSING, why=f"not sent: {error}"))
        with self.limiter.at_once() as wait_s:
            if wait_s > 0.0:
                return Changed(Answer(Verdict.PASSING, why=f"not sent: {self._closed_for(wait_s)}"))
            stamped = self._stamped(request.params)
            try:
                answer = self._judged(await self.rest.send(request.method, request.path, stamped))
            except NotSentError as error:
                return Changed(Answer(Verdict.PASSING, why=f"not sent: {error}"))
            except CutError as error:
                answer = Answer(Verdict.UNKNOWN, why=str(error))
        return Changed(answer, int(stamped["timestamp"]))

    async def measure(self) -> int:
        """Asks the exchange's clock now, and learns from it."""
        with self.limiter.at_once(self._weight("time")) as wait_s:  # an order may wait for it
            if wait_s > 0.0:
                raise UnavailableError(self._closed_for(wait_s))
            asked_s = times.monotonic_s()
            answer = await self._answer(self.rest.public("time", {}, _TIME_ANSWER_S))
            answered_s = times.monotonic_s()
        content = self._content(answer, "time")
        time_ms = content.get("serverTime") if isinstance(content, dict) else None
        if type(time_ms) is not int or not _TIME_LEAST_MS <= time_ms < _TIME_MOST_MS:
            raise UnavailableError(f"{self.host} answered no time when asked for it")
        self.clock.note(time_ms, asked_s, answered_s)
        return time_ms

    def stamp(self) -> dict[str, str]:
        """Time stamp and its window, for a request that is signed now; after the clock was measured."""
        now_ms = self.clock.at_least_ms(times.monotonic_s())
        return {"timestamp": str(now_ms), "recvWindow": str(self._recv_window_ms)}

    async def ready_clock(self) -> None:
        """Until there is a time to sign with."""
        await self._measure_if_old()

    def judged_socket(self, status: int, error: object) -> Answer:
        """An answer of the websocket API: its status and its error, which are those of REST."""
        data = error.get("data") if isinstance(error, dict) else None
        headers = {}
        if isinstance(data, dict) and type(data.get("retryAfter")) is int and type(data.get("serverTime")) is int:
            headers["retry-after"] = str((data["retryAfter"] - data["serverTime"]) / 1000.0)  # here it is a moment
        return self._judged(RawAnswer(status, headers, json.dumps(error)))

    @property
    def mark(self) -> str:
        """What tells the key from others, and tells nobody which it is."""
        return self._keys.mark()

    def scrubbed(self, text: str) -> str:
        """Without what is secret."""
        return self._keys.scrubbed(text)

    async def _measure_if_old(self, patience: float = 1.0) -> None:
        if not self.clock.is_old(times.monotonic_s(), patience):
            return
        async with self._measuring:
            for turn in range(_MEASURES):
                if not self.clock.is_old(times.monotonic_s(), patience):
                    return
                if turn:
                    await asyncio.sleep(_BETWEEN_S)
                await self.measure()
        if not self.clock.knows:
            raise UnavailableError(f"{self.host} tells another time whenever it is asked")

    def _stamped(self, params: Mapping[str, str]) -> dict[str, str]:
        return {**params, **self.stamp()}

    async def _answer(self, sending: Any) -> Answer:
        fault = ""
        try:
            return self._judged(await sending)
        except (NotSentError, CutError) as error:
            fault = str(error)
        raise UnavailableError(fault)

    def _judged(self, raw: RawAnswer) -> Answer:
        used = raw.headers.get("x-mbx-used-weight-1m", "")
        if used.isdecimal() and len(used) < 10:
            self.limiter.note_used(int(used))
        now_s = times.monotonic_s()
        if self.clock.knows:
            self.counts.note(raw.headers, self.clock.at_least_ms(now_s))
        answer = read_answer(raw.status, raw.headers, raw.text, self._keys)
        if answer.code == CLOCK:
            self.clock.doubt()
        if answer.code == TOO_MANY_ORDERS:
            # The account's orders, not this address's requests: questions and cancellations go on.
            self.counts.refuse_for(answer.retry_after_s, now_s)
        elif answer.verdict in (Verdict.LIMITED, Verdict.TURNED_AWAY):
            self._refusals += not self.limiter.is_paused
            self.limiter.pause_for(refusal_wait_s(self._fault(answer), self._refusals))
        else:
            self._refusals = 0
        return answer

    def _fault(self, answer: Answer) -> RateLimitError | BlockedError:
        if answer.verdict is Verdict.LIMITED:
            return RateLimitError(f"{self.host}: {answer.why}", answer.retry_after_s, banned=answer.is_banned)
        return BlockedError(f"{self.host}: {answer.why}")

    def _content(self, answer: Answer, path: str) -> Any:
        if answer.verdict is Verdict.DONE:
            return answer.content
        if answer.verdict in (Verdict.LIMITED, Verdict.TURNED_AWAY):
            raise self._fault(answer)
        said = f"{self.host}, asked for {path}: {answer.why}" + (f" ({answer.code})" if answer.code else "")
        if answer.verdict is Verdict.REFUSED:
            raise CodedRefusalError(said, answer.code)
        raise UnavailableError(said)

    def _closed_for(self, wait_s: float) -> str:
        return f"{self.host} takes no request for {wait_s:.0f} s more"

    def _weight(self, path: str) -> int:
        return _WEIGHTS[path][self._is_us]
