"""Refusals of orders and questions, with Binance's codes and texts.

A refusal is raised where it is found and becomes the answer in one place; one by the matching has a reject reason, too.
"""

from typing import Any

UNKNOWN_ORDER = "Unknown order sent."
INSUFFICIENT = "Account has insufficient balance for requested action."
WOULD_MATCH = "Order would immediately match and take."
BAD_PRICES = "The relationship of the prices for the orders is not correct."
CLOSED = "Market is closed."


class Refused(Exception):  # noqa: N818 - it is an answer
    """`code` and `text` as in Binance's errors; `reason` is the `r` of an executionReport."""

    def __init__(self, code: int, text: str, *, status: int = 400, reason: str | None = None) -> None:
        super().__init__(text)
        self.code, self.text, self.status, self.reason = code, text, status, reason

    @property
    def body(self) -> dict[str, Any]:
        """As it stands in an answer."""
        return {"code": self.code, "msg": self.text}


def missing(name: str) -> Refused:
    """A mandatory parameter that is not there."""
    return Refused(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def needless(name: str) -> Refused:
    """A parameter that does not go with the others."""
    return Refused(-1106, f"Parameter '{name}' sent when not required.")


def illegal(name: str, legal: str) -> Refused:
    """A parameter with other characters than it may have."""
    return Refused(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def filter_failure(name: str) -> Refused:
    """An order that a filter keeps out."""
    return Refused(-1013, f"Filter failure: {name}")


def too_many_orders(limit: int, interval: str) -> Refused:
    """The count of unfilled orders is at its limit."""
    return Refused(-1015, f"Too many new orders; current limit is {limit} orders per {interval}.", status=429)
