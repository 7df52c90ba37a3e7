"""BinanceSpotApi over real sockets: outcomes of requests that change something, questions, and what is never sent."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.errors import ConfigError, UnavailableError
from app.exchange.keys import Keys
from app.exchange.order_reports import Accepted, OrderReport, Refused, TradeReport, Unknown
from app.exchange.spot_api import BinanceSpotApi
from app.models.intents import Cancel, PlaceOco, PlaceOrder
from app.models.orders import OrderState
from tests.signed_exchange import BTC, INFO, KEY, SECRET, Asked, Said, SignedExchange, error, full, info, row

BUY = PlaceOrder("tag1-1-7-e", 7, BTC, True, 1.0, 0)
CLOSE = PlaceOrder("tag1-1-7-c", 7, BTC, False, 1.0, 0)
OCO = PlaceOco("tag1-1-7-l", "tag1-1-7-t", "tag1-1-7-s", 7, BTC, 1.0, 60_000.0, 50_000.0, 0)
CANCEL = Cancel("tag1-1-7-e", 7, BTC, 0)
CANCEL_LIST = Cancel("tag1-1-7-l", 7, BTC, 0, is_list=True)


@pytest.fixture
async def server() -> AsyncIterator[SignedExchange]:
    async with SignedExchange() as made:
        yield made


async def sent(server: SignedExchange, intent: Any, *answers: Any, **options: Any) -> Any:
    """The outcome of one intent, from a client of its own."""
    server.answers[place_of(intent)] = list(answers)
    api = server.api(**options)
    try:
        return await api.send(intent)
    finally:
        await api.close()


def place_of(intent: Any) -> str:
    if isinstance(intent, Cancel):
        return "DELETE orderList" if intent.is_list else "DELETE order"
    return "POST order" if isinstance(intent, PlaceOrder) else "POST orderList/oco"


async def test_accepted_with_the_order_its_trades_and_the_time_stamp(server: SignedExchange) -> None:
    outcome = await sent(server, BUY, Said(full("tag1-1-7-e")))
    assert isinstance(outcome, Accepted)
    assert [one.state for one in outcome.orders] == [OrderState.FILLED]
    assert [one.trade_id for one in outcome.trades] == [56, 57]
    (asked,) = server.of("POST", "order")
    assert asked.params["timestamp"] == str(outcome.sent_ms)
    assert asked.params["recvWindow"] == "3000"
    assert 0 <= server.now_ms() - outcome.sent_ms < 3_000, "the exchange's time, a little less"


UNKNOWN = {
    "-1000": error(-1000, status=500),
    "-1001": error(-1001, status=503),
    "-1006": error(-1006, status=200),
    "-1007": error(-1007, status=504),
    "-1007 with 400": error(-1007),
    "502 without a body": Said("", 502),
    "503 with a page": Said("<html>", 503),
    "500 with a refusal's code": error(-2010, status=500),
    "cut before": Said(is_cut=True),
    "cut half-way": Said({"orderId": 1, "x": "y" * 50}, is_cut=True),
    "half of JSON": Said('{"orderId": 1, "cli'),
    "a page with 200": Said("<html>"),
    "of another order": Said(full("tag1-1-8-e")),
    "without a status that is known": Said(full("tag1-1-7-e", status="OF_TOMORROW")),
    "a list": Said([1]),
    "redirected": Said("", 307, {"Location": "/api/v3/order"}),
    "Duplicate order sent.": error(-2010, "Duplicate order sent."),
    "400 without a code": Said("no", 400),
}


@pytest.mark.parametrize("kind", list(UNKNOWN))
@pytest.mark.parametrize("intent", [BUY, OCO, CANCEL, CANCEL_LIST], ids=["buy", "oco", "cancel", "cancel list"])
async def test_what_nobody_knows_is_unknown_and_is_sent_once(server: SignedExchange, intent: Any, kind: str) -> None:
    """ORDERS: -1000, -1001, -1006, -1007, any 5xx, a cut connection, an answer that cannot be read."""
    outcome = await sent(server, intent, UNKNOWN[kind])
    assert isinstance(outcome, Unknown), outcome
    method, _, path = place_of(intent).partition(" ")
    (asked,) = server.of(method, path)
    assert outcome.sent_ms == int(asked.params["timestamp"])


async def test_a_time_out_is_unknown(server: SignedExchange) -> None:
    outcome = await sent(server, BUY, Said(full("tag1-1-7-e"), after_s=5.0), answer_s=0.3)
    assert isinstance(outcome, Unknown)
    assert outcome.why == f"{server.url} did not answer within 0.3 s"


@pytest.mark.parametrize(
    ("code", "message", "is_passing"),
    [
        (-2010, "Account has insufficient balance for requested action.", False),
        (-2010, "Order would trigger immediately.", False),
        (-2010, "Stop price would trigger immediately.", False),
        (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE", False),
        (-2011, "Unknown order sent.", False),
        (-2015, "Invalid API-key, IP, or permissions for action.", False),
        (-1021, "Timestamp for this request is outside of the recvWindow.", True),
        (-1008, "Server is currently overloaded with other requests.", True),
        (-1016, "This service is no longer available.", True),
        (-1013, "Market is closed.", True),
        (-1003, "Too many requests queued.", True),
        (-1015, "Too many new orders.", True),
    ],
)
@pytest.mark.parametrize("intent", [BUY, OCO, CANCEL], ids=["buy", "oco", "cancel"])
async def test_a_definite_no(server: SignedExchange, intent: Any, code: int, message: str, is_passing: bool) -> None:
    outcome = await sent(server, intent, error(code, message))
    method, _, path = place_of(intent).partition(" ")
    (asked,) = server.of(method, path)
    assert outcome == Refused(code, message, int(asked.params["timestamp"]), is_passing)


async def test_without_a_connection_it_was_not_sent() -> None:
    api = BinanceSpotApi("binance", [BTC], {BTC: {"info": INFO}}, Keys(KEY, SECRET), url="http://127.0.0.1:9")
    outcome = await api.send(BUY)
    await api.close()
    assert isinstance(outcome, Refused)
    assert outcome.is_passing
    assert outcome.sent_ms == 0
    assert outcome.why.startswith("not sent: http://127.0.0.1:9 cannot be reached")


async def test_an_entry_is_held_back_before_the_exchange_counts_one_too_many(server: SignedExchange) -> None:
    limits = [{"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 10}]
    server.answers["GET exchangeInfo"] = [Said({"symbols": [INFO], "rateLimits": limits})]
    server.answers["POST order"] = [Said(full("tag1-1-7-e"), headers={"X-MBX-ORDER-COUNT-1D": "8"})]
    server.answers["POST orderList/oco"] = [error(-2010, "asked")]
    api = server.api()
    await api.not_trading()
    assert isinstance(await api.send(BUY), Accepted)
    held = await api.send(BUY)
    assert isinstance(held, Refused)
    assert (held.code, held.is_passing) == (0, True)
    assert held.why == "not sent: 8 of 10 unfilled orders in 86,400 s"
    assert (await api.send(OCO)).why == "asked"  # type: ignore[union-attr]
    await api.close()


async def test_a_filter_is_said_without_a_request(server: SignedExchange) -> None:
    outcome = await sent(server, PlaceOrder("tag1-1-7-e", 7, BTC, True, 0.000015, 0))
    assert outcome == Refused(0, "not sent: filter LOT_SIZE: quantity 0.000015 is no multiple of 0.00001")
    assert server.asked == []


async def test_a_halted_symbol_takes_no_entry_and_the_exchange_decides_of_the_rest(server: SignedExchange) -> None:
    server.answers["GET exchangeInfo"] = [Said({"symbols": [info(status="HALT")], "rateLimits": []})]
    server.answers["POST order"] = [error(-2010, "Some words of tomorrow.")]
    api = server.api()
    assert await api.not_trading() == [BTC]
    assert await api.send(BUY) == Refused(0, "not sent: BTC/USDT is not trading (HALT)", is_passing=True)
    outcome = await api.send(CLOSE)
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.is_passing) == (-2010, True), "a halt passes, whatever code the refusal has"
    for words in ("Stop price would trigger immediately.", "Order would immediately match and take."):
        server.answers["POST orderList/oco"] = [error(-2010, words)]
        outcome = await api.send(OCO)
        assert isinstance(outcome, Refused)
        assert not outcome.is_passing, "the market has judged it, so it is open again: what is refused then is sold"
    server.answers["GET exchangeInfo"] = [Said({"symbols": [INFO], "rateLimits": []})]
    assert await api.not_trading() == []
    server.answers["GET exchangeInfo"] = [Said({"symbols": [], "rateLimits": []})]
    assert await api.not_trading() == [BTC], "one that is gone is not trading either"
    await api.close()


async def test_the_old_oco_is_for_binance_us_at_its_own_host() -> None:
    def path(exchange: str, url: str | None) -> str:
        api = BinanceSpotApi(exchange, [BTC], {BTC: {"info": INFO}}, Keys(KEY, SECRET), url=url)
        return "order/oco" if api._style.has_old_oco else "orderList/oco"

    assert path("binanceus", None) == "order/oco"
    assert {path("binance", None), path("binance_demo", None), path("binanceus", "http://x:1")} == {"orderList/oco"}


def test_what_cannot_trade_is_said_before_anything() -> None:
    markets, keys = {BTC: {"info": INFO}}, Keys(KEY, SECRET)
    with pytest.raises(ConfigError, match="real orders go to binanceus, binance, binance_demo only, not to kraken"):
        BinanceSpotApi("kraken", [BTC], markets, keys)
    with pytest.raises(ConfigError, match="prevention DECREMENT is not offered for BTC/USDT; it has NONE, EXPIRE_M"):
        BinanceSpotApi("binance", [BTC], markets, keys, self_trade_prevention="DECREMENT")


# Questions.


async def test_an_order_by_either_id(server: SignedExchange) -> None:
    server.answers["GET order"] = [
        Said(row("tag1-1-7-e")),
        Said(row("tag1-1-7-e")),
        error(-2013, "Order does not exist."),
    ]
    api = server.api()
    expected = OrderReport(BTC, "tag1-1-7-e", 1, OrderState.ACCEPTED, True, 1.0, 0.0, 1499827319560)
    assert await api.order(BTC, "tag1-1-7-e") == expected
    assert await api.order_by_exchange_id(BTC, 1) == expected
    assert await api.order(BTC, "tag1-1-7-e") is None
    await api.close()
    keys = [sorted(set(one.params) - {"timestamp", "recvWindow", "signature"}) for one in server.of("GET", "order")]
    assert keys == [["origClientOrderId", "symbol"], ["orderId", "symbol"], ["origClientOrderId", "symbol"]]


async def test_answers_to_another_question_are_none(server: SignedExchange) -> None:
    other = {
        "symbol": "ETHUSDT", "id": 1, "orderId": 5, "price": "4.0", "qty": "12.0", "commission": "0.1",
        "commissionAsset": "BNB", "time": 9, "isBuyer": True, "isMaker": True,
    }  # fmt: skip
    server.answers["GET order"] = [Said(row("tag1-1-8-e")), Said(row("tag1-1-7-e"))]
    server.answers["GET myTrades"] = [Said([other])]
    api = server.api()
    with pytest.raises(UnavailableError, match="answered what cannot be read"):
        await api.order(BTC, "tag1-1-7-e")
    with pytest.raises(UnavailableError, match="answered about another order than 2"):
        await api.order_by_exchange_id(BTC, 2)
    with pytest.raises(UnavailableError, match="trades of another symbol than BTC/USDT"):
        await api.trades(BTC, None, 1_000)
    await api.close()


async def test_trades_by_id_or_by_time_in_the_order_of_their_ids(server: SignedExchange) -> None:
    def trade(number: int) -> dict[str, Any]:
        return {
            "symbol": "BTCUSDT", "id": number, "orderId": 5, "price": "4.0", "qty": "12.0", "commission": "0.1",
            "commissionAsset": "BNB", "time": 9, "isBuyer": True, "isMaker": True,
        }  # fmt: skip

    server.answers["GET myTrades"] = [Said([trade(9), trade(8)])]
    api = server.api()
    found = await api.trades(BTC, None, 1_000)
    assert [one.trade_id for one in found] == [8, 9]
    assert found[0] == TradeReport(BTC, 8, 5, "", True, 12.0, 4.0, 0.1, "BNB", 9, is_maker=True)
    await api.trades(BTC, 8, 1_000)
    await api.close()
    asked = [
        {name: one.params.get(name) for name in ("fromId", "startTime", "limit")}
        for one in server.of("GET", "myTrades")
    ]
    assert asked == [
        {"fromId": None, "startTime": "1000", "limit": "1000"},
        {"fromId": "8", "startTime": None, "limit": "1000"},
    ]


async def test_balances_are_free_and_locked_together(server: SignedExchange) -> None:
    rows = [{"asset": "BTC", "free": "1.5", "locked": "0.5"}, {"asset": "ETH", "free": "0.0", "locked": "0.0"}]
    server.answers["GET account"] = [Said({"balances": rows, "uid": 354937868})]
    api = server.api()
    assert await api.balances() == {"BTC": 2.0}
    await api.close()


async def test_prices_also_of_other_symbols(server: SignedExchange) -> None:
    server.answers["GET ticker/price"] = [Said({"symbol": "BNBUSDT", "price": "600.5"}), Said({"price": "nan"})]
    api = server.api()
    assert await api.price("BNB/USDT") == 600.5
    with pytest.raises(UnavailableError):
        await api.price(BTC)
    await api.close()
    assert [one.params["symbol"] for one in server.of("GET", "ticker/price")] == ["BNBUSDT", "BTCUSDT"]


async def test_the_last_price_that_was_heard_serves_filters(server: SignedExchange) -> None:
    filters = [*INFO["filters"], {"filterType": "NOTIONAL", "minNotional": "10", "applyMinToMarket": True}]

    def answered(asked: Asked) -> Said:
        return Said(full(asked.params["newClientOrderId"]))

    server.answers["POST order"] = [answered]
    api = server.api(row=info(filters=filters))
    small = PlaceOrder("tag1-1-7-e", 7, BTC, True, 0.001, 0)
    assert isinstance(await api.send(small), Accepted), "no price is known yet: the exchange decides"
    outcome = await api.send(small)
    assert isinstance(outcome, Refused)
    assert outcome.why == "not sent: filter NOTIONAL: value 3.999 is below 10", "3999 was the price of the last trade"
    small_close = PlaceOrder("tag1-1-7-c", 7, BTC, False, 0.001, 0)
    assert isinstance(await api.send(small_close), Accepted), "what closes is sent, whatever a price of then would say"
    await api.close()
