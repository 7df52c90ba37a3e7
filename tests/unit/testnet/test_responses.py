"""Responses without a fault: what each path says, and Binance's refusals word by word."""

import json
from typing import Any

import pytest

from app.testnet.kline_pages import KlinePages
from app.testnet.market import FileSource
from app.testnet.responses import Response, Responses
from app.testnet.spot import SpotMarket
from tests.candle_columns import MINUTE_MS, START_MS, make_candles, minutes
from tests.testnets import BTC, CANDLES, END_MS, SERIES

MARKET = SpotMarket(FileSource(SERIES))
RESPONSES = Responses(MARKET, KlinePages(MARKET), 1200)


def response(path: str, **query: Any) -> Response:
    return RESPONSES.to(path, {key: str(value) for key, value in query.items()}, END_MS, skew_ms=7)


def body(path: str, **query: Any) -> Any:
    return json.loads(response(path, **query).body)


def test_ping_and_time() -> None:
    assert body("ping") == {}
    assert body("time") == {"serverTime": END_MS + 7}
    assert response("nothing").status == 404


def test_exchange_info_of_all_or_some() -> None:
    def names(**query: str) -> list[str]:
        return [one["symbol"] for one in body("exchangeInfo", **query)["symbols"]]

    assert names() == ["BTCUSDT", "ETHUSDT"]
    assert names(symbol="ETHUSDT") == ["ETHUSDT"]
    assert names(symbols='["ETHUSDT","BTCUSDT"]') == ["ETHUSDT", "BTCUSDT"]
    assert body("exchangeInfo")["serverTime"] == END_MS + 7


def test_klines_default_and_clip_their_limit() -> None:
    page = {"symbol": "BTCUSDT", "interval": "1m"}
    long_market = SpotMarket(FileSource({(BTC, "1m"): make_candles(minutes(1_200))}))
    long_responses = Responses(long_market, KlinePages(long_market), None)
    for limit, count in ((None, 500), ("1000", 1_000), ("5000", 1_000)):
        query = page if limit is None else {**page, "limit": limit}
        assert len(json.loads(long_responses.to("klines", query, END_MS + 10**9).body)) == count
    assert len(body("klines", **page)) == CANDLES
    last = body("klines", **page, limit=2)
    assert [row[0] for row in last] == [END_MS - 2 * MINUTE_MS, END_MS - MINUTE_MS]
    some = body("klines", **page, startTime=START_MS + 1, endTime=START_MS + 2 * MINUTE_MS)
    assert [row[0] for row in some] == [START_MS + MINUTE_MS, START_MS + 2 * MINUTE_MS]
    assert body("klines", **page, startTime=END_MS) == []
    assert body("klines", **page, startTime=END_MS, endTime=START_MS) == []


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("klines", {"symbol": "NOPE", "interval": "1m"}, -1121),
        ("klines", {"symbol": "BTCUSDT", "interval": "7m"}, -1120),
        ("klines", {"interval": "1m"}, -1102),
        ("klines", {"symbol": "", "interval": "1m"}, -1102),
        ("klines", {"symbol": "BTCUSDT"}, -1102),
        ("klines", {"symbol": "btc/usdt", "interval": "1m"}, -1100),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "startTime": "x"}, -1100),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "endTime": "-1"}, -1100),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": "1.5"}, -1100),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": "0"}, -1130),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "colour": "red"}, -1104),
        ("exchangeInfo", {"symbol": "NOPE"}, -1121),
        ("exchangeInfo", {"symbols": '["BTCUSDT","NOPE"]'}, -1121),
        ("exchangeInfo", {"symbols": "BTCUSDT"}, -1100),
        ("exchangeInfo", {"symbols": "[]"}, -1100),
        ("exchangeInfo", {"symbol": "BTCUSDT", "symbols": '["BTCUSDT"]'}, -1128),
    ],
)
def test_refusals(path: str, query: dict[str, str], code: int) -> None:
    refused = response(path, **query)
    assert refused.status == 400
    content = json.loads(refused.body)
    assert content["code"] == code
    assert set(content) == {"code", "msg"}


def test_words_of_refusals() -> None:
    assert body("klines", symbol="NOPE", interval="1m") == {"code": -1121, "msg": "Invalid symbol."}
    assert body("klines", symbol="BTCUSDT", interval="1m", startTime="x")["msg"] == (
        "Illegal characters found in parameter 'startTime'; legal range is '^[0-9]{1,20}$'."
    )
