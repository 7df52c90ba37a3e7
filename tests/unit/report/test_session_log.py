"""The log of a session: each thing that happened once, by name; a quiet slice says nothing, a replayed one neither."""

from pathlib import Path
from typing import Any

import pytest

from app.models.events import Close, EndOfData, MarkedSlice, Stop
from app.models.market import Slice
from app.report.output_thread import OutputThread
from app.report.session_log import SessionLog
from tests.live_sessions import OPEN_AFTER, link, live, market

Told = list[tuple[str, dict[str, Any]]]


def logged() -> tuple[SessionLog, Told, OutputThread]:
    told: Told = []
    output = OutputThread()
    return SessionLog(lambda event, **values: told.append((event, values)), output), told, output


@pytest.fixture
async def told(tmp_path: Path) -> Told:
    """A whole session of the golden market, with a stop in the end."""
    log, told, output = logged()
    made = live(tmp_path)
    log.began(made.view, False)
    made.view.on_event = log.happened
    for event in (*market(), Stop("SIGTERM")):
        await made.recorded.handle(event)
    log.ended("stopped")
    made.close()
    output.close()
    return told


def named(told: Told, name: str) -> list[dict[str, Any]]:
    return [values for event, values in told if event == name]


def test_a_session_begins_and_ends(told: Told) -> None:
    assert told[0][0] == "session_started"
    assert told[0][1]["symbols"] == ["AAA/X", "BBB/X"]
    assert [values["why"] for values in named(told, "stopped")] == ["SIGTERM"]
    assert told[-1] == ("session_ended", {"status": "stopped"})


def test_each_thing_that_happened_is_told_once(told: Told) -> None:
    late = [event for event in market() if isinstance(event, MarkedSlice) and event.late]
    assert len(named(told, "slice_late")) == len(late) == 2
    assert [values["symbol"] for values in named(told, "symbol_stale")] == ["BBB/X", "BBB/X"], "22 and 23 are one time"
    assert len(named(told, "candle_late")) == len(named(told, "candle_revised")) == 1
    assert [values["why"] for values in named(told, "halted")] == ["golden"]
    assert [values["why"] for values in named(told, "resumed")] == ["golden"]


def test_orders_and_fills_are_those_of_the_run(told: Told, tmp_path: Path) -> None:
    rows = [row.split(",") for row in (tmp_path / "paper_test.csv").read_text().splitlines()[1:]]
    fills = named(told, "fill")
    assert [(one["time"], one["symbol"], one["action"]) for one in fills] == [(row[0], row[1], row[3]) for row in rows]
    signals = (tmp_path / "signals.csv").read_text().splitlines()[1:]
    assert len(named(told, "order")) == len(signals) > 0
    assert {one["outcome"] for one in named(told, "order")} >= {"order", "late"}


async def test_an_operators_close_is_told_with_what_it_names(tmp_path: Path) -> None:
    log, told, output = logged()
    made = live(tmp_path)
    made.view.on_event = log.happened
    for event in (Close("enough", "AAA/X"), Close("of it", "BBB/X", "slow")):
        await made.recorded.handle(event)
    made.close()
    output.close()
    assert named(told, "close_asked") == [
        {"time": None, "symbol": "AAA/X", "why": "enough"},
        {"time": None, "symbol": "BBB/X", "strategy": "slow", "why": "of it"},
    ]


async def test_a_quiet_slice_says_nothing(tmp_path: Path) -> None:
    log, told, output = logged()
    made = live(tmp_path)
    made.view.on_event = log.happened
    for event in market()[:5]:
        assert isinstance(event, Slice)
        await made.recorded.handle(event)
    made.close()
    output.close()
    assert told == []


async def test_a_session_that_goes_on_says_so_and_tells_nothing_twice(tmp_path: Path) -> None:
    log, told, output = logged()
    made = live(tmp_path)
    events = market()
    for event in events[:16]:  # the kill is among them
        await made.recorded.handle(event)
    made.recorded.last_seq = 16
    log.began(made.view, True)
    made.view.on_event = log.happened
    await made.recorded.handle(EndOfData())
    made.close()
    output.close()
    assert [event for event, _ in told] == ["session_continued"]
    assert (told[0][1]["events"], told[0][1]["halted"]) == (16, True)


def test_only_a_change_of_the_link_is_told() -> None:
    log, told, output = logged()
    for connected in (True, True, False, False, True):
        log.linked(link(connected=connected, connections=3))
    log.note("a note")
    log.slow(EndOfData(), 61.23456)
    output.close()
    assert [event for event, _ in told] == ["link_up", "link_down", "link_up", "note", "slow_strategy"]
    assert told[-1][1] == {"event_kind": "EndOfData", "took_s": 61.235}


async def test_one_that_broke_off_says_what_it_holds(tmp_path: Path) -> None:
    log, told, output = logged()
    made = live(tmp_path)
    for event in market()[:OPEN_AFTER]:
        await made.recorded.handle(event)
    made.view.on_failed = log.failed
    made.view.fail(ZeroDivisionError("x"))
    made.close()
    output.close()
    ((name, values),) = told
    assert (name, values["status"], values["why"]) == ("session_ended", "failed", "ZeroDivisionError")
    held = made.recorded.runtime.account.positions
    assert values["positions"] == [line.symbol for line in held] != []
