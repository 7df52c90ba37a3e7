"""What a fault makes of a REST answer: another status, another body, other rows, a pause or a cut.

The rule: pure functions of the good answer and the fault; which rows are hit follows from their times, so that it can
be said again. States that outlast the answer (bans, maintenance) belong to who answers.
"""

from dataclasses import replace

from app.testnet.faults import Fault
from app.testnet.kline_pages import Row
from app.testnet.responses import Answer
from app.testnet.wire import error_body

_HTML = (
    b"<!DOCTYPE html>\n<html><head><title>%s</title></head><body><center><h1>%s</h1></center><hr><center>nginx</center>"
    b"</body></html>"
)
_ERRORS = {
    500: (-1000, "An unknown error occurred while processing the request."),
    502: (-1006, "An unexpected response was received from the message bus. Execution status unknown."),
    503: (-1008, "Server is currently overloaded with other requests. Please try again in a few minutes."),
    504: (-1007, "Timeout waiting for response from backend server. Send status unknown; execution status unknown."),
}
_TITLES = {403: b"403 Forbidden", 500: b"500 Internal Server Error", 502: b"502 Bad Gateway"}
_TITLES |= {503: b"503 Service Temporarily Unavailable", 504: b"504 Gateway Time-out"}
_PLACE_STEP = 7_919  # a prime: the rows that are hit are spread over the answer


def html_answer(status: int) -> Answer:
    """A page of a proxy in front of the exchange."""
    title = _TITLES.get(status, b"Binance US")
    return Answer(status, _HTML % (title, title), "text/html")


def maintenance_answer() -> Answer:
    """What everybody gets while the exchange is being serviced."""
    return Answer(503, error_body(-1001, "Internal error; system maintenance. Please try again later.").encode())


def refused_answer(status: int, retry_after_s: int) -> Answer:
    """429 or 418: too many requests, or banned for that."""
    message = "Too much request weight used; please use the websocket for live updates to avoid polling the API."
    if status == 418:
        message = (
            "Way too much request weight used; IP banned. Please use the websocket for live updates to avoid bans."
        )
    return Answer(status, error_body(-1003, message).encode(), headers={"Retry-After": str(retry_after_s)})


def faulty_answer(fault: Fault, good: Answer, forming: Row | None, end_ms: int | None) -> Answer:
    """The good answer as the fault has it; `forming` is the row that no question for closed candles should get, shown
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
            return refused_answer(429, values["retry_after_s"])
        case "server_error":
            status = values["status"]
            error = _ERRORS.get(status, _ERRORS[500])
            return html_answer(status) if values["body"] == "html" else Answer(status, error_body(*error).encode())
        case "html":
            return html_answer(200)
        case "broken_json":
            return replace(good, body=b'[{"openTime": NaN,, "o": "1.0"' + good.body[1:2] + b"}", rows=None)
        case "cut_json":
            return replace(good, body=good.body[: len(good.body) * 2 // 3], rows=None)
        case "blocked":
            return _blocked(values["status"])
        case _:
            return good if good.rows is None else good.with_rows(_other_rows(fault, good.rows, forming, end_ms))


def _blocked(status: int) -> Answer:
    if status == 403:
        return html_answer(403)
    message = "Service unavailable from a restricted location according to 'b. Eligibility' in the terms of use."
    return Answer(status, error_body(0, message).encode())


def _other_rows(fault: Fault, rows: tuple[Row, ...], forming: Row | None, end_ms: int | None) -> tuple[Row, ...]:
    if fault.name == "empty":
        return ()
    if fault.name == "forming":
        is_excluded = forming is not None and end_ms is not None and forming[0] > end_ms
        return (*rows, forming) if is_excluded and forming is not None else rows
    if fault.name == "disorder":
        return _swapped(rows, fault.values["rows"])
    hit = _places(rows, fault.values["rows"])
    if fault.name == "missing":
        return tuple(row for place, row in enumerate(rows) if place not in hit)
    return tuple(row for place, row in enumerate(rows) for _ in range(2 if place in hit else 1))


def _places(rows: tuple[Row, ...], count: int) -> set[int]:
    """At most `count` places, spread over the answer; where its rows begin decides which."""
    if not rows:
        return set()
    first = rows[0][0] // 1_000
    return {(first + step * _PLACE_STEP) % len(rows) for step in range(count)}


def _swapped(rows: tuple[Row, ...], count: int) -> tuple[Row, ...]:
    """Neighbours change places; of one row alone there is no other order."""
    changed = list(rows)
    for place in sorted(_places(rows, count)):
        other = (place + 1) % len(rows)
        changed[place], changed[other] = changed[other], changed[place]
    return tuple(changed)
