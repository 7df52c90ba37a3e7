"""Symbols by their names on the wire: rules that change at run time, last and average prices, the execution rule."""

from decimal import Decimal

import pytest

from app.errors import ConfigError
from app.testnet.symbol_rules import ExchangeRules, SymbolRules
from tests.spot_exchanges import BTC, QUIET, Row, Venue

UP: Row = (110.0, 111.0, 109.0, 110.0, 10.0)


def venue() -> Venue:
    return Venue([QUIET, UP, QUIET], others={"ETH/USDT": [UP, UP, UP]}).at(1, 5)


def test_prices_of_one_some_and_all() -> None:
    made = venue()
    btc, eth = ({"symbol": name, "price": "110.00000000"} for name in ("BTCUSDT", "ETHUSDT"))
    assert made.ok("GET", "ticker/price", symbol="BTCUSDT") == btc
    assert made.ok("GET", "ticker/price") == [btc, eth]
    assert made.ok("GET", "ticker/price", symbols='["ETHUSDT"]') == [eth]
    assert made.refused("GET", "ticker/price", symbol="X")[1] == -1121
    assert made.refused("GET", "ticker/price", symbols="ETHUSDT")[1] == -1100
    assert made.refused("GET", "ticker/price", symbol="BTCUSDT", symbols='["ETHUSDT"]')[1] == -1128


def test_the_average_of_five_minutes() -> None:
    made = venue()
    assert made.ok("GET", "avgPrice", symbol="BTCUSDT") == {
        "mins": 5, "price": "100.00000000", "closeTime": made.now_ms - 5_000 - 1,
    }  # fmt: skip
    assert made.at(2, 5).ok("GET", "avgPrice", symbol="BTCUSDT")["price"] == "105.00000000"


def test_the_execution_rule_expires_a_taker_outside_of_it() -> None:
    made = venue()
    assert made.ok("GET", "executionRules", symbol="BTCUSDT") == {"symbolRules": [{"symbol": "BTCUSDT", "rules": []}]}
    made.exchange.set_rules("BTCUSDT", price_range=(Decimal("0.95"), Decimal("1.05")))  # of an average of 100
    bought = made.buy(1.0)
    assert (bought["status"], bought["expiryReason"], bought["fills"]) == (
        "EXPIRED", "EXECUTION_RULE_PRICE_RANGE_EXCEEDED", [],
    )  # fmt: skip
    assert made.heard("executionReport")[-1]["eR"] == "EXECUTION_RULE_PRICE_RANGE_EXCEEDED"
    (rule,) = made.ok("GET", "executionRules", symbols='["BTCUSDT"]')["symbolRules"][0]["rules"]
    assert (rule["ruleType"], rule["bidLimitMultUp"], rule["askLimitMultDown"]) == ("PRICE_RANGE", "1.05", "0.95")
    made.exchange.set_rules("BTCUSDT", price_range=(Decimal("0.9"), Decimal("1.2")))
    assert made.buy(1.0)["status"] == "FILLED"
    assert len(made.ok("GET", "executionRules")["symbolRules"]) == 2


def test_a_stop_that_triggers_outside_of_the_range_is_gone() -> None:
    made = Venue([QUIET, QUIET, (80.0, 81.0, 79.0, 80.0, 5.0), QUIET], fees="quote").at(1, 1)
    made.exchange.set_rules("BTCUSDT", price_range=(Decimal("0.95"), Decimal("1.05")))
    made.buy(1.0)
    listed = made.oco(1.0, 90.0, 110.0)
    made.at(3)
    reasons = [made.order(one["orderId"])["expiryReason"] for one in listed["orders"]]
    assert reasons == ["OCO_TRIGGER", "EXECUTION_RULE_PRICE_RANGE_EXCEEDED"]
    assert made.balance("BTC") == ("1.00000000", "0.00000000")


def test_rules_that_cannot_be() -> None:
    made = venue()
    with pytest.raises(ConfigError, match="write one of TRADING"):
        made.exchange.set_status("BTCUSDT", "CLOSED")
    with pytest.raises(ConfigError, match="no symbol 'XUSDT'"):
        made.exchange.set_status("XUSDT", "HALT")
    with pytest.raises(ConfigError, match="no symbol 'XUSDT'"):
        Venue([QUIET], rules=ExchangeRules(symbols={"XUSDT": SymbolRules()}))
    own = Venue([QUIET] * 2, rules=ExchangeRules(symbols={"BTCUSDT": SymbolRules(min_notional=Decimal(500))})).at(1)
    assert own.refused("POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity=1)[2].endswith("NOTIONAL")
    assert own.exchange.symbol_rules("BTCUSDT").min_notional == 500 and own.exchange.symbols.pair("BTCUSDT") == BTC


def test_where_nothing_was_ever_traded_there_is_no_market() -> None:
    made = Venue([(1.0, 1.0, 1.0, 1.0, 0.0)] * 3).at(1)
    params = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": 1}
    assert made.refused("POST", "order", **params) == (400, -1112, "No orders on book for symbol.")
    assert made.ok("GET", "ticker/price", symbol="BTCUSDT")["price"] == "0.00000000"
    assert made.ok("GET", "avgPrice", symbol="BTCUSDT")["price"] == "0.00000000"
