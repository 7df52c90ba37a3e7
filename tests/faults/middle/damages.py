"""The table of all kinds of damage, by name."""

from collections.abc import Iterator
from dataclasses import replace

from tests.faults.middle.answers import answer_kinds
from tests.faults.middle.frames import frame_kinds
from tests.faults.middle.kinds import Kind
from tests.faults.middle.links import link_kinds
from tests.faults.middle.order import order_kinds

# A stop is given while these last.
_STOPPED = (
    "one frame 50 years ahead", "cut JSON", "half open", "REST: 418 for an hour, in silence", "REST: 503 in silence",
    "handshake: 429, Retry-After inf", "time: slow, 15 s",
)  # fmt: skip


def _all() -> Iterator[Kind]:
    for group in (frame_kinds, order_kinds, link_kinds, answer_kinds):
        yield from group()


def _table() -> dict[str, Kind]:
    table: dict[str, Kind] = {}
    for kind in _all():
        if kind.name in table:
            raise ValueError(f"two kinds are called {kind.name}")
        table[kind.name] = kind
    for name in _STOPPED:
        quick = name == _STOPPED[0]
        stopped = replace(table[name], name=f"stop: {name}", stop_s=25.0, endless=False, quick=quick)
        table[stopped.name] = stopped
    return table


KINDS = _table()
