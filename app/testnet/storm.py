"""Seeded bad weather: for each request and stretch of time a fault, or none, out of those a client can see through.

A draw is a pure function of the seed, what is asked (path and parameters) and how often it was. At most three in a row
are faulty, a ban or hang lasts at most 3 s, and no storm tells a lie that asking again does not reveal: no hole, no
revision, no skew.
"""

import hashlib
from typing import Any

from app.testnet.faults import Fault, parse_fault

SLOT_MS = 300_000  # of virtual time: a stretch in which the websockets meet at most one event
FAULTY_IN_A_ROW_MAX = 3
_REFUSED_MAX = 3
# A first response is faulty less often than a second or third, so that runs of three happen; the fourth never is.
_CHANCES = (0.13, 0.25, 0.25, 0.0)
_SOCKETS_CHANCE = 0.4

_Choices = tuple[tuple[str, dict[str, tuple[Any, ...]]], ...]
_ANYWHERE: _Choices = (
    ("slow", {"s": (0.05, 0.2, 0.5, 1.0)}),
    ("hang", {"s": (0.2, 1.0, 3.0)}),
    ("reset", {}),
    ("rate_limited", {"retry_after_s": (1, 2)}),
    ("banned", {"s": (1.0, 2.0, 3.0)}),
    ("server_error", {"status": (500, 502, 503, 504), "body": ("json", "html")}),
    ("html", {}),
    ("broken_json", {}),
    ("cut_json", {}),
    ("maintenance", {"s": (0.2, 1.0, 2.0)}),
)
_KLINES: _Choices = (
    ("empty", {}),
    ("missing", {"rows": (1, 2, 7)}),
    ("duplicate", {"rows": (1, 3)}),
    ("disorder", {"rows": (1, 3)}),
    ("forming", {}),
)


class Storm:
    """The weather of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def for_request(self, path: str, identity: str, asked_before: int) -> Fault | None:
        """The fault that meets this request, of which `asked_before` alike came before."""
        chance, which, detail = draws(self.seed, f"rest:{identity}:{asked_before}")
        if chance >= _CHANCES[asked_before % len(_CHANCES)]:
            return None
        choices = (*_ANYWHERE, *_KLINES) if path == "klines" else _ANYWHERE
        name, values = choices[int(which * len(choices))]
        chosen = {key: options[int(detail * len(options))] for key, options in values.items()}
        return parse_fault({"fault": name, **chosen})

    def for_sockets(self, slot: int, speed: float) -> tuple[Fault, ...]:
        """What happens to the websockets in a slot of virtual time, each with its `at_ms`."""
        chance, which, detail = draws(self.seed, f"sockets:{slot}")
        if chance >= _SOCKETS_CHANCE:
            return ()
        at_ms = slot * SLOT_MS + int(detail * SLOT_MS)
        if which < 0.3:
            # Up to 15 virtual seconds, and never so long that a client in real time would give up.
            return (parse_fault({"fault": "silence", "s": min(15.0 / speed, 1.0 + 2.0 * detail), "at_ms": at_ms}),)
        drop = parse_fault({"fault": "drop_sockets", "at_ms": at_ms})
        refused = int(which * 1_000) % (_REFUSED_MAX + 1)
        if refused == 0:
            return (drop,)
        return parse_fault({"fault": "refuse_handshakes", "n": refused, "at_ms": at_ms}), drop


def draws(seed: int, what: str) -> tuple[float, float, float]:
    """Three numbers from 0 to below 1 that follow from the seed and what is drawn for."""
    digest = hashlib.blake2b(f"{seed}:{what}".encode(), digest_size=24).digest()
    parts = [int.from_bytes(digest[place : place + 8], "little") >> 11 for place in (0, 8, 16)]
    return parts[0] / 2**53, parts[1] / 2**53, parts[2] / 2**53
