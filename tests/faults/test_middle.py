"""Some of the kinds of damage that a man in the middle does, and that each of the checks can fail."""

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from app.strategies.base import Candle, Signal, View, exit_position
from tests.faults.middle import proof
from tests.faults.middle.damages import KINDS
from tests.faults.middle.kinds import Kind
from tests.faults.middle.patient_loop import PatientLoop
from tests.faults.middle.proof import Seen
from tests.faults.middle.session import Verdict, run_kinds
from tests.faults.middle.strategy import EveryOther

QUICK = [kind for kind in KINDS.values() if kind.quick]
HERE = "tests.faults.test_middle"
CALM = KINDS["a ping before each message"]


def verdicts(kinds: list[Kind], folder: Path, strategy: str = proof.STRATEGY) -> list[Verdict]:
    return run_kinds(kinds, folder, 2, lambda _: None, strategy)


def test_there_are_enough_kinds_of_damage_to_each() -> None:
    assert len(KINDS) >= 100
    for what in ("message", "handshake", "answer"):
        assert sum(getattr(kind, what) is not None for kind in KINDS.values()) >= 25
    assert 10 <= len(QUICK) <= len(KINDS) / 10


def test_sessions_come_through_what_is_done_to_them(tmp_path: Path) -> None:
    broken = {one.kind: one.problems for one in verdicts(QUICK, tmp_path) if one.problems}
    assert broken == {}


# Sessions that break a promise on purpose, in the calmest weather there is.


class Refuses(EveryOther):
    """Gives its entries up with the fifth candle of each symbol."""

    def __init__(self) -> None:
        self.count = 0

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        self.count += 1
        return await super().on_candle(candle, view) if self.count < 15 else exit_position()


class Forgets(EveryOther):
    """Trades otherwise in the session than in its replay."""

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        is_live = isinstance(asyncio.get_running_loop(), PatientLoop)
        return await super().on_candle(candle, view) if is_live else exit_position()


class Breaks(EveryOther):
    """Has a bug."""

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        if view.position is not None:
            raise ZeroDivisionError
        return await super().on_candle(candle, view)


class Chatters(EveryOther):
    """Floods the terminal."""

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        import sys

        print("and so on\n" * 10, file=sys.stderr)
        return await super().on_candle(candle, view)


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        ("Refuses", r"heals: no entry of BTC/USDT is accepted \(outcomes: \['nothing_to_exit'\]\)"),
        ("Forgets", r"tape: "),
        ("Breaks", r"alive: .* status 1: onetape: \S*test_middle.py, line \d+, in on_candle: ZeroDivisionError"),
        ("Chatters", r"lines: "),
    ],
)
def test_a_session_that_breaks_a_promise_is_told(strategy: str, said: str, tmp_path: Path) -> None:
    (verdict,) = verdicts([CALM], tmp_path, f"{HERE}:{strategy}")
    assert any(re.match(said, problem) for problem in verdict.problems), verdict.problems


def seen(**changes: Any) -> Seen:
    values: dict[str, Any] = {
        "status": 0, "end_ms": None, "ended_ms": 1, "damaged": 1, "stop_s": None, "requests": (), "handshakes": (),
    }  # fmt: skip
    return Seen(**{**values, **changes})


def test_a_stop_that_takes_long_is_told() -> None:
    kind = KINDS["stop: cut JSON"]
    assert list(proof.ends_well(kind, seen(stop_s=(4.0, 1.0)), "")) == []
    assert list(proof.ends_well(kind, seen(stop_s=(6.0, 1.0)), "")) == [
        "stop: SIGTERM was obeyed after 6.0 s of the exchange"
    ]
    assert list(proof.ends_well(kind, seen(stop_s=(0.0, 9.0)), "")) == [
        "stop: SIGTERM was obeyed after 9.0 s of the processor"
    ]


def test_who_is_refused_and_asks_again_at_once_is_told() -> None:
    def refused(times_s: Iterable[float], status: int = 503) -> list[dict[str, Any]]:
        return [{"at_s": at_s, "path": "time", "status": status, "damaged": True} for at_s in times_s]

    kind, banned = KINDS["REST: 503 in silence"], KINDS["REST: 418 for an hour, in silence"]
    assert list(proof.asks_little(kind, seen(requests=refused(range(100))))) == []
    often = refused(number / 10 for number in range(60))
    assert list(proof.asks_little(kind, seen(requests=often))) == ["hammers: 50 refused requests in 5 s"]
    assert list(proof.asks_little(kind, seen(handshakes=often))) == ["hammers: 50 refused handshakes in 5 s"]
    assert list(proof.asks_little(kind, seen(requests=[{**one, "damaged": False} for one in often]))) == []
    seldom = refused(range(0, 100, 10), 418)
    assert list(proof.asks_little(banned, seen(requests=seldom))) == [
        "hammers: 10 requests within the 3,600 s for which the exchange asked for none"
    ]
