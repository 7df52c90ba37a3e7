"""What an answer of a Binance means, read from the code in its body; ccxt's classes and the HTTP status come second.

Whoever changed something by a request must know which of three it is: done, refused for certain, or unknown. Whatever
is not known to be one of the first two is unknown.
"""

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from app.exchange.binance_fixes import retry_after_s
from app.exchange.keys import Keys

CLOCK, NO_SUCH_ORDER, CANCEL_REJECTED = -1021, -2013, -2011
_UNKNOWN = frozenset({-1000, -1001, -1006, -1007})  # "execution status unknown" by the documents' own words, or as good
# Overloaded, shutting down, too many requests or orders; and a time stamp that another measurement of the clock mends.
_MAINTENANCE = frozenset({-1008, -1016})
_LIMITS = frozenset({-1003, -1015})
TOO_MANY_ORDERS = -1015
_LIMIT_STATUS = (418, 429)
# Statuses without a code that come from what stands before the exchange's API: what was turned away there has reached
# no matching engine. The documents say so of 403, a firewall's; behind 404 and 451 there is no API.
_FORBIDDEN, _NOT_THERE = 403, {404: "there is no such API", 451: "not served from here"}
_CLOSED = ("market is closed", "trading phase")  # the exchange's words where a symbol is halted
_CODE = re.compile(r"-\d{1,8}", re.ASCII)
_SHOWN, _READ = 200, 20_000  # characters of what the exchange wrote


class Verdict(StrEnum):
    """What an answer says of its request."""

    DONE = "done"
    REFUSED = "refused"
    PASSING = "passing"  # refused for now: maintenance, a closed market, a clock that is measured again
    LIMITED = "limited"  # refused: too many requests or orders; `retry_after_s` where it is said
    TURNED_AWAY = "turned_away"  # refused by a firewall, before it reached the API
    UNKNOWN = "unknown"


class Answer(NamedTuple):
    """`content` is what was asked for, where it is done; `code` and `why` are the exchange's own."""

    verdict: Verdict
    content: Any = None
    code: int = 0
    why: str = ""
    retry_after_s: float | None = None
    is_banned: bool = False

    @property
    def is_duplicate(self) -> bool:
        """An order of this id is open already: says nothing against the order, it may be the very same."""
        return self.code in (-2010, -1013) and "duplicate order" in self.why.lower()


def read_answer(status: int, headers: Mapping[str, str], text: str, keys: Keys) -> Answer:
    """`headers` by lower-case names. What the exchange wrote is scrubbed before it becomes a message."""
    content = _json(text)
    code = _code(content)
    if 200 <= status < 300 and not code and isinstance(content, (dict, list)):
        return Answer(Verdict.DONE, content)
    said = _short(keys.scrubbed(_message(content, text)[:_READ]))
    wait_s = retry_after_s(headers.get("retry-after"))
    if code in _MAINTENANCE:
        return Answer(Verdict.PASSING, None, code, said)
    if status in _LIMIT_STATUS:
        return Answer(Verdict.LIMITED, None, code or -1003, f"{said} ({status})", wait_s, is_banned=status == 418)
    if status >= 500 or code in _UNKNOWN:
        return Answer(Verdict.UNKNOWN, None, code, f"{said} ({status})")
    if code in _LIMITS:
        return Answer(Verdict.LIMITED, None, code, said, wait_s)
    if code == CLOCK or (code and any(text in said.lower() for text in _CLOSED)):
        return Answer(Verdict.PASSING, None, code, said)
    if code:
        return Answer(Verdict.REFUSED, None, code, said)
    if 200 <= status < 300:
        return Answer(Verdict.UNKNOWN, None, 0, f"an answer that cannot be read: {said!r}")
    if status == _FORBIDDEN:
        return Answer(Verdict.TURNED_AWAY, None, 0, f"turned away by the exchange's firewall ({status})")
    if status in _NOT_THERE:
        return Answer(Verdict.REFUSED, None, 0, f"{_NOT_THERE[status]} ({status})")
    return Answer(Verdict.UNKNOWN, None, 0, f"status {status} with no code that can be read: {said!r}")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _code(content: Any) -> int:
    """The error's code; 0 where the answer is no error. A positive code or 200 is none."""
    code = content.get("code") if isinstance(content, dict) else None
    if isinstance(code, str) and _CODE.fullmatch(code):
        code = int(code)
    return code if type(code) is int and code < 0 else 0


def _message(content: Any, text: str) -> str:
    message = content.get("msg") if isinstance(content, dict) else None
    return message if isinstance(message, str) else text


def _short(text: str) -> str:
    # After it is scrubbed: cut before, a key could lose its end and be shown without it.
    words = "".join(sign for sign in " ".join(text.split()) if sign.isprintable())
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}..."
