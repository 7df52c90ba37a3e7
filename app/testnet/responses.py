"""What the exchange answers to REST without a fault: ping, time, exchangeInfo and klines, and Binance's refusals.

The same query at the same time has the same response, and a parameter that Binance would refuse is refused with its
code. Limits and faults come in rest.py.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from app.testnet.kline_pages import KlinePages, Row
from app.testnet.spot import SpotMarket, wire_name
from app.testnet.spot_exchange import SpotExchange
from app.testnet.wire import exchange_info, json_text
from app.times import TIMEFRAMES_MS

_LIMIT_DEFAULT, _LIMIT_MAX = 500, 1_000
_NUMBER = r"[0-9]{1,20}"
_NAME = r"[A-Z0-9\-_.]{1,20}"
_PARAMETERS = {
    "ping": (),
    "time": (),
    "exchangeInfo": ("symbol", "symbols"),
    "klines": ("symbol", "interval", "startTime", "endTime", "limit"),
}


@dataclass(frozen=True)
class Response:
    """A response of REST; after `pause_s` real seconds it is sent, or with `is_cut` the connection is aborted."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    pause_s: float = 0.0
    is_cut: bool = False
    rows: tuple[Row, ...] | None = None  # of klines, for who changes them

    def with_rows(self, rows: tuple[Row, ...]) -> "Response":
        """The same response with other rows."""
        return replace(self, rows=rows, body=f"[{','.join([row for _, row in rows])}]".encode())


def error_response(status: int, code: int, message: str) -> Response:
    """An error in Binance's form."""
    return Response(status, json_text({"code": code, "msg": message}).encode())


class _BadRequest(Exception):  # noqa: N818 - it is a response
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.response = error_response(400, code, message)


class Responses:
    """Responses of one market; `weight_limit` is what exchangeInfo tells, and with `trading` its rules."""

    def __init__(
        self, market: SpotMarket, pages: KlinePages, weight_limit: int | None, trading: SpotExchange | None = None
    ) -> None:
        self._market, self._pages, self._weight_limit = market, pages, weight_limit
        self._trading = trading

    def to(self, path: str, query: Mapping[str, str], now_ms: int, *, skew_ms: int = 0) -> Response:
        """The response to one request; `skew_ms` is how wrong the exchange tells the time."""
        known = _PARAMETERS.get(path)
        if known is None:
            return Response(404, b"<html><body><h2>404 Not found</h2></body></html>", "text/html")
        try:
            read = sum(name in known for name in query)
            if read < len(query):
                sent = f"read '{read}' parameter(s) but was sent '{len(query)}'"
                raise _BadRequest(-1104, f"Not all sent parameters were read; {sent}.")
            if path == "klines":
                return Response(200, b"").with_rows(tuple(self._klines(query, now_ms)))
            if path == "exchangeInfo":
                return Response(200, self._exchange_info(self._chosen(query), now_ms + skew_ms).encode())
        except _BadRequest as error:
            return error.response
        return Response(200, f'{{"serverTime":{now_ms + skew_ms}}}'.encode() if path == "time" else b"{}")

    def _exchange_info(self, chosen: Iterable[str], told_ms: int) -> str:
        if self._trading is None:
            return exchange_info([(one, self._market.filters(one)) for one in chosen], told_ms, self._weight_limit)
        rules = [(one, self._trading.symbol_rules(wire_name(one))) for one in chosen]
        return exchange_info(rules, told_ms, self._weight_limit, self._trading.rules)

    def _klines(self, query: Mapping[str, str], now_ms: int) -> list[Row]:
        symbol = self._symbol(_mandatory(query, "symbol"))
        timeframe = _mandatory(query, "interval")
        if timeframe not in TIMEFRAMES_MS:
            raise _BadRequest(-1120, "Invalid interval.")
        limit = _number(query, "limit")
        if limit == 0:
            raise _BadRequest(-1130, "Data sent for parameter 'limit' is not valid.")
        start_ms, end_ms = _number(query, "startTime"), _number(query, "endTime")
        limit = _LIMIT_DEFAULT if limit is None else min(limit, _LIMIT_MAX)
        return self._pages.page(symbol, timeframe, now_ms, start_ms=start_ms, end_ms=end_ms, limit=limit)

    def _symbol(self, name: str) -> str:
        if not re.fullmatch(_NAME, name):
            raise _illegal("symbol", "^[A-Z0-9-_.]{1,20}$")
        symbol = self._market.symbol_of(name)
        if symbol is None:
            raise _BadRequest(-1121, "Invalid symbol.")
        return symbol

    def _chosen(self, query: Mapping[str, str]) -> tuple[str, ...]:
        if "symbol" in query and "symbols" in query:
            raise _BadRequest(-1128, "Combination of optional parameters invalid.")
        if "symbol" in query:
            return (self._symbol(_mandatory(query, "symbol")),)
        if "symbols" not in query:
            return self._market.symbols
        try:
            names = json.loads(query["symbols"])
        except ValueError:
            names = None
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise _illegal("symbols", '^\\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\\]$')
        return tuple(self._symbol(name) for name in names)


def _mandatory(query: Mapping[str, str], name: str) -> str:
    value = query.get(name, "")
    if not value:
        raise _BadRequest(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return value


def _number(query: Mapping[str, str], name: str) -> int | None:
    value = query.get(name)
    if value is None:
        return None
    if not re.fullmatch(_NUMBER, value):
        raise _illegal(name, f"^{_NUMBER}$")
    return int(value)


def _illegal(name: str, legal: str) -> _BadRequest:
    return _BadRequest(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")
