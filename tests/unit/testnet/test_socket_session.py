"""One connection of the websocket API: signing in, subscribing, answers and events in Binance's words."""

import base64
import contextlib
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.testnet.api_keys import TEST_ACCOUNT
from tests.trading_nets import NOON_MS, Socket, buy, rest_limit, socket_of, trading_net

PRIVATE = Ed25519PrivateKey.generate()
PEM = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
ED = {"name": "ed", "balances": {"USDT": 500}, "keys": [{"key": "edkey", "public_key": PEM}]}


def ed_signed(**params: Any) -> dict[str, Any]:
    given = {"apiKey": "edkey", "timestamp": NOON_MS, **params}
    text = "&".join([f"{name}={value}" for name, value in sorted(given.items())])
    return {**given, "signature": base64.b64encode(PRIVATE.sign(text.encode())).decode()}


async def test_plain_questions() -> None:
    async with trading_net() as net, socket_of(net) as socket:
        answer = await socket.ask("ping")
        assert answer == {"id": 1, "status": 200, "result": {}, "rateLimits": []}
        assert (await socket.ask("v3/time"))["result"] == {"serverTime": NOON_MS}
        assert "rateLimits" not in await socket.ask("ping", returnRateLimits=False)
        unknown = await socket.ask("order.shout")
        assert (unknown["status"], unknown["error"]["code"]) == (400, -1020)
        await socket.socket.send_str("{")
        assert (await socket.socket.receive_json(timeout=5))["error"]["code"] == -1135


async def test_the_weight_is_told_where_there_is_a_limit() -> None:
    async with trading_net(weight_limit=3) as net, socket_of(net) as socket:
        limits = (await socket.ask("ping"))["rateLimits"]
        assert limits == [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 3, "count": 1}
        ]
        await socket.ask("session.status")
        assert (await socket.ask("ping"))["status"] == 429


async def test_subscribed_by_signature() -> None:
    async with trading_net() as net, socket_of(net) as socket:
        assert await socket.subscribe() == 0
        again = await socket.ask("userDataStream.subscribe.signature", signed=True)
        assert (again["status"], again["error"]["code"]) == (400, -2035)
        assert (await socket.ask("session.status"))["result"]["userDataStream"] is True
        await buy(net)
        frame = (await socket.quiet())[0]
        assert frame["subscriptionId"] == 0 and frame["event"]["e"] == "executionReport"
        assert (await socket.ask("userDataStream.unsubscribe"))["status"] == 200
        assert (await socket.event())["e"] == "eventStreamTerminated"
        await buy(net, "s-1-2-e")
        assert await socket.quiet() == []
        assert (await socket.ask("userDataStream.unsubscribe"))["error"]["code"] == -2036
        assert await socket.subscribe() == 1, "numbers are not given twice"
        listed = await socket.ask("session.subscriptions")
        assert listed["result"] == [{"subscriptionId": 1}]


async def test_who_may_not_subscribe() -> None:
    async with trading_net() as net, socket_of(net) as socket:
        unsigned = await socket.ask("userDataStream.subscribe.signature", apiKey="unknown", timestamp=NOON_MS)
        assert (unsigned["status"], unsigned["error"]["code"]) == (401, -2015)
        late = await socket.ask("userDataStream.subscribe.signature", signed=True, timestamp=NOON_MS - 9_000)
        assert late["error"]["code"] == -1021
        assert (await socket.ask("userDataStream.subscribe"))["error"]["code"] == -2015
        logon = await socket.ask("session.logon", signed=True)
        assert (logon["status"], logon["error"]["code"]) == (400, -1020), "for Ed25519 only"
        assert (await socket.ask("userDataStream.start", apiKey="unknown"))["status"] == 410


async def test_signed_in_once_with_ed25519() -> None:
    async with trading_net(accounts=[TEST_ACCOUNT, ED]) as net, socket_of(net) as socket:
        wrong = {**ed_signed(), "timestamp": NOON_MS + 1}
        assert (await socket.ask("session.logon", **wrong))["error"]["code"] == -1022
        session = (await socket.ask("session.logon", **ed_signed()))["result"]
        assert (session["apiKey"], session["authorizedSince"], session["userDataStream"]) == ("edkey", NOON_MS, False)
        assert (await socket.ask("userDataStream.subscribe"))["result"] == {"subscriptionId": 0}
        order: dict[str, Any] = {
            "symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.5", "timestamp": NOON_MS,
        }  # fmt: skip
        assert (await socket.ask("order.place", **order))["status"] == 200
        assert (await socket.event("executionReport"))["S"] == "BUY"
        assert (await socket.ask("order.place", **{**order, "timestamp": NOON_MS - 9_000}))["error"]["code"] == -1021
        await socket.quiet()
        assert (await socket.ask("session.logout"))["result"]["apiKey"] is None
        assert (await socket.event())["e"] == "eventStreamTerminated"
        assert (await socket.ask("order.place", **order))["error"]["code"] == -2014


async def test_events_go_to_their_account_only() -> None:
    async with trading_net(accounts=[TEST_ACCOUNT, ED]) as net, socket_of(net) as one, socket_of(net) as other:
        await one.subscribe()
        await other.ask("userDataStream.subscribe.signature", **ed_signed())
        await rest_limit(net)
        assert (await one.event("executionReport"))["c"] == "s-1-1-t"
        assert await other.quiet() == []


async def test_what_every_method_of_rest_answers_on_a_socket() -> None:
    async with trading_net() as net, socket_of(net) as socket:
        await rest_limit(net)

        async def ask(method: str, **params: Any) -> Any:
            return (await socket.ask(method, signed=True, **params))["result"]

        of_btc = {"symbol": "BTCUSDT"}
        assert [one["clientOrderId"] for one in await ask("openOrders.status", **of_btc)] == ["s-1-1-t"]
        assert (await ask("order.status", **of_btc, origClientOrderId="s-1-1-t"))["status"] == "NEW"
        assert (await ask("order.cancel", **of_btc, origClientOrderId="s-1-1-t"))["status"] == "CANCELED"
        assert len(await ask("allOrders", **of_btc)) == 1
        assert await ask("myTrades", **of_btc) == []
        assert (await ask("account.status", returnRateLimits=False))["canTrade"] is True


async def test_a_fault_of_the_answer_on_a_socket() -> None:
    faults = [{"fault": "doubled_answer"}, {"fault": "unknown", "after": 1}, {"fault": "lost_after", "after": 2}]
    async with trading_net(faults=faults) as net, socket_of(net) as socket:
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
        await socket.ask("order.place", signed=True, **order)
        assert len(await socket.quiet()) == 1, "the same answer once more"
        answer = await socket.ask("order.place", signed=True, **order)
        assert (answer["status"], answer["error"]["code"]) == (504, -1007)
        await _sent(socket, order)
        assert await socket.is_cut()
        assert net.trading is not None
        assert len(net.trading.engine.ledger("test")["orders"]) == 3


async def _sent(socket: Socket, order: dict[str, str]) -> None:
    with contextlib.suppress(TypeError):  # what comes is no frame of text
        await socket.ask("order.place", signed=True, **order)
