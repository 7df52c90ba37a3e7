"""Seeded bad weather of the trading: for each signed request, batch of events and stretch of time a fault, or none.

A draw is a pure function of the seed, what is asked (method, path and parameters but the timestamp) and how often it
was. At most three in a row are faulty, nothing lasts longer than 3 s, and no answer that is a lie is given twice.
"""

from typing import Any

from app.testnet.faults import Fault, parse_fault
from app.testnet.storm import SLOT_MS, draws

# The first time something is asked, the second, the third; the fourth is never faulty.
_CHANCES = (0.15, 0.25, 0.25, 0.0)
_EVENTS_CHANCE, _SOCKETS_CHANCE = 0.15, 0.3

_Choices = tuple[dict[str, Any], ...]
# What may befall any request. Listed more than once is more often.
_ANY: _Choices = (
    {"fault": "lost_before"},
    {"fault": "lost_after"},
    {"fault": "lost_after", "s": 0.5},
    {"fault": "late_before", "s": 0.3},
    {"fault": "late_before", "s": 3.0},
    {"fault": "late_after", "s": 0.2},
    {"fault": "late_after", "s": 1.0},
    {"fault": "unknown", "code": -1007, "executed": True},
    {"fault": "unknown", "code": -1007, "executed": False},
    {"fault": "unknown", "code": -1006, "executed": True},
    {"fault": "unknown", "code": -1000, "executed": False},
    {"fault": "unknown", "code": -1001, "executed": True, "status": 503},
    {"fault": "unknown", "status": 503, "body": "html", "executed": True},
    {"fault": "unknown", "status": 502, "body": "empty", "executed": False},
    {"fault": "unknown", "status": 200, "body": "html", "executed": True},
    {"fault": "refused", "code": -1008},
    {"fault": "cut_answer"},
    {"fault": "doubled_answer"},
)
_PLACING: _Choices = ({"fault": "doubled_request"}, {"fault": "doubled_request", "answer": "first"})
_LIES: dict[str, _Choices] = {
    "openOrders": ({"fault": "stale_orders"},) * 3,
    "myTrades": ({"fault": "trades_missing", "rows": 1}, {"fault": "trades_missing", "rows": 3}),
    "order": ({"fault": "refused", "code": -2013},) * 3,
}
_EVENTS: _Choices = (
    {"fault": "events_late", "s": 0.1},
    {"fault": "events_late", "s": 1.0},
    {"fault": "events_doubled"},
    {"fault": "events_permuted"},
    {"fault": "events_permuted", "seed": 1},
)
_SOCKETS: _Choices = (
    {"fault": "stream_cut"},
    {"fault": "stream_cut"},
    {"fault": "stream_terminated"},
    {"fault": "server_shutdown", "s": 0.5},
)


class OrderStorm:
    """The weather of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def for_request(self, method: str, path: str, identity: str, asked_before: int) -> Fault | None:
        """The fault that meets this signed request, of which `asked_before` alike came before."""
        chance, which, _ = draws(self.seed, f"orders:{identity}:{asked_before}")
        if chance >= _CHANCES[asked_before % len(_CHANCES)]:
            return None
        own = _LIES.get(path, ()) if method == "GET" else _PLACING if method == "POST" else ()
        return _chosen((*_ANY, *own), which)

    def for_events(self, batch: int, count: int) -> Fault | None:
        """The fault that meets the nth batch of events, which are so many."""
        chance, which, _ = draws(self.seed, f"events:{batch}:{count}")
        return _chosen(_EVENTS, which) if chance < _EVENTS_CHANCE else None

    def for_sockets(self, slot: int, speed: float) -> tuple[Fault, ...]:
        """What happens to the user data streams in a slot of virtual time, each with its `at_ms`."""
        chance, which, detail = draws(self.seed, f"stream:{slot}")
        if chance >= _SOCKETS_CHANCE:
            return ()
        at_ms = slot * SLOT_MS + int(detail * SLOT_MS)
        if which < 0.3:
            # Silent first, then cut: nobody could know of what was not said.
            silent_s = min(15.0 / speed, 1.0 + 2.0 * detail)
            cut_ms = at_ms + int(silent_s * 1_000 * speed)
            return (
                parse_fault({"fault": "stream_silent", "s": silent_s, "at_ms": at_ms}),
                parse_fault({"fault": "stream_cut", "at_ms": cut_ms}),
            )
        return (parse_fault({**_SOCKETS[int((which - 0.3) / 0.7 * len(_SOCKETS))], "at_ms": at_ms}),)


def _chosen(choices: _Choices, which: float) -> Fault:
    return parse_fault(choices[int(which * len(choices))])
