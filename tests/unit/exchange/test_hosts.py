"""Where each Binance is reached: by the documents, and never one at the address of another."""

import json
from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.candles.market_data import read_markets
from app.errors import ConfigError
from app.exchange.adapter import CandleExchange
from app.exchange.history import HistoricalDataProvider
from app.exchange.hosts import BINANCE, ccxt_name, exchange_urls, socket_api_url
from app.feeds.link import LiveStream
from tests.candle_columns import START_MS
from tests.testnets import BTC, testnet
from tests.unit.feeds.test_link import MARKETS


def test_each_exchange_has_hosts_of_its_own() -> None:
    assert exchange_urls("binance_demo", None)["api"] == {
        "public": "https://demo-api.binance.com/api/v3",
        "private": "https://demo-api.binance.com/api/v3",
        "sapi": "https://demo-api.binance.com/sapi/v1",
        "v1": "https://demo-api.binance.com/api/v1",
        "ws": {
            "spot": "wss://demo-stream.binance.com/ws",
            "ws-api": {"spot": "wss://demo-ws-api.binance.com/ws-api/v3"},
        },
    }
    assert socket_api_url("binanceus", None) == "wss://ws-api.binance.us:443/ws-api/v3"
    assert socket_api_url("binance", None) == "wss://ws-api.binance.com:443/ws-api/v3"
    assert socket_api_url("binance_demo", "http://127.0.0.1:80/") == "ws://127.0.0.1:80/ws-api/v3"
    hosts = [json.dumps(exchange_urls(exchange, None)) for exchange in BINANCE]
    assert "binance.com" not in hosts[0]
    assert "demo-" not in hosts[1]
    assert hosts[2].count("demo-") == hosts[2].count("binance.com")


def test_an_address_must_be_one() -> None:
    with pytest.raises(ConfigError, match="write it as http"):
        exchange_urls("binance", "127.0.0.1:80")


async def test_candles_of_demo_mode_come_from_its_host_by_the_class_of_binance() -> None:
    assert [ccxt_name(one) for one in (*BINANCE, "kraken")] == ["binanceus", "binance", "binance", "kraken"]
    exchange = CandleExchange("binance_demo")
    assert (exchange.id, exchange.host, exchange.own_limits, exchange.weight("markets")) == (
        "binance_demo", "binance_demo", False, 10,
    )  # fmt: skip
    assert exchange._ccxt.urls["api"]["public"] == "https://demo-api.binance.com/api/v3"
    await exchange.close()


async def test_what_is_fetched_from_demo_mode_is_its_own_in_the_cache(tmp_path: Path) -> None:
    cache = CandleCache(tmp_path)
    async with testnet() as net, HistoricalDataProvider(cache, "binance_demo", url=net.url, rate=None) as provider:
        report = await provider.fetch([BTC], "1m", START_MS, START_MS + 30 * 60_000)
        assert provider.limiter.requests == report.requests
    assert report.exchange == "binance_demo"
    assert list(read_markets(tmp_path, "binance_demo")) == [BTC]
    assert read_markets(tmp_path, "binance") == {}


async def test_candles_of_demo_mode_are_heard_from_its_stream() -> None:
    stream = LiveStream("binance_demo", [BTC], "1m", {BTC: MARKETS[BTC]}, silence_s=20.0)
    client = stream._opened()
    assert client.urls["api"]["ws"]["spot"] == "wss://demo-stream.binance.com/ws"
    assert type(client).__mro__[2].__module__ == "ccxt.pro.binance"
    await client.close()
