"""Signed requests of one account: the clock, the limiter and the faults of questions, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.errors import BlockedError, RateLimitError, RefusedError, UnavailableError
from app.exchange.account_requests import AccountRequests
from app.exchange.keys import Keys
from app.exchange.limiter import RateLimiter
from app.exchange.order_reports import Accepted, Refused
from app.models.intents import Cancel, PlaceOrder
from tests.signed_exchange import BTC, KEY, SECRET, Asked, Said, SignedExchange, error, full

BUY = PlaceOrder("tag1-1-7-e", 7, BTC, True, 1.0, 0)
CLOSE = PlaceOrder("tag1-1-7-c", 7, BTC, False, 1.0, 0)
CANCEL = Cancel("tag1-1-7-e", 7, BTC, 0)


@pytest.fixture
async def server() -> AsyncIterator[SignedExchange]:
    async with SignedExchange() as made:
        yield made


async def test_a_limit_pauses_everything_and_what_would_be_sent_is_refused_at_once(server: SignedExchange) -> None:
    server.answers["POST order"] = [error(-1003, "Too many requests.", 429, Retry_After="30")]
    api = server.api()
    assert isinstance(await api.send(BUY), Refused)
    for intent in (BUY, CLOSE, CANCEL):
        outcome = await api.send(intent)
        assert isinstance(outcome, Refused)
        assert outcome.is_passing
        assert outcome.sent_ms == 0
        assert outcome.why.startswith(f"not sent: {server.url} takes no request for ")
    await api.close()
    assert len(server.of("POST", "order")) == 1
    assert server.of("DELETE", "order") == []


async def test_too_many_orders_hold_back_orders_and_neither_questions_nor_cancellations(server: SignedExchange) -> None:
    server.answers["POST order"] = [error(-1015, "Too many new orders.", 429, Retry_After="9")]
    server.answers["DELETE order"] = [error(-2011, "Unknown order sent.")]
    api = server.api()
    assert isinstance(await api.send(BUY), Refused)
    held = await api.send(CLOSE)
    assert isinstance(held, Refused)
    assert "takes no order of this account for 9 s more" in held.why
    assert (await api.send(CANCEL)).code == -2011  # type: ignore[union-attr]
    assert await api.open_orders() == ()
    await api.close()
    assert len(server.of("POST", "order")) == 1


async def test_the_clock_is_measured_again_after_a_refused_time_stamp(server: SignedExchange) -> None:
    server.answers["POST order"] = [error(-1021), Said(full("tag1-1-7-e"))]
    api = server.api()
    assert isinstance(await api.send(BUY), Refused)
    measured = len(server.of("GET", "time"))
    leap_ms = 120_000
    server.answers["GET time"] = [lambda _: Said({"serverTime": server.now_ms() + leap_ms})]
    outcome = await api.send(BUY)
    await api.close()
    assert len(server.of("GET", "time")) > measured
    assert isinstance(outcome, Accepted)
    assert outcome.sent_ms > server.now_ms() + leap_ms - 3_000


async def test_the_clock_is_asked_now(server: SignedExchange) -> None:
    api = server.api()
    first = await api.server_time_ms()
    assert await api.server_time_ms() >= first
    assert len(server.of("GET", "time")) == 2
    for nonsense in ("soon", 5, None, 1.5, True, 10**16):
        server.answers["GET time"] = [Said({"serverTime": nonsense})]
        with pytest.raises(UnavailableError):
            await api.server_time_ms()
    await api.close()


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (error(-1003, "x", 429, Retry_After="7"), RateLimitError),
        (error(-1003, "x", 418, Retry_After="7"), RateLimitError),
        (Said("<html>", 403), BlockedError),
        (error(-2015, "Invalid API-key, IP, or permissions for action."), RefusedError),
        (error(-1007, "x", 504), UnavailableError),
        (error(-1021), UnavailableError),
        (error(-1008, "x", 503), UnavailableError),
        (Said("", 500), UnavailableError),
        (Said("{"), UnavailableError),
        (Said({"x": 1}), UnavailableError),
        (Said([{"symbol": 5}]), UnavailableError),
        (Said(is_cut=True), UnavailableError),
    ],
)
async def test_a_question_that_is_not_answered_raises_what_it_is(
    server: SignedExchange, said: Said, kind: type[Exception]
) -> None:
    server.answers["GET openOrders"] = [said]
    api = server.api()
    with pytest.raises(kind) as caught:
        await api.open_orders()
    await api.close()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    if isinstance(caught.value, RateLimitError):
        assert (caught.value.retry_after_s, caught.value.banned) == (7.0, said.status == 418)
    assert len(server.of("GET", "openOrders")) == 1, "asking again is the desk's business"


async def test_orders_wait_behind_no_question(server: SignedExchange) -> None:
    server.answers["POST order"] = [Said(full("tag1-1-7-e"))]
    server.answers["GET openOrders"] = [Said([], after_s=0.5)]
    api = server.api()
    await api.balances()
    questions = [asyncio.create_task(api.open_orders()) for _ in range(8)]  # several seconds of weight
    await asyncio.sleep(0.01)
    outcome = await api.send(BUY)
    assert isinstance(outcome, Accepted)
    assert not all(task.done() for task in questions)
    for task in questions:
        task.cancel()
    await asyncio.gather(*questions, return_exceptions=True)
    await api.close()


async def test_a_cancelled_send_leaves_no_task(server: SignedExchange) -> None:
    server.answers["POST order"] = [Said(full("tag1-1-7-e"), after_s=5.0)]
    api = server.api()
    task = asyncio.create_task(api.send(BUY))
    while not server.of("POST", "order"):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await api.close()


async def test_an_order_does_not_wait_for_a_clock_that_is_only_old(
    server: SignedExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers["POST order"] = [Said(full("tag1-1-7-e"))]
    api = server.api()
    await api.balances()
    # As at a real exchange, whose pace is known; the clock was last asked ten minutes ago.
    clock = api._requests.clock
    monkeypatch.setattr(clock, "_has_own_pace", False)
    monkeypatch.setattr(clock, "_noted_s", clock._noted_s - 600.0)
    asked = len(server.of("GET", "time"))
    assert isinstance(await api.send(BUY), Accepted)
    assert len(server.of("GET", "time")) == asked
    await api.balances()
    assert len(server.of("GET", "time")) == asked + 1, "a question asks for it"
    await api.close()


async def test_a_clock_that_is_refused_is_asked_before_every_waiting_question(server: SignedExchange) -> None:
    server.answers["POST order"] = [error(-1021), Said(full("tag1-1-7-e"))]
    api = server.api()
    await api.balances()
    questions = [asyncio.create_task(api.open_orders()) for _ in range(8)]  # of several seconds
    await asyncio.sleep(0.01)
    assert isinstance(await api.send(BUY), Refused)
    assert isinstance(await api.send(BUY), Accepted)
    assert not all(task.done() for task in questions)
    for task in questions:
        task.cancel()
    await asyncio.gather(*questions, return_exceptions=True)
    await api.close()


async def test_the_clock_is_asked_after_the_wait_for_a_start(
    server: SignedExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it, a stamp could be carried over seconds of waiting, and be out of its window at a testnet's pace."""
    order: list[str] = []
    limiter = RateLimiter(None)
    begin = limiter.request

    @asynccontextmanager
    async def starting(weight: int = 1) -> AsyncIterator[None]:
        order.append("waited")
        async with begin(weight):
            yield

    def asked(_: Asked) -> Said:
        order.append("asked")
        return Said({"serverTime": server.now_ms()})

    monkeypatch.setattr(limiter, "request", starting)
    server.answers["GET time"] = [asked]
    api = server.api(limiter=limiter)
    await api.open_orders()
    await api.close()
    assert order[:2] == ["waited", "asked"]


@pytest.mark.parametrize(("exchange", "said"), [("binance", "true"), ("binance_demo", "true"), ("binanceus", None)])
async def test_no_exchange_is_sent_a_parameter_that_it_does_not_know(
    server: SignedExchange, exchange: str, said: str | None
) -> None:
    keys, limiter = Keys(KEY, SECRET), RateLimiter(None)
    requests = AccountRequests(exchange, server.url, keys, limiter, recv_window_ms=5000, answer_s=10.0)
    assert await requests.account() == {"balances": []}
    await requests.rest.close()
    (asked,) = server.of("GET", "account")
    assert asked.params.get("omitZeroBalances") == said
