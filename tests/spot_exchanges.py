"""A spot exchange for a test: candles that a test writes down, one account, and requests as a client would make them.

The rule: minutes from START_MS on; prices have a tick of 0.01 and quantities a step of 0.00001; no test logic.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from app.candles.market_data import Market
from app.candles.month_file import CandleColumns
from app.testnet.amounts import plus
from app.testnet.market import FileSource, Series
from app.testnet.spot import SpotMarket
from app.testnet.spot_exchange import Reply, SpotExchange
from tests.candle_columns import MINUTE_MS, START_MS

BTC = "BTC/USDT"
ME = "me"
# Open, high, low, close, volume; None where there is no candle.
Row = tuple[float, float, float, float, float]
QUIET: Row = (100.0, 101.0, 99.0, 100.0, 10.0)


class LimitedSource(FileSource):
    """Candles with limits on orders."""

    def __init__(self, series: Mapping[Series, CandleColumns], market: Market) -> None:
        super().__init__(series)
        self._market = market

    def filters(self, symbol: str) -> Market:
        return self._market


MARKET = Market(quantity_step=0.00001, min_quantity=0.00001, min_notional=5.0, price_tick=0.01)


def columns(rows: Iterable[Row | None]) -> CandleColumns:
    """One candle a minute."""
    found = [(START_MS + place * MINUTE_MS, row) for place, row in enumerate(rows) if row is not None]
    numbers = [np.array([row[place] for _, row in found], dtype=float) for place in range(5)]
    return CandleColumns(np.array([time_ms for time_ms, _ in found], dtype=np.int64), *numbers)


def minute(place: float, second: float = 0.0) -> int:
    """A time by minute and second."""
    return START_MS + int(place * MINUTE_MS + second * 1_000)


class Venue:
    """An exchange and its clock; every answer's events are kept."""

    def __init__(
        self,
        rows: Iterable[Row | None],
        *,
        balances: Mapping[str, float] | None = None,
        market: Market = MARKET,
        others: Mapping[str, Iterable[Row | None]] | None = None,
        **options: Any,
    ) -> None:
        series = {(symbol, "1m"): columns(one) for symbol, one in {BTC: rows, **(others or {})}.items()}
        self.exchange = SpotExchange(SpotMarket(LimitedSource(series, market)), **options)
        self.exchange.add_account(ME, {"USDT": 10_000.0} if balances is None else balances)
        self.now_ms = START_MS
        self.events: list[dict[str, Any]] = []

    def at(self, place: float, second: float = 0.0) -> "Venue":
        """Go to a time, and match up to it."""
        self.now_ms = minute(place, second)
        self.exchange.advance(self.now_ms)
        self._hear()
        return self

    def send(self, method: str, path: str, **params: object) -> Reply:
        """One request; with `arrives_ms` one that is held for a while."""
        arrives_ms = params.pop("arrives_ms", None)
        assert arrives_ms is None or isinstance(arrives_ms, int)
        sent = {name: str(value) for name, value in params.items()}
        reply = self.exchange.request(ME, method, path, sent, self.now_ms, arrives_ms)
        self._hear()
        return reply

    def ok(self, method: str, path: str, **params: object) -> Any:
        """One that must be accepted."""
        reply = self.send(method, path, **params)
        assert reply.status == 200, reply
        return reply.body

    def refused(self, method: str, path: str, **params: object) -> tuple[int, int, str]:
        """Status, code and text of one that must not be."""
        reply = self.send(method, path, **params)
        assert reply.status != 200, reply
        return reply.status, reply.body["code"], reply.body["msg"]

    def buy(self, quantity: float, **params: object) -> Any:
        """At the market."""
        return self.ok("POST", "order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity=quantity, **params)

    def sell(self, quantity: float, **params: object) -> Any:
        """At the market."""
        return self.ok("POST", "order", symbol="BTCUSDT", side="SELL", type="MARKET", quantity=quantity, **params)

    def limit(self, side: str, quantity: float, price: float, **params: object) -> Any:
        """GTC."""
        return self.ok("POST", "order", **(limit_params(side, quantity, price) | params))

    def oco(self, quantity: float, stop: float, target: float, **params: object) -> Any:
        """A sale at a target or a stop."""
        return self.ok("POST", "orderList/oco", **(oco_params(quantity, stop, target) | params))

    def order(self, order_id: int) -> Any:
        """One order as it is."""
        return self.ok("GET", "order", symbol="BTCUSDT", orderId=order_id)

    def trades(self) -> list[Any]:
        """All so far."""
        return list(self.exchange.ledger(ME)["trades"])

    def balance(self, asset: str) -> tuple[str, str]:
        """Free and locked."""
        shown = {one["asset"]: one for one in self.ok("GET", "account")["balances"]}
        return shown[asset]["free"], shown[asset]["locked"]

    def heard(self, kind: str) -> list[dict[str, Any]]:
        """The events of a kind so far."""
        return [event for event in self.events if event["e"] == kind]

    def _hear(self) -> None:
        self.events += [payload for _, payload in self.exchange.take_events()]


def limit_params(side: str, quantity: float, price: float) -> dict[str, object]:
    """Of a limit order."""
    return {
        "symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC", "quantity": quantity, "price": price,
    }  # fmt: skip


def oco_params(quantity: float, stop: float, target: float) -> dict[str, object]:
    """Of an OCO that sells."""
    return {
        "symbol": "BTCUSDT", "side": "SELL", "quantity": quantity, "aboveType": "LIMIT_MAKER", "abovePrice": target,
        "belowType": "STOP_LOSS", "belowStopPrice": stop,
    }  # fmt: skip


def totals(venue: Venue) -> dict[str, Decimal]:
    """Free and locked of each asset, exact."""
    return {
        asset: plus(Decimal(one["free"]), Decimal(one["locked"]))
        for asset, one in venue.exchange.ledger(ME)["balances"].items()
    }
