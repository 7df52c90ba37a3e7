"""What a fault makes of a REST response: another status, another body, other rows, a pause or a cut.

Which rows are hit follows from their times, so the same response is spoilt the same way again. States that outlast a
response (bans, maintenance) are in weights.py and fault_desk.py.
"""

from dataclasses import dataclass, replace

from app.testnet.faults import PRICES_AND_VOLUME, Fault
from app.testnet.kline_pages import Row
from app.testnet.responses import Response, error_response
from app.testnet.spot import SpotMarket
from app.testnet.wire import kline_row
from app.times import timeframe_ms

_HTML = (
    "<!DOCTYPE html>\n<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr>"
    "<center>nginx</center></body></html>"
)
_ERRORS = {
    500: (-1000, "An unknown error occurred while processing the request."),
    502: (-1006, "An unexpected response was received from the message bus. Execution status unknown."),
    503: (-1008, "Server is currently overloaded with other requests. Please try again in a few minutes."),
    504: (-1007, "Timeout waiting for response from backend server. Send status unknown; execution status unknown."),
}
_TITLES = {
    403: "403 Forbidden",
    410: "410 Gone",
    500: "500 Internal Server Error",
    502: "502 Bad Gateway",
    503: "503 Service Temporarily Unavailable",
    504: "504 Gateway Time-out",
}
_PLACE_STEP = 7_919  # a prime: the rows that are hit are spread over the response


def html_page(status: int) -> str:
    """A page of a proxy in front of the exchange."""
    return _HTML.format(_TITLES.get(status, "Binance US"))


def html_response(status: int) -> Response:
    """That page as a response."""
    return Response(status, html_page(status).encode(), "text/html")


def server_error(status: int) -> Response:
    """500, 502, 503 or 504 in the exchange's words."""
    return error_response(status, *_ERRORS[status])


def maintenance_response() -> Response:
    """What everybody gets while the exchange is being serviced."""
    return error_response(503, -1001, "Internal error; system maintenance. Please try again later.")


def refused_response(status: int, retry_after_s: int) -> Response:
    """429 or 418: too many requests, or banned for that."""
    message = "Too much request weight used; please use the websocket for live updates to avoid polling the API."
    if status == 418:
        message = (
            "Way too much request weight used; IP banned. Please use the websocket for live updates to avoid bans."
        )
    return replace(error_response(status, -1003, message), headers={"Retry-After": str(retry_after_s)})


def faulty_response(fault: Fault, good: Response, forming: Row | None, end_ms: int | None) -> Response:
    """The good response as the fault has it; `forming` is the row that no question for closed candles should get, shown
    where `end_ms`, the end that was asked for, excludes it."""
    values = fault.values
    match fault.name:
        case "slow":
            return replace(good, pause_s=values["s"])
        case "hang":
            return replace(good, pause_s=values["s"], is_cut=True)
        case "reset":
            return replace(good, is_cut=True)
        case "rate_limited":
            return refused_response(429, values["retry_after_s"])
        case "server_error":
            return (html_response if values["body"] == "html" else server_error)(values["status"])
        case "html":
            return html_response(200)
        case "broken_json":
            return replace(good, body=b'[{"openTime": NaN,, "o": "1.0"' + good.body[1:2] + b"}", rows=None)
        case "cut_json":
            return replace(good, body=good.body[: len(good.body) * 2 // 3], rows=None)
        case "blocked" if values["status"] == 403:
            return html_response(403)
        case "blocked":
            where = "Service unavailable from a restricted location according to 'b. Eligibility' in the terms of use."
            return error_response(values["status"], 0, where)
        case _:
            return good if good.rows is None else good.with_rows(_other_rows(fault, good.rows, forming, end_ms))


def _other_rows(fault: Fault, rows: tuple[Row, ...], forming: Row | None, end_ms: int | None) -> tuple[Row, ...]:
    if fault.name == "empty":
        return ()
    if fault.name == "forming":
        return rows if forming is None or end_ms is None or forming[0] <= end_ms else (*rows, forming)
    hit = _places(rows, fault.values["rows"])
    if fault.name == "missing":
        return tuple(row for place, row in enumerate(rows) if place not in hit)
    if fault.name == "duplicate":
        return tuple(row for place, row in enumerate(rows) for _ in range(2 if place in hit else 1))
    # Disorder: neighbours change places; of one row alone there is no other order.
    changed = list(rows)
    for place in sorted(hit):
        other = (place + 1) % len(rows)
        changed[place], changed[other] = changed[other], changed[place]
    return tuple(changed)


def _places(rows: tuple[Row, ...], count: int) -> set[int]:
    """At most `count` places, spread over the response; where its rows begin decides which."""
    return {(rows[0][0] // 1_000 + step * _PLACE_STEP) % len(rows) for step in range(count)} if rows else set()


@dataclass
class Revision:
    """A fault `revised`: the exchange tells one candle differently later, in REST only.

    That is from the nth response that holds the row on, and so many virtual seconds after its close; without values of
    its own the volume is another.
    """

    fault: Fault
    responses: int = 0

    def applied(
        self, market: SpotMarket, symbol: str, timeframe: str, rows: tuple[Row, ...], now_ms: int
    ) -> tuple[Row, ...]:
        """The rows of a response as they are after it; counts the response if it holds the closed candle."""
        values = self.fault.values
        at_ms, length_ms = values["at"], timeframe_ms(values["timeframe"])
        close_ms = at_ms + length_ms
        is_other = (symbol, timeframe) != (values["symbol"], values["timeframe"])
        if is_other or now_ms < close_ms or all(row[0] != at_ms for row in rows):
            return rows
        self.responses += 1
        final = market.kline(symbol, timeframe, at_ms, now_ms)
        if final is None or self.responses < values["from_answer"] or now_ms < close_ms + values["after_s"] * 1_000:
            return rows
        given = {name: values[name] for name in PRICES_AND_VOLUME if values[name] is not None}
        other = final._replace(**given or {"volume": round(final.volume * 2.0 + 1.0, 8)})
        # A candle stays a candle, whichever of its prices was given.
        high, low = max(other.high, other.open, other.close), min(other.low, other.open, other.close)
        revised = (at_ms, kline_row(other._replace(high=high, low=low), length_ms))
        return tuple(revised if row[0] == at_ms else row for row in rows)
