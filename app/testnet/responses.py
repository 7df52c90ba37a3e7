"""What the exchange answers without a fault: ping, time, exchangeInfo and klines, and Binance's refusals of bad input.

The rule: the same query at the same time has the same answer, and a parameter that Binance would refuse is refused
with its code. It knows no limit, no fault and no socket.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from app.testnet.kline_pages import KlinePages, Row
from app.testnet.spot import SpotMarket
from app.testnet.wire import error_body, exchange_info
from app.times import TIMEFRAMES_MS

_LIMIT_DEFAULT, _LIMIT_MAX = 500, 1_000
_NUMBER = re.compile(r"[0-9]{1,20}", re.ASCII)
_NAME = re.compile(r"[A-Z0-9\-_.]{1,20}", re.ASCII)
_PARAMETERS = {
    "ping": (),
    "time": (),
    "exchangeInfo": ("symbol", "symbols"),
    "klines": ("symbol", "interval", "startTime", "endTime", "limit"),
}


@dataclass(frozen=True)
class Answer:
    """An answer of REST; after `pause_s` real seconds it is sent, or with `is_cut` the connection is aborted."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    pause_s: float = 0.0
    is_cut: bool = False
    rows: tuple[Row, ...] | None = None  # of a klines answer, for who changes it

    def with_rows(self, rows: tuple[Row, ...]) -> "Answer":
        """Other rows in the same answer."""
        return replace(self, rows=rows, body=f"[{','.join([row for _, row in rows])}]".encode())


class _BadRequest(Exception):  # noqa: N818 - it is an answer
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.answer = Answer(400, error_body(code, message).encode())


class Answers:
    """Answers of one market; `weight_limit` is what exchangeInfo tells."""

    def __init__(self, market: SpotMarket, pages: KlinePages, weight_limit: int | None) -> None:
        self._market = market
        self._pages = pages
        self._weight_limit = weight_limit

    def of(self, path: str, query: Mapping[str, str], now_ms: int, *, skew_ms: int = 0) -> Answer:
        """The answer to one request; `skew_ms` is how wrong the exchange tells the time."""
        known = _PARAMETERS.get(path)
        if known is None:
            return Answer(404, b"<html><body><h2>404 Not found</h2></body></html>", "text/html")
        try:
            _check_names(query, known)
            if path == "klines":
                return Answer(200, b"").with_rows(tuple(self._klines(query, now_ms)))
            if path == "exchangeInfo":
                chosen = [(symbol, self._market.filters(symbol)) for symbol in self._chosen(query)]
                return Answer(200, exchange_info(chosen, now_ms + skew_ms, self._weight_limit).encode())
        except _BadRequest as error:
            return error.answer
        return Answer(200, f'{{"serverTime":{now_ms + skew_ms}}}'.encode() if path == "time" else b"{}")

    def _klines(self, query: Mapping[str, str], now_ms: int) -> list[Row]:
        symbol = self._symbol(_mandatory(query, "symbol"))
        timeframe = _mandatory(query, "interval")
        if timeframe not in TIMEFRAMES_MS:
            raise _BadRequest(-1120, "Invalid interval.")
        limit = _number(query, "limit")
        if limit == 0:
            raise _BadRequest(-1130, "Data sent for parameter 'limit' is not valid.")
        return self._pages.page(
            symbol,
            timeframe,
            now_ms,
            start_ms=_number(query, "startTime"),
            end_ms=_number(query, "endTime"),
            limit=_LIMIT_DEFAULT if limit is None else min(limit, _LIMIT_MAX),
        )

    def _symbol(self, name: str) -> str:
        if not _NAME.fullmatch(name):
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


def _check_names(query: Mapping[str, str], known: tuple[str, ...]) -> None:
    read = sum(name in known for name in query)
    if read < len(query):
        raise _BadRequest(
            -1104, f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{len(query)}'."
        )


def _mandatory(query: Mapping[str, str], name: str) -> str:
    value = query.get(name, "")
    if not value:
        raise _BadRequest(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return value


def _number(query: Mapping[str, str], name: str) -> int | None:
    value = query.get(name)
    if value is None:
        return None
    if not _NUMBER.fullmatch(value):
        raise _illegal(name, "^[0-9]{1,20}$")
    return int(value)


def _illegal(name: str, legal: str) -> _BadRequest:
    return _BadRequest(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")
