"""BinanceSpotApi against the testnet that trades, over real sockets: the life of an order, each fault of an answer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.exchange.adapter import CandleExchange
from app.exchange.keys import Keys
from app.exchange.order_reports import Accepted, OrderReport, Refused, TradeReport, Unknown
from app.exchange.spot_api import BinanceSpotApi
from app.models.intents import Cancel, PlaceOco, PlaceOrder
from app.models.orders import OrderState
from app.testnet.api_keys import TEST_KEY, TEST_SECRET
from app.testnet.exchange_variants import Variants
from app.testnet.server import Testnet
from tests.testnets import BTC
from tests.trading_nets import pass_ms, trading_net

BUY = PlaceOrder("tag1-1-1-e", 1, BTC, True, 0.5, 0)
CANCEL = Cancel("tag1-1-2-e", 2, BTC, 0)


def resting(price: float) -> PlaceOrder:
    return PlaceOrder("tag1-1-2-e", 2, BTC, True, 0.5, 0, limit=round(price * 0.7, 2))


def oco(price: float) -> PlaceOco:
    return PlaceOco(
        "tag1-1-1-l", "tag1-1-1-t", "tag1-1-1-s", 1, BTC, 0.4, round(price * 1.4, 2), round(price * 0.6, 2), 0
    )


class Client:
    """A client of a testnet, and what its stream says."""

    def __init__(self, api: BinanceSpotApi) -> None:
        self.api = api
        self.heard: list[OrderReport | TradeReport] = []
        self.links: list[tuple[bool, str]] = []

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not done():
                await asyncio.sleep(0.01)

    def states(self, client_id: str) -> list[OrderState]:
        return [one.state for one in self.heard if isinstance(one, OrderReport) and one.client_id == client_id]


@asynccontextmanager
async def client_of(net: Testnet, keys: Keys | None = None, **options: Any) -> AsyncIterator[Client]:
    async with net:
        candles = CandleExchange("binanceus", net.url)
        await candles.markets([BTC], "1m")
        rows = candles.market_rows([BTC])
        await candles.close()
        keys = keys or Keys(TEST_KEY, TEST_SECRET)
        client = Client(BinanceSpotApi("binanceus", [BTC], rows, keys, url=net.url, **options))
        listening = asyncio.create_task(
            client.api.listen(client.heard.append, lambda up, why: client.links.append((up, why)))
        )
        try:
            await client.until(lambda: bool(client.links))
            yield client
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await client.api.close()


async def lived(client: Client) -> None:
    """Entry, protection, its cancellation, another order and its cancellation: each answered, queried and heard."""
    api = client.api
    price = await api.price(BTC)
    bought = await api.send(BUY)
    assert isinstance(bought, Accepted), bought
    assert [one.state for one in bought.orders] == [OrderState.FILLED]
    protected = await api.send(oco(price))
    assert isinstance(protected, Accepted), protected
    assert {one.client_id for one in protected.orders} == {"tag1-1-1-t", "tag1-1-1-s"}
    assert {one.list_client_id for one in protected.orders} == {"tag1-1-1-l"}
    assert {one.client_id for one in await api.open_orders()} == {"tag1-1-1-t", "tag1-1-1-s"}
    stop = await api.order(BTC, "tag1-1-1-s")
    assert stop is not None
    assert stop.state is OrderState.ACCEPTED
    assert await api.order_by_exchange_id(BTC, stop.exchange_id) == stop
    freed = await api.send(Cancel("tag1-1-1-l", 1, BTC, 0, is_list=True))
    assert isinstance(freed, Accepted), freed
    assert {one.state for one in freed.orders} == {OrderState.CANCELLED}
    gone = await api.send(Cancel("tag1-1-1-l", 1, BTC, 0, is_list=True))
    assert isinstance(gone, Refused)
    assert gone.code == -2011
    assert isinstance(await api.send(resting(price)), Accepted)
    assert isinstance(await api.send(resting(price)), Unknown), "Duplicate order sent. may be this very order"
    assert isinstance(await api.send(CANCEL), Accepted)
    assert await api.open_orders() == ()
    trades = await api.trades(BTC, None, 0)
    assert [one.trade_id for one in trades] == [one.trade_id for one in bought.trades]
    assert (await api.balances())["BTC"] == pytest.approx(0.4995)
    await client.until(lambda: OrderState.CANCELLED in client.states("tag1-1-2-e"))
    assert client.states("tag1-1-1-e")[-1] is OrderState.FILLED
    assert client.states("tag1-1-1-s") == [OrderState.ACCEPTED, OrderState.CANCELLED]
    heard = [one.trade_id for one in client.heard if isinstance(one, TradeReport)]
    assert heard == [one.trade_id for one in trades]
    assert client.links == [(True, "")]


@pytest.mark.parametrize("speed", [1e-6, 1.0, 20.0])
async def test_the_life_of_an_order_at_the_testnets_pace(speed: float) -> None:
    async with client_of(trading_net(speed=speed)) as client:
        await lived(client)


async def test_the_life_of_an_order_with_an_ed25519_key() -> None:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {"name": "me", "balances": {"USDT": 10_000}, "keys": [{"key": "k1", "public_key": public.decode()}]}
    keys = Keys("k1", pem.decode().strip(), is_ed25519=True)
    async with client_of(trading_net(accounts=[account]), keys) as client:
        await lived(client)


@pytest.mark.parametrize(
    "variants",
    [
        {"event_order": "list_first", "list_reports": "ACK"},
        {"event_order": "balances_first", "refusal_reports": True, "commission": "rounded"},
        {"trigger_text": "Order would trigger immediately.", "closed_code": -2010},
    ],
)
async def test_what_the_documents_leave_open_is_taken_either_way(variants: dict[str, Any]) -> None:
    async with client_of(trading_net(trading={"variants": Variants(**variants)})) as client:
        await lived(client)


LOST = [
    ({"fault": "lost_before"}, False),
    ({"fault": "lost_after"}, True),
    ({"fault": "late_after", "s": 5.0}, True),
    ({"fault": "unknown", "code": -1007, "executed": True}, True),
    ({"fault": "unknown", "code": -1007, "executed": False}, False),
    ({"fault": "unknown", "code": -1006, "status": 200, "executed": True}, True),
    ({"fault": "unknown", "code": -1000, "body": "html", "executed": True}, True),
    ({"fault": "unknown", "code": -1001, "body": "empty", "executed": False}, False),
    ({"fault": "cut_answer"}, True),
]


@pytest.mark.parametrize(("fault", "is_executed"), LOST, ids=[str(fault) for fault, _ in LOST])
async def test_an_answer_that_is_lost_is_unknown_and_a_query_tells(fault: dict[str, Any], is_executed: bool) -> None:
    for intent in (BUY, CANCEL):
        net = trading_net()
        async with client_of(net, answer_s=1.0) as client:
            api = client.api
            if intent is CANCEL:
                assert isinstance(await api.send(resting(await api.price(BTC))), Accepted)
            method = "DELETE" if intent is CANCEL else "POST"
            net.faults.add({**fault, "path": "order", "method": method})
            outcome = await api.send(intent)
            assert isinstance(outcome, Unknown), outcome
            found = await api.order(BTC, intent.client_id)
            if intent is BUY:
                assert (found is not None) == is_executed
            else:
                assert found is not None
                assert (found.state is OrderState.CANCELLED) == is_executed
            if is_executed:
                await client.until(lambda intent=intent, found=found: found.state in client.states(intent.client_id))  # type: ignore[misc]
            sent = [one for one in net.log.requests if one.method == method and one.path == "order"]
            assert len(sent) == (2 if method == "POST" and intent is CANCEL else 1)


@pytest.mark.parametrize(
    ("fault", "code", "is_passing"),
    [
        ({"fault": "refused", "code": -2010}, -2010, False),
        ({"fault": "refused", "code": -1008}, -1008, True),
        ({"fault": "refused", "code": -1016}, -1016, True),
        ({"fault": "refused", "code": -1015}, -1015, True),
        ({"fault": "refused", "code": -1003}, -1003, True),
        ({"fault": "late_before", "s": 4.0}, -1021, True),  # held for longer than recvWindow, and checked again
    ],
)
async def test_a_refusal_is_definite(fault: dict[str, Any], code: int, is_passing: bool) -> None:
    net = trading_net(speed=1.0)
    async with client_of(net) as client:
        net.faults.add({**fault, "path": "order", "method": "POST"})
        outcome = await client.api.send(BUY)
        assert isinstance(outcome, Refused), outcome
        assert (outcome.code, outcome.is_passing) == (code, is_passing)


async def test_a_clock_two_minutes_off_costs_one_refusal() -> None:
    """The exchange's clock is set while the session runs; this machine's plays no part."""
    net = trading_net(speed=1.0)
    async with client_of(net) as client:
        pass_ms(net, 120_000)
        outcome = await client.api.send(BUY)
        assert isinstance(outcome, Refused)
        assert outcome.code == -1021
        assert isinstance(await client.api.send(BUY), Accepted)


@pytest.mark.parametrize("status", ["HALT", "BREAK", "CANCEL_ONLY"])
async def test_a_symbol_that_is_shut(status: str) -> None:
    net = trading_net()
    async with client_of(net) as client:
        assert net.trading is not None
        net.trading.engine.set_status("BTCUSDT", status)
        late = await client.api.send(BUY)
        assert isinstance(late, Refused), "the exchange says it"
        assert await client.api.not_trading() == [BTC]
        asked = len(net.log.requests)
        for intent in (BUY, oco(100.0)):
            outcome = await client.api.send(intent)
            assert isinstance(outcome, Refused)
            assert outcome.is_passing
        assert len(net.log.requests) == asked + 1, "the entry was not sent"


@pytest.mark.parametrize("fault", ["stream_cut", "stream_terminated", "server_shutdown"])
async def test_the_stream_comes_back(fault: str) -> None:
    net = trading_net()
    async with client_of(net) as client:
        net.faults.add({"fault": fault})
        await client.until(lambda: len(client.links) >= 3)
        assert [up for up, _ in client.links[:3]] == [True, False, True]
        assert isinstance(await client.api.send(BUY), Accepted)
        await client.until(lambda: OrderState.FILLED in client.states("tag1-1-1-e"))


async def test_what_is_asked_of_the_limiter_is_the_exchanges_weight() -> None:
    net = trading_net(weight_limit=1200)
    async with client_of(net) as client:
        api = client.api
        await api.not_trading()
        await api.open_orders()
        await api.trades(BTC, None, 0)
        await api.balances()
        await api.order(BTC, "tag1-1-1-e")
        await api.price(BTC)
        used = {one.path: one.weight for one in net.log.requests}
    assert used["openOrders"] <= 80
    assert all(one.status < 418 for one in net.log.requests if isinstance(one.status, int))
