"""What exchangeInfo says, read."""

from decimal import Decimal
from typing import Any

import pytest

from app.errors import UnavailableError
from app.exchange.exchange_rules import OrderLimit, read_rules, read_symbol
from tests.signed_exchange import BTC, INFO, info

NAMES = {"BTCUSDT": BTC}


def test_symbols_filters_and_limits() -> None:
    rules = read_rules(
        {
            "symbols": [INFO, info(symbol="ETHUSDT")],
            "exchangeFilters": [{"filterType": "EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders": 1000}],
            "rateLimits": [
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
                {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
                {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200_000},
                {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61_000},
            ],
        },
        NAMES,
    )
    assert list(rules.symbols) == [BTC], "not ours is left out"
    assert rules.order_limits == [OrderLimit(10_000, 100), OrderLimit(86_400_000, 200_000)]
    assert rules.weight_a_minute == 6000
    assert rules.filters["EXCHANGE_MAX_NUM_ORDERS"]["maxNumOrders"] == 1000
    symbol = rules.symbols[BTC]
    assert (symbol.tick, symbol.step, symbol.status, symbol.base, symbol.quote) == (
        Decimal("0.01"), Decimal("0.00001"), "TRADING", "BTC", "USDT",
    )  # fmt: skip
    assert symbol.has_oco
    assert "STOP_LOSS" in symbol.order_types


def test_what_is_absent_is_no_rule() -> None:
    bare = {name: INFO[name] for name in ("symbol", "status", "baseAsset", "quoteAsset")}
    symbol = read_symbol(bare)
    assert {symbol.tick, symbol.step, symbol.number("NOTIONAL", "minNotional")} == {Decimal(0)}
    assert (symbol.has_oco, symbol.order_types, symbol.self_trade_modes) == (True, (), ())
    flags = read_symbol(info(filters=[{"filterType": "NOTIONAL", "applyMinToMarket": True, "minNotional": "5"}]))
    assert flags.number("NOTIONAL", "applyMinToMarket") == 1


def test_filters_of_tomorrow_and_of_other_orders_are_left_out() -> None:
    others = [{"filterType": "OF_TOMORROW", "x": "soon", "y": [1]}, {"filterType": "ICEBERG_PARTS", "limit": 10}]
    limits = [{"rateLimitType": "ORDERS", "interval": "WEEK", "intervalNum": 1, "limit": 5}]
    row = info(filters=[*INFO["filters"], *others])
    rules = read_rules({"symbols": [row], "exchangeFilters": others, "rateLimits": limits}, NAMES)
    assert list(rules.symbols[BTC].filters) == ["PRICE_FILTER", "LOT_SIZE"]
    assert (rules.filters, rules.order_limits) == ({}, [])


@pytest.mark.parametrize(
    "answer",
    [
        None, [], {}, {"symbols": 5}, {"symbols": [None]}, {"symbols": [{"symbol": "BTCUSDT"}]},
        {"symbols": [info(filters=[{"filterType": "LOT_SIZE", "stepSize": "x"}])]},
        {"symbols": [info(filters=[{}])]},
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_no_answer(answer: Any) -> None:
    with pytest.raises(UnavailableError, match="cannot be read"):
        read_rules(answer, NAMES)
