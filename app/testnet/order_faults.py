"""Faults of trading: which signed request or batch of events meets one, and what it makes of the answer.

What is lost, late or done twice is in trading.py, for it decides whether the exchange executes the request at all.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.testnet.faults import Fault
from app.testnet.rest_faults import html_page
from app.testnet.spot_exchange import Reply
from app.testnet.wire import decimal_text

Event = tuple[str, dict[str, Any]]  # account, and what the user stream says

MESSAGES = {
    -1000: "An unknown error occurred while processing the request.",
    -1001: "Internal error; unable to process your request. Please try again.",
    -1003: "Too much request weight used; please use the websocket for live updates to avoid polling the API.",
    -1006: "An unexpected response was received from the message bus. Execution status unknown.",
    -1007: "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    -1008: "Server is currently overloaded with other requests. Please try again in a few minutes.",
    -1013: "Filter failure: PERCENT_PRICE_BY_SIDE",
    -1015: "Too many new orders; current limit is 100 orders per 10 SECOND.",
    -1016: "This service is no longer available.",
    -1021: "Timestamp for this request is outside of the recvWindow.",
    -1022: "Signature for this request is not valid.",
    -2010: "Account has insufficient balance for requested action.",
    -2011: "Unknown order sent.",
    -2013: "Order does not exist.",
    -2014: "API-key format invalid.",
    -2015: "Invalid API-key, IP, or permissions for action.",
}
_STATUS = {
    -1000: 500, -1001: 500, -1003: 429, -1006: 502, -1007: 504, -1008: 503, -1015: 429, -1016: 503, -2014: 401,
    -2015: 401,
}  # fmt: skip
_IDS = (
    "newClientOrderId", "origClientOrderId", "cancelOrigClientOrderId", "listClientOrderId", "aboveClientOrderId",
    "belowClientOrderId",
)  # fmt: skip
_TYPES = ("type", "aboveType", "belowType")


@dataclass(frozen=True)
class Answer:
    """How a signed request is answered: with `reply`, or with `page` in its place; or by a cut of the connection,
    with `is_half` after half of the answer."""

    reply: Reply
    page: str | None = None
    is_cut: bool = False
    is_half: bool = False
    times: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)


def fits_request(fault: Fault, method: str, path: str, params: Mapping[str, str], symbol: str | None) -> bool:
    """Whether the fault is meant for such a request; `symbol` is its own, like `BTC/USDT`."""
    has: dict[str, tuple[str | None, ...]] = {
        "method": (method,),
        "side": (params.get("side"),),
        "type": tuple(params.get(name) for name in _TYPES),
        "leg": tuple(leg_of(params[name]) for name in _IDS if name in params),
    }
    if fault.path not in (None, path) or fault.symbol not in (None, symbol):
        return False
    return all(value in has[name] for name, value in fault.match.items())


def fits_events(fault: Fault, events: Sequence[Event], name: str | None) -> bool:
    """Whether one of the batch is what the fault is meant for; `name` is its symbol's on the wire."""
    return any(
        name in (None, event.get("s"))
        and fault.match.get("side") in (None, event.get("S"))
        and fault.match.get("type") in (None, event.get("o"))
        and fault.match.get("leg") in (None, *(leg_of(str(event.get(id_, ""))) for id_ in ("c", "C")))
        for _, event in events
    )


def leg_of(client_order_id: str) -> str:
    """What comes after the last dash: `e` of `tag-1-17-e`."""
    return client_order_id.rpartition("-")[2]


def error_reply(code: int, message: str | None = None, status: int | None = None) -> Reply:
    """An error in the exchange's words, with the status that it has by its documents."""
    text = message or MESSAGES.get(code, "The request is refused.")
    return Reply(status or _STATUS.get(code, 400), {"code": code, "msg": text})


def unknown_answer(fault: Fault) -> Answer:
    """An answer that does not tell whether the request was executed."""
    reply = error_reply(fault.values["code"], status=fault.values["status"])
    page = {"json": None, "html": html_page(reply.status), "empty": ""}[fault.values["body"]]
    return Answer(reply, page)


def spoilt_answer(fault: Fault, reply: Reply, earlier: Any) -> Answer:
    """The answer to what was executed, as the fault has it; `earlier` are the open orders as they were."""
    match fault.name:
        case "unknown":
            return unknown_answer(fault)
        case "lost_after":
            return Answer(reply, is_cut=True)
        case "cut_answer":
            return Answer(reply, is_cut=True, is_half=True)
        case "doubled_answer":
            return Answer(reply, times=2)
    if reply.status != 200:
        return Answer(reply)
    match fault.name:
        case "wrong_balance":
            return Answer(reply._replace(body=_other_balance(reply.body, fault.values)))
        case "trades_missing":
            return Answer(reply._replace(body=reply.body[: max(0, len(reply.body) - fault.values["rows"])]))
        case "stale_orders" if earlier is not None:
            return Answer(reply._replace(body=earlier))
    return Answer(reply)


def spoilt_events(fault: Fault | None, events: list[Event]) -> list[Event]:
    """A batch as the fault has it."""
    match fault:
        case Fault(name="events_lost"):
            return []
        case Fault(name="events_doubled"):
            return [event for event in events for _ in range(2)]
        case Fault(name="events_permuted", values=values):
            places = sorted(range(len(events)), key=lambda place: _hash(values["seed"], place))
            if places == sorted(places):
                places.reverse()
            return [events[place] for place in places]
    return events


def _hash(seed: int, place: int) -> bytes:
    return hashlib.blake2b(f"{seed}:{place}".encode(), digest_size=8).digest()


def _other_balance(account: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    balances = [dict(one) for one in account["balances"]]
    for one in balances:
        if one["asset"] == values["asset"]:
            one["free"] = decimal_text(max(0.0, float(one["free"]) + values["by"]))
    return {**account, "balances": balances}
