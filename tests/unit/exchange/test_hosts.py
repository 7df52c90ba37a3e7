"""Where each Binance is reached: by the documents, and never one at the address of another."""

import json

import pytest

from app.errors import ConfigError
from app.exchange.adapter import CandleExchange
from app.exchange.hosts import BINANCE, ccxt_name, exchange_urls, socket_api_url


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
