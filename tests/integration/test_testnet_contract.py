"""Our answers have the shapes of Binance's: the same keys with the same kinds of values.

The shapes are written out here; recordings of the real exchange, where they lie beside the project, are held to them,
too.
"""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from app.testnet.server import Testnet
from tests.candle_columns import START_MS
from tests.testnets import get, klines, testnet

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "payloads"

KLINE_ROW = ["int", *["decimal"] * 5, "int", "decimal", "int", "decimal", "decimal", "digits"]
FRAME = {
    "e": "text", "E": "int", "s": "text",
    "k": {
        "t": "int", "T": "int", "s": "text", "i": "text", "f": "int", "L": "int", "o": "decimal", "c": "decimal",
        "h": "decimal", "l": "decimal", "v": "decimal", "n": "int", "x": "bool", "q": "decimal", "V": "decimal",
        "Q": "decimal", "B": "digits",
    },
}  # fmt: skip
INFO = {"timezone": "text", "serverTime": "int", "rateLimits": "list", "exchangeFilters": "list", "symbols": "list"}
RATE_LIMIT = {"rateLimitType": "text", "interval": "text", "intervalNum": "int", "limit": "int"}
# Of 2021, as a Binance.US recording has it.
OLD_SYMBOL = {
    "symbol": "text", "status": "text", "baseAsset": "text", "baseAssetPrecision": "int", "quoteAsset": "text",
    "quotePrecision": "int", "quoteAssetPrecision": "int", "baseCommissionPrecision": "int",
    "quoteCommissionPrecision": "int", "orderTypes": "list", "icebergAllowed": "bool", "ocoAllowed": "bool",
    "quoteOrderQtyMarketAllowed": "bool", "isSpotTradingAllowed": "bool", "isMarginTradingAllowed": "bool",
    "filters": "list", "permissions": "list",
}  # fmt: skip
# Of today: ours is this, and the recording of 2025 has it all.
SYMBOL = OLD_SYMBOL | {
    "otoAllowed": "bool", "allowTrailingStop": "bool", "cancelReplaceAllowed": "bool", "amendAllowed": "bool",
    "permissionSets": "list", "defaultSelfTradePreventionMode": "text", "allowedSelfTradePreventionModes": "list",
}  # fmt: skip
COMMON_FILTERS = {
    "PRICE_FILTER": {"filterType": "text", "minPrice": "decimal", "maxPrice": "decimal", "tickSize": "decimal"},
    "LOT_SIZE": {"filterType": "text", "minQty": "decimal", "maxQty": "decimal", "stepSize": "decimal"},
    "ICEBERG_PARTS": {"filterType": "text", "limit": "int"},
    "MARKET_LOT_SIZE": {"filterType": "text", "minQty": "decimal", "maxQty": "decimal", "stepSize": "decimal"},
    "MAX_NUM_ORDERS": {"filterType": "text", "maxNumOrders": "int"},
    "MAX_NUM_ALGO_ORDERS": {"filterType": "text", "maxNumAlgoOrders": "int"},
}  # fmt: skip
OLD_FILTERS = COMMON_FILTERS | {
    "PERCENT_PRICE": {
        "filterType": "text", "multiplierUp": "digits", "multiplierDown": "decimal", "avgPriceMins": "int",
    },
    "MIN_NOTIONAL": {"filterType": "text", "minNotional": "decimal", "applyToMarket": "bool", "avgPriceMins": "int"},
}  # fmt: skip
FILTERS = COMMON_FILTERS | {
    "PERCENT_PRICE_BY_SIDE": {
        "filterType": "text", "bidMultiplierUp": "digits", "bidMultiplierDown": "decimal",
        "askMultiplierUp": "digits", "askMultiplierDown": "decimal", "avgPriceMins": "int",
    },
    "NOTIONAL": {
        "filterType": "text", "minNotional": "decimal", "applyMinToMarket": "bool", "maxNotional": "decimal",
        "applyMaxToMarket": "bool", "avgPriceMins": "int",
    },
    "MAX_NUM_ORDER_LISTS": {"filterType": "text", "maxNumOrderLists": "int"},
}  # fmt: skip


def kind(value: Any) -> str:
    if isinstance(value, str):
        if re.fullmatch(r"\d+\.\d+", value):
            return "decimal"
        return "digits" if value.isdecimal() else "text"
    return {bool: "bool", int: "int", list: "list", float: "float"}[type(value)]


def shape(value: Any) -> Any:
    return {key: shape(one) for key, one in value.items()} if isinstance(value, dict) else kind(value)


def check_info(info: dict[str, Any], symbol_shape: dict[str, str], filters: dict[str, dict[str, str]]) -> None:
    assert shape(info) == INFO
    assert all(shape(one) == RATE_LIMIT for one in info["rateLimits"])
    for symbol in info["symbols"]:
        assert shape(symbol) == symbol_shape
        for one in symbol["filters"]:
            assert shape(one) == filters[one["filterType"]]
    assert {one["filterType"] for one in info["symbols"][0]["filters"]} == set(filters)


async def frame_of(net: Testnet, path: str) -> Any:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{net.url}{path}") as socket:
        return await socket.receive_json(timeout=5)


async def test_ours() -> None:
    async with testnet(start_ms=START_MS + 90_000, speed=100.0, weight_limit=1200) as net:
        assert [kind(value) for value in (await klines(net)).json[0]] == KLINE_ROW
        check_info((await get(net, "exchangeInfo")).json, SYMBOL, FILTERS)
        assert shape((await get(net, "time")).json) == {"serverTime": "int"}
        assert (await get(net, "ping")).json == {}
        wrapped = await frame_of(net, "/stream?streams=btcusdt@kline_1m")
        assert list(wrapped) == ["stream", "data"] and shape(wrapped["data"]) == FRAME
        assert shape(await frame_of(net, "/ws/btcusdt@kline_1m")) == FRAME
        # The order of keys, too, for who reads by eye.
        assert list(wrapped["data"]["k"]) == list(FRAME["k"])


@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recordings of the real exchange lie beside the project")
def test_the_recorded_ones() -> None:
    for path in RECORDED.glob("rest/klines.GET.*.json"):
        for row in json.loads(path.read_text())["data"]:
            assert [kind(value) for value in row] == KLINE_ROW
    old = json.loads((RECORDED / "rest/exchangeInfo.binanceus.2021.json").read_text())
    check_info(old, OLD_SYMBOL, OLD_FILTERS)
    today = json.loads(gzip.decompress((RECORDED / "rest/exchangeInfo.GET.0.json.gz").read_bytes()))["data"]
    # It lists order lists nowhere, and trailing stops, which we do not play.
    filters = FILTERS | {"TRAILING_DELTA": None}
    for symbol in today["symbols"]:
        assert shape(symbol).items() >= SYMBOL.items()
        for one in symbol["filters"]:
            assert filters[one["filterType"]] in (None, shape(one))
    for path in RECORDED.glob("frames/*kline*.jsonl"):
        for line in path.read_text().splitlines():
            frame = json.loads(line)
            assert list(frame) == ["stream", "data"] and shape(frame["data"]) == FRAME
            assert list(frame["data"]["k"]) == list(FRAME["k"])
