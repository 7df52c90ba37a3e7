"""The symbols of the exchange under their names on the wire: rules that can change while it runs, and prices.

The reference price of filters and of the execution rule is the average of five minutes.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from app.errors import ConfigError
from app.testnet.amounts import ZERO, exact, text_of, times
from app.testnet.matching import Matching
from app.testnet.spot import SpotMarket, wire_name
from app.testnet.spot_orders import Order
from app.testnet.symbol_rules import STATUSES, SymbolRules, rules_of
from app.testnet.traded_candles import TradedCandles
from app.testnet.trading_errors import Refused, illegal

_NO_MARKET = "No orders on book for symbol."


class Symbols:
    """`rules` replaces what the market's own data gives; names are those on the wire. ConfigError for one unknown."""

    def __init__(
        self, market: SpotMarket, candles: TradedCandles, matching: Matching, rules: Mapping[str, SymbolRules]
    ) -> None:
        self._market, self._candles, self._matching = market, candles, matching
        for name in rules:
            self._pair(name)
        self._rules = {wire_name(one): rules_of(market.filters(one)) for one in market.symbols} | dict(rules)

    def pair(self, name: str) -> str:
        """`BTC/USDT` of a name that is known."""
        return self._pair(name)

    def known(self, name: str) -> str:
        """The name, if the exchange has it; -1121 if not."""
        if self._market.symbol_of(name) is None:
            raise Refused(-1121, "Invalid symbol.")
        return name

    def rules(self, name: str) -> SymbolRules:
        """As they are now."""
        return self._rules[name]

    def change(self, name: str, **changes: Any) -> None:
        """Other rules from now on, by the fields of SymbolRules; ConfigError for a status that there is not."""
        self._pair(name)
        if changes.get("status", "TRADING") not in STATUSES:
            raise ConfigError(f"status {changes['status']!r}: write one of {', '.join(STATUSES)}")
        self._rules[name] = replace(self._rules[name], **changes)

    def last(self, name: str, now_ms: int) -> Decimal:
        """The price that stops and targets are compared with; -1112 where there is no market."""
        price = self._matching.reference(self._pair(name), now_ms)
        if price is None:
            raise Refused(-1112, _NO_MARKET)
        return exact(price)

    def average_price(self, name: str, now_ms: int) -> Decimal:
        """Of five minutes."""
        found = self._candles.average(self._pair(name), now_ms)
        return self.last(name, now_ms) if found is None else exact(found[0])

    def in_range(self, order: Order, price: Decimal, now_ms: int) -> bool:
        """Whether the execution rule lets a taker trade at that price."""
        bounds = self.rules(order.symbol).price_range
        if bounds is None:
            return True
        reference = self.average_price(order.symbol, now_ms)
        return times(reference, bounds[0]) <= price <= times(reference, bounds[1])

    def prices(self, params: Mapping[str, str], now_ms: int) -> Any:
        """ticker/price of one, some or all."""
        if "symbol" in params and "symbols" in params:
            raise Refused(-1128, "Combination of optional parameters invalid.")
        if "symbol" in params:
            return self._price(self.known(params["symbol"]), now_ms)
        chosen = _names(params["symbols"]) if "symbols" in params else [wire_name(one) for one in self._market.symbols]
        return [self._price(self.known(name), now_ms) for name in chosen]

    def average(self, name: str, now_ms: int) -> Any:
        """avgPrice."""
        found = self._candles.average(self._pair(self.known(name)), now_ms)
        price, close_ms = (ZERO, now_ms) if found is None else (exact(found[0]), found[1])
        return {"mins": 5, "price": text_of(price), "closeTime": close_ms}

    def execution_rules(self, params: Mapping[str, str]) -> Any:
        """executionRules of one, some or all."""
        chosen = list(self._rules)
        if "symbol" in params:
            chosen = [self.known(params["symbol"])]
        elif "symbols" in params:
            chosen = [self.known(name) for name in _names(params["symbols"])]
        return {"symbolRules": [{"symbol": name, "rules": _range_rules(self._rules[name])} for name in chosen]}

    def _price(self, name: str, now_ms: int) -> dict[str, str]:
        price = self._matching.reference(self._pair(name), now_ms)
        return {"symbol": name, "price": text_of(ZERO if price is None else exact(price))}

    def _pair(self, name: str) -> str:
        pair = self._market.symbol_of(name)
        if pair is None:
            raise ConfigError(f"the testnet has no symbol {name!r}; a name on the wire is like BTCUSDT")
        return pair


def _range_rules(rules: SymbolRules) -> list[dict[str, str]]:
    if rules.price_range is None:
        return []
    down, up = (str(one) for one in rules.price_range)
    return [
        {
            "ruleType": "PRICE_RANGE", "bidLimitMultUp": up, "bidLimitMultDown": down, "askLimitMultUp": up,
            "askLimitMultDown": down,
        }
    ]  # fmt: skip


def _names(value: str) -> list[str]:
    try:
        names = json.loads(value)
    except ValueError:
        names = None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise illegal("symbols", '^\\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\\]$')
    return names
