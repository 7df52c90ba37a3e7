"""Nothing that a client of an account says has its key, secret, signature or account id: whatever the exchange answers.

The exchange of this test is spiteful: it repeats what it was sent in every text of its answers, and breaks them off
anywhere. Outcomes, errors with all that they came from, lines told, objects and logs of every level are searched.
"""

import asyncio
import json
import logging
import traceback
from random import Random
from typing import Any

import pytest
from aiohttp import web

from app.errors import OnetapeError
from app.exchange.account_requests import AccountRequests
from app.exchange.limiter import RateLimiter
from app.models.intents import Cancel, Intent, PlaceOco, PlaceOrder
from tests.signed_exchange import BTC, KEY, SECRET, Asked, Said, SignedExchange, full, report, row

UID = 354_937_868
ROUNDS = 120
INTENTS: list[Intent] = [
    PlaceOrder("tag1-1-7-e", 7, BTC, True, 1.0, 0),
    PlaceOco("tag1-1-7-l", "tag1-1-7-t", "tag1-1-7-s", 7, BTC, 1.0, 60_000.0, 50_000.0, 0),
    Cancel("tag1-1-7-e", 7, BTC, 0),
    Cancel("tag1-1-7-l", 7, BTC, 0, is_list=True),
]
CODES = [-1000, -1003, -1007, -1008, -1013, -1015, -1021, -1022, -2010, -2011, -2013, -2014, -2015]


class Spite:
    """Answers drawn from a seed; every signature that came is kept."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.signatures: set[str] = set()

    def echo(self, asked: Asked) -> str:
        signature = asked.params.get("signature", "0" * 16)
        self.signatures.add(signature)
        url = f"https://x/api/v3/{asked.path}?{'&'.join(f'{k}={v}' for k, v in asked.params.items())}"
        padding = "x" * self.rng.choice((0, 150, 195, 5_000))
        return f"{padding} key {KEY} of uid={UID}, secret {SECRET}: {url} X-MBX-APIKEY: {KEY}"

    def answer(self, asked: Asked) -> Said:
        echo, rng = self.echo(asked), self.rng
        bodies: list[Any] = [
            {"code": rng.choice(CODES), "msg": echo}, echo, f"<html>{echo}</html>",
            {"code": 0, "msg": echo, "uid": UID},
            json.dumps({"msg": echo, "code": -1007})[:-30], [echo], full("tag1-1-7-e"), row(echo), None,
            {"balances": [{"asset": echo, "free": echo, "locked": "0"}], "uid": UID}, {"price": echo},
            {"orderListId": 1, "listClientOrderId": 5, "orders": echo}, {"symbols": [{"symbol": "BTCUSDT", "x": echo}]},
        ]  # fmt: skip
        status = rng.choice((200, 200, 200, 302, 400, 401, 403, 404, 451, 500, 503))
        headers = {"Location": f"/api/v3/{asked.path}?signature={asked.params.get('signature', '')}"}
        return Said(rng.choice(bodies), status, headers, is_cut=rng.random() < 0.2, after_s=0.3 * (rng.random() < 0.05))

    async def stream(self, socket: web.WebSocketResponse) -> None:
        message = await socket.receive()
        request = json.loads(message.data)
        self.signatures.add(request["params"]["signature"])
        echo = json.dumps(request)
        if self.rng.random() < 0.5:
            await socket.send_json({"id": 1, "status": 200, "result": {"echo": echo}})
            money = {"e": "balanceUpdate", "a": echo, "d": f"signature={echo}"}
            events = [{"e": "executionReport", "s": echo}, report(echo, X=echo), money]
            for frame in (echo, f"{{{echo}", *(json.dumps({"event": one}) for one in events)):
                await socket.send_str(frame)
        else:
            await socket.send_json({"id": 1, "status": 400, "error": {"code": self.rng.choice(CODES), "msg": echo}})


def chain(error: BaseException | None) -> list[str]:
    """An error and all that it came from, as text."""
    if error is None:
        return []
    shown = ["".join(traceback.format_exception(error)), repr(error), str(error), repr(error.args), repr(vars(error))]
    return [*shown, *chain(error.__cause__), *chain(error.__context__)]


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_that_is_said_has_a_secret(
    seed: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(
        "app.exchange.limiter.RateLimiter.pause_for", lambda *_: None
    )  # or nothing would be asked any more
    spite, rng = Spite(seed), Random(seed)
    said: list[str] = []
    async with SignedExchange() as server:
        server.on_socket = spite.stream
        api = server.api(tell=said.append, answer_s=0.2, limiter=RateLimiter(None))
        for place in (
            "POST order", "DELETE order", "POST orderList/oco", "DELETE orderList", "GET order", "GET openOrders",
            "GET myTrades", "GET account", "GET ticker/price", "GET exchangeInfo",
            "GET sapi/v1/account/apiRestrictions",
        ):  # fmt: skip
            server.answers[place] = [spite.answer]
        listening = asyncio.create_task(api.listen(lambda one: None, lambda up, why: said.append(why)))
        questions = (
            lambda: api.order(BTC, "tag1-1-7-e"), api.open_orders, lambda: api.trades(BTC, None, 0), api.balances,
            lambda: api.price(BTC), api.not_trading, api.key_rights,
        )  # fmt: skip
        outcomes = 0
        for _ in range(ROUNDS):
            outcome = await api.send(rng.choice(INTENTS))
            outcomes += "sent_ms=0" not in repr(outcome)
            said += [repr(outcome), str(outcome)]
            try:
                await rng.choice(questions)()
            except OnetapeError as error:
                said += chain(error)
        requests: AccountRequests = api._requests
        said += [repr(one) for one in (api, requests, requests.rest, requests._keys, vars(api), vars(requests))]
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await api.close()
    assert outcomes > ROUNDS // 3, "most of them were sent"
    assert len(spite.signatures) > ROUNDS // 2
    text = "\n".join(said) + caplog.text
    assert "***" in text, "there was something to hide"
    for hidden in (KEY, SECRET, str(UID), *spite.signatures):
        assert hidden not in text
        assert hidden[:12] not in text, "nor the beginning of it"
