"""Who asks, and whether he may: the key, the signature and the time of a signed request, in Binance's order and words.

The time is checked twice, by the exchange's own clock: on arrival, and again just before the matching, for a request
may be held in between. What passes the second check may be executed, and nothing else ever is.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import unquote_plus

from app.testnet.api_keys import KEY_FORMAT, Account, ApiKey
from app.testnet.spot_exchange import Reply

_AHEAD_MAX_MS = 1_000
_RECV_WINDOW_DEFAULT_MS, _RECV_WINDOW_MAX_MS = "5000", 60_000
_TIMESTAMP = r"[0-9]{1,20}"
_RECV_WINDOW = r"[0-9]{1,20}(\.[0-9]{1,3})?"
_MICROSECONDS = 10**14  # a number of this size is no time in milliseconds


@dataclass(frozen=True)
class Query:
    """What was sent, without its signature: the parameters, and the text that was signed."""

    params: Mapping[str, str]
    payload: bytes
    signature: str | None
    is_doubled: bool = False  # a parameter came twice in one place

    @property
    def says(self) -> dict[str, str]:
        """What is asked, without who asks: for logs and the engine."""
        return {name: value for name, value in self.params.items() if name not in ("apiKey", "returnRateLimits")}


def rest_query(query: str, body: str) -> Query:
    """The query string and the form in the body, both as they came; where both have a parameter, the query's counts."""
    signature: str | None = None
    params: dict[str, str] = {}
    is_doubled, kept = False, []
    for text in (query, body):
        here: dict[str, str] = {}
        rest = []
        for pair in text.split("&") if text else []:
            name, _, value = pair.partition("=")
            name, value = unquote_plus(name), unquote_plus(value)
            if name == "signature":
                signature = signature or value
                continue
            rest.append(pair)
            is_doubled = is_doubled or name in here
            here[name] = value
        params = {**here, **params}
        kept.append("&".join(rest))
    return Query(params, "".join(kept).encode(), signature, is_doubled)


def socket_query(params: Mapping[str, str]) -> Query:
    """The parameters of a request of the websocket API, which are signed in the order of their names."""
    left = {name: value for name, value in params.items() if name != "signature"}
    payload = "&".join([f"{name}={value}" for name, value in sorted(left.items())])
    return Query(left, payload.encode(), params.get("signature"))


class KeyRing:
    """All keys of a testnet."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._keys = {key.key: key for account in accounts for key in account.keys}

    def find(self, key: str | None, ip: str) -> ApiKey | Reply:
        """The key of this name, or why it is refused."""
        if key is None or not KEY_FORMAT.fullmatch(key):
            return _refused(401, -2014, "API-key format invalid.")
        found = self._keys.get(key)
        return _not_permitted() if found is None or (found.ips and ip not in found.ips) else found


def refusal(key: ApiKey, query: Query, now_ms: int, right: str | None, *, needs_signature: bool = True) -> Reply | None:
    """Why the exchange does not take the request, whose sender needs the right `may_read` or `may_trade`."""
    if right is not None and not getattr(key, right):
        return _not_permitted()
    if query.is_doubled:
        return _refused(400, -1101, "Duplicate values for a parameter detected.")
    if needs_signature and not query.signature:
        return _mandatory("signature")
    if unreadable := _unreadable_time(query.params):
        return unreadable
    if late := time_refusal(query.params, now_ms):
        return late
    if needs_signature and not key.signed(query.payload, query.signature or ""):
        return _refused(400, -1022, "Signature for this request is not valid.")
    return None


def time_refusal(params: Mapping[str, str], now_ms: int) -> Reply | None:
    """-1021 if the request is from the future, or older than its recvWindow."""
    timestamp = Decimal(params["timestamp"])
    if timestamp >= _MICROSECONDS:
        timestamp /= 1_000
    if timestamp >= now_ms + _AHEAD_MAX_MS:
        return _refused(400, -1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - timestamp > Decimal(params.get("recvWindow") or _RECV_WINDOW_DEFAULT_MS):
        return _refused(400, -1021, "Timestamp for this request is outside of the recvWindow.")
    return None


def _unreadable_time(params: Mapping[str, str]) -> Reply | None:
    for name, legal in (("timestamp", _TIMESTAMP), ("recvWindow", _RECV_WINDOW)):
        value = params.get(name)
        if not value and (name == "timestamp" or value == ""):
            return _mandatory(name)
        if value and not re.fullmatch(legal, value, re.ASCII):
            message = f"Illegal characters found in parameter '{name}'; legal range is '^{legal}$'."
            return _refused(400, -1100, message)
    if Decimal(params.get("recvWindow", "0")) > _RECV_WINDOW_MAX_MS:
        return _refused(
            400, -1102, f"'recvWindow' contains unexpected value. Cannot be greater than {_RECV_WINDOW_MAX_MS}."
        )
    return None


def _mandatory(name: str) -> Reply:
    return _refused(400, -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def _not_permitted() -> Reply:
    return _refused(401, -2015, "Invalid API-key, IP, or permissions for action.")


def _refused(status: int, code: int, message: str) -> Reply:
    return Reply(status, {"code": code, "msg": message})
