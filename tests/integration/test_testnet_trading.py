"""The real exchange library trades on the testnet: orders, fills, events, keys of both kinds, what faults look like.

What a client must do about a fault is its own business; here is shown what it gets to see.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import ccxt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from app.testnet.api_keys import TEST_ACCOUNT, TEST_KEY, TEST_SECRET
from app.testnet.generator import GeneratorSource
from app.testnet.server import Testnet
from tests.testnets import BTC
from tests.trading_nets import pass_ms, trading_net

PRIVATE = Ed25519PrivateKey.generate()
PRIVATE_PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode().strip()
PUBLIC_PEM = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
ED = {"name": "ed", "balances": {"USDT": 500}, "keys": [{"key": "edkey", "public_key": PUBLIC_PEM}]}
PARAMS = {"newClientOrderId": "s-1-1-e"}


def market_net(**changes: Any) -> Testnet:
    """In real time, on made-up candles that keep to ticks and steps."""
    return trading_net(**{"speed": 1.0, "source": GeneratorSource(7, [BTC]), **changes})


@asynccontextmanager
async def trader(
    net: Testnet, *, of: str = "binance", key: str = TEST_KEY, secret: str = TEST_SECRET, **options: Any
) -> AsyncIterator[Any]:
    """`ccxt.pro` on the testnet, its clock set by the exchange's."""
    import ccxt.pro

    rest, socket = f"{net.url}/api/v3", net.url.replace("http", "ws")
    client = getattr(ccxt.pro, of)(
        {
            "apiKey": key, "secret": secret, "enableRateLimit": False, "timeout_on_exit": 0,
            "urls": {
                "api": {
                    "public": rest, "private": rest, "sapi": f"{net.url}/sapi/v1",
                    "ws": {"spot": f"{socket}/ws", "ws-api": {"spot": f"{socket}/ws-api/v3"}},
                }
            },
            "options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "fetchMargins": False},
            **options,
        }
    )  # fmt: skip
    try:
        await client.load_time_difference()
        yield client
    finally:
        await client.close()


@pytest.mark.parametrize("of", ["binance", "binanceus"])
async def test_buy_ask_and_cancel(of: str) -> None:
    async with market_net() as net, trader(net, of=of) as client:
        assert BTC in await client.load_markets()
        bought = await client.create_order(BTC, "market", "buy", 0.1, params=PARAMS)
        assert (bought["status"], bought["filled"], bought["clientOrderId"]) == ("closed", 0.1, "s-1-1-e")
        (trade,) = await client.fetch_my_trades(BTC)
        assert (trade["order"], trade["fee"]["currency"]) == (bought["id"], "BTC")
        balance = await client.fetch_balance()
        assert balance["total"]["BTC"] == pytest.approx(0.1 - trade["fee"]["cost"])
        assert balance["total"]["USDT"] == pytest.approx(10_000 - trade["cost"])
        price = float(client.price_to_precision(BTC, trade["price"] * 1.5))
        resting = await client.create_order(BTC, "limit", "sell", 0.05, price)
        assert (await client.fetch_balance())["used"]["BTC"] == 0.05
        assert [order["id"] for order in await client.fetch_open_orders(BTC)] == [resting["id"]]
        assert (await client.cancel_order(resting["id"], BTC))["status"] == "canceled"
        assert (await client.fetch_order(resting["id"], BTC))["status"] == "canceled"
        with pytest.raises(ccxt.OrderNotFound):
            await client.cancel_order(resting["id"], BTC)


async def test_the_user_stream_tells_of_an_order_and_of_the_balance() -> None:
    async with market_net() as net, trader(net) as client:
        await client.load_markets()
        orders = asyncio.create_task(client.watch_orders(BTC))
        balance = asyncio.create_task(client.watch_balance())
        assert net._socket_api is not None
        async with asyncio.timeout(20):
            while not any(session.subscriptions for session in net._socket_api.sessions):
                await asyncio.sleep(0.01)
        await client.create_order(BTC, "market", "buy", 0.1, params=PARAMS)
        async with asyncio.timeout(20):
            assert [order["clientOrderId"] for order in await orders] == ["s-1-1-e"]
            assert (await balance)["BTC"]["free"] > 0


async def test_an_order_over_the_websocket_api() -> None:
    async with market_net() as net, trader(net) as client:
        await client.load_markets()
        bought = await client.create_order_ws(BTC, "market", "buy", 0.1, params=PARAMS)
        assert (bought["status"], bought["clientOrderId"]) == ("closed", "s-1-1-e")
        assert [request.path for request in net.log.requests][-1] == "order"


async def test_an_ed25519_key_signs_rest_and_the_stream() -> None:
    async with (
        market_net(accounts=[TEST_ACCOUNT, ED]) as net,
        trader(net, key="edkey", secret=PRIVATE_PEM) as client,
    ):
        assert (await client.fetch_balance())["total"] == {"USDT": 500.0}
        orders = asyncio.create_task(client.watch_orders(BTC))
        assert net.trading is not None
        async with asyncio.timeout(20):
            while not net.trading.stream.subscriptions:
                await asyncio.sleep(0.01)
        await client.create_order(BTC, "market", "buy", 0.01, params=PARAMS)
        async with asyncio.timeout(20):
            assert (await orders)[0]["clientOrderId"] == "s-1-1-e"


async def test_what_a_key_may_do() -> None:
    async with market_net() as net, trader(net) as client:
        may = await client.sapiGetAccountApiRestrictions()
        assert (may["enableReading"], may["enableSpotAndMarginTrading"], may["enableWithdrawals"]) == (
            True,
            True,
            False,
        )
    async with market_net() as net, trader(net, secret="of another") as client:
        with pytest.raises(ccxt.AuthenticationError, match="-1022"):
            await client.fetch_balance()


@pytest.mark.parametrize(
    ("fault", "seen", "executed"),
    [
        ({"fault": "lost_before"}, ccxt.NetworkError, False),
        ({"fault": "lost_after"}, ccxt.NetworkError, True),
        ({"fault": "cut_answer"}, ccxt.ExchangeError, True),  # the outcome is no less unknown for that
        ({"fault": "unknown", "code": -1007, "executed": False}, ccxt.BaseError, False),
        ({"fault": "unknown", "code": -1006, "executed": True}, ccxt.BaseError, True),
        ({"fault": "unknown", "status": 502, "body": "html"}, ccxt.BaseError, True),
        ({"fault": "refused", "code": -2010}, ccxt.InsufficientFunds, False),
        ({"fault": "refused", "code": -1008}, ccxt.BaseError, False),
    ],
)
async def test_what_the_library_makes_of_a_fault(fault: dict[str, Any], seen: type[Exception], executed: bool) -> None:
    async with market_net() as net, trader(net) as client:
        await client.load_markets()
        net.faults.add({"path": "order", "method": "POST", **fault})
        with pytest.raises(seen):
            await client.create_order(BTC, "market", "buy", 0.1, params=PARAMS)
        known = {"symbol": "BTCUSDT", "origClientOrderId": "s-1-1-e"}
        if executed:
            assert (await client.privateGetOrder(known))["status"] == "FILLED"
        else:
            with pytest.raises(ccxt.OrderNotFound):
                await client.privateGetOrder(known)


async def test_a_clock_two_minutes_off_is_seen_and_put_right() -> None:
    async with market_net() as net, trader(net) as client:
        await client.fetch_balance()
        net.faults.add({"fault": "skew", "ms": 120_000})
        with pytest.raises(ccxt.InvalidNonce):
            await client.fetch_balance()
        await client.load_time_difference()
        await client.fetch_balance()


async def test_a_request_held_beyond_its_window_never_reaches_the_matching() -> None:
    """What says that an order which is absent after timestamp + recvWindow cannot arrive any more."""
    async with (
        market_net(faults=[{"fault": "late_before", "s": 0.4, "path": "order"}]) as net,
        trader(net) as client,
    ):
        await client.load_markets()
        params = {**PARAMS, "recvWindow": 3_000}
        waiting = asyncio.create_task(client.create_order(BTC, "market", "buy", 0.1, params=params))
        async with asyncio.timeout(20):
            while net.faults._scripted and not net.faults._scripted[0].met:
                await asyncio.sleep(0.005)
        pass_ms(net, 3_100)
        with pytest.raises(ccxt.InvalidNonce):
            await waiting
        assert net.trading is not None
        assert net.trading.engine.ledger("test")["orders"] == []
