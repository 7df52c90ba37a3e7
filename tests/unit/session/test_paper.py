"""A paper session begun, stopped, continued and refused, without a socket: provider and feed are the test's own.

The feed puts the golden market's events that come after what the session has had, as the real one does.
"""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app.errors import ConfigError, DataError, OutputError
from app.feeds.base import EventQueue
from app.feeds.websocket import LiveStart
from app.models.events import Event, Halt, Kill, Resume, Stop
from app.models.market import Slice
from app.runs.run_folder import owned
from app.session import epochs, recorded_runtime
from app.session.control import send_command
from app.session.paper import PaperRunner
from app.session.tape_replay import TapeRunner
from app.session.view import SessionView
from tests.golden.make_tape import CONFIG, START_MS, WARMUP
from tests.live_sessions import market
from tests.scripted_paper import Feed, no_sockets, stop_after, taped, trade, trades_of

MINUTE_MS = 60_000


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    no_sockets(monkeypatch)


async def test_a_session_begins_with_the_candle_that_is_forming(tmp_path: Path) -> None:
    results = await trade(tmp_path / "run")
    assert Feed.starts == [LiveStart(START_MS, START_MS - WARMUP * MINUTE_MS)]
    assert (results["mode"], results["status"]) == ("paper", "finished")
    assert results["period"]["start"] == "2025-03-30T19:00:00.000Z"
    assert results.folder == tmp_path / "run"
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "commands", "equity.parquet", "manifest.json", "paper_2025-03-30T1900.csv", "results.json",
        "refused.jsonl", "signals.csv", "status.json", "tape",
    }  # fmt: skip
    with pytest.raises(OutputError, match="holds a finished run; choose another --out"):
        await trade(tmp_path / "run")


async def test_without_out_it_lies_below_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    results = await PaperRunner(CONFIG).run_async()
    assert results.folder == Path("logs/paper/paper_2025-03-30T1900")


async def test_who_listens_is_given_the_session_before_its_first_event(tmp_path: Path) -> None:
    begun: list[tuple[int, bool]] = []
    heard: list[Event] = []

    def begin(view: SessionView, continued: bool) -> None:
        begun.append((view.recorded.last_seq, continued))
        view.on_event = lambda view, event, fills, decisions: heard.append(event)

    await trade(tmp_path / "run", on_session=begin)
    assert begun == [(0, False)]
    assert heard[:-1] == market()


@pytest.mark.parametrize("count", [8, 20, 45])
async def test_kept_positions_go_on_as_if_nothing_had_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    keep = ("on_stop=keep",)
    await trade(tmp_path / "whole", *keep)
    stop_after(monkeypatch, count)
    results = await trade(tmp_path / "run", *keep)
    assert results["status"] == "kept"
    assert not (tmp_path / "run/results.json").exists()
    assert taped(tmp_path / "run") == [*market()[:count], Stop("SIGTERM")]
    stop_after(monkeypatch, None)
    begun: list[tuple[int, bool]] = []
    results = await trade(
        tmp_path / "run", *keep, on_session=lambda view, continued: begun.append((view.recorded.last_seq, continued))
    )
    assert begun == [(count + 1, True)]
    assert Feed.starts[-1].warmup_start_ms is None
    last = [event for event in market()[:count] if isinstance(event, Slice)][-1]
    assert Feed.starts[-1].last_close_ms == last.close_time_ms
    assert trades_of(tmp_path / "run") == trades_of(tmp_path / "whole")
    assert (tmp_path / "run/equity.parquet").read_bytes() == (tmp_path / "whole/equity.parquet").read_bytes()
    assert results["status"] == "finished"
    await TapeRunner(tmp_path / "run", tmp_path / "tape").run_async()
    assert trades_of(tmp_path / "tape") == trades_of(tmp_path / "whole")


async def test_a_stop_flattens_and_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_after(monkeypatch, 45)
    results = await trade(tmp_path / "run")
    assert results["status"] == "stopped"
    assert trades_of(tmp_path / "run").count("shutdown") == 1
    with pytest.raises(OutputError, match="holds a finished run"):
        await trade(tmp_path / "run")
    with pytest.raises(ConfigError, match="holds a finished run: nobody will hear a kill"):
        send_command(tmp_path / "run", "kill", "x")


async def test_a_stop_in_the_warm_up_decided_nothing_and_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after(monkeypatch, 3)
    assert (await trade(tmp_path / "run", "on_stop=keep"))["status"] == "kept"
    stop_after(monkeypatch, None)
    await trade(tmp_path / "run", "on_stop=keep")
    assert Feed.starts[-1].warmup_start_ms is not None
    assert taped(tmp_path / "run")[:-1] == market()


async def test_commands_given_while_nothing_ran_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_after(monkeypatch, 45)
    await trade(tmp_path / "run", "on_stop=keep")
    send_command(tmp_path / "run", "kill", "overnight")
    stop_after(monkeypatch, None)
    views: list[SessionView] = []
    await trade(tmp_path / "run", "on_stop=keep", on_session=lambda view, _: views.append(view))
    assert taped(tmp_path / "run")[45:48] == [Stop("SIGTERM"), Kill("overnight"), market()[45]]
    assert views[0].recorded.runtime.safety.halted
    assert "kill_switch" in trades_of(tmp_path / "run")


@pytest.mark.parametrize(("count", "positions"), [(24, 0), (45, 1)])
async def test_a_halt_refuses_entries_and_closes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, positions: int
) -> None:
    stop_after(monkeypatch, count)
    await trade(tmp_path / "run", "on_stop=keep")
    assert len(json.loads((tmp_path / "run/status.json").read_text())["positions"]) == positions
    killed, opened = (trades_of(tmp_path / "run").count(word) for word in ("kill_switch", ",OPEN,"))
    send_command(tmp_path / "run", "halt", "a look")
    stop_after(monkeypatch, None)
    views: list[SessionView] = []
    await trade(tmp_path / "run", "on_stop=keep", on_session=lambda view, _: views.append(view))
    assert taped(tmp_path / "run")[count : count + 2] == [Stop("SIGTERM"), Halt("a look")]
    status = views[0].status()
    assert status["rest"].keys() == {"requests", "weight", "minute_weight", "minute_limit"}
    assert (status["halted"], status["killed"], status["halts"][-1]["why"]) == (True, False, "a look")
    assert (status["funnel"]["refused_by_gate"].get("halted", 0) > 1) == (count == 24)
    assert [trades_of(tmp_path / "run").count(word) for word in ("kill_switch", ",OPEN,")] == [killed, opened]


async def test_a_kill_switch_file_halts_before_the_first_slice(tmp_path: Path) -> None:
    (tmp_path / "KILL_SWITCH").touch()
    results = await trade(tmp_path / "run")
    first, *rest = taped(tmp_path / "run")
    assert first == Kill(f"kill-switch file {tmp_path / 'KILL_SWITCH'}")
    resumes = [place for place, event in enumerate(rest) if isinstance(event, Resume)]
    assert len(resumes) == 1, "the golden market's own"
    assert results["kill_switch"]["time"] == results["period"]["start"]
    assert 0.0 <= results["kill_switch"]["untraded_pct"] <= 100.0


async def test_the_latch_survives_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_after(monkeypatch, 16)
    await trade(tmp_path / "run", "on_stop=keep")
    halted: list[bool] = []
    stop_after(monkeypatch, None)
    await trade(
        tmp_path / "run", "on_stop=keep", on_session=lambda view, _: halted.append(view.recorded.runtime.safety.halted)
    )
    assert halted == [True]


async def test_what_changed_is_named_and_the_tape_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after(monkeypatch, 20)
    await trade(tmp_path / "run", "on_stop=keep")
    before = (tmp_path / "run/tape/000001.jsonl").read_bytes()
    with pytest.raises(
        ConfigError, match=r"changed since: the settings \(risk.reward_risk_ratio, trading_mode.on_stop\)"
    ):
        await trade(tmp_path / "run", "risk.reward_risk_ratio=3.0")
    monkeypatch.setattr(epochs, "code_sha256", lambda: "other code")
    with pytest.raises(
        ConfigError, match=r"changed since: Onetape's code\. Continue with what it was begun with, or with --new-epoch"
    ):
        await trade(tmp_path / "run", "on_stop=keep")
    assert (tmp_path / "run/tape/000001.jsonl").read_bytes() == before


async def test_a_tape_that_is_damaged_or_decided_otherwise_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after(monkeypatch, 45)
    await trade(tmp_path / "run", "on_stop=keep")
    whole = (tmp_path / "run/tape/000001.jsonl").read_bytes()
    (tmp_path / "run/tape/000001.jsonl").write_bytes(whole.replace(b"AAA/X", b"AAA/Y"))
    with pytest.raises(DataError, match="is damaged: a line in it does not match its checksum"):
        await trade(tmp_path / "run", "on_stop=keep")
    (tmp_path / "run/tape/000001.jsonl").write_bytes(whole)
    monkeypatch.setattr("tests.parity.seeded_strategy.toss", lambda *_: None)
    with pytest.raises(DataError, match="was decided on differently when it was recorded"):
        await trade(tmp_path / "run", "on_stop=keep")


async def test_a_second_session_in_the_same_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_after(monkeypatch, 20)
    await trade(tmp_path / "run", "on_stop=keep")
    with (
        owned(tmp_path / "run"),
        pytest.raises(OutputError, match=f"belongs to a run that is going on, process {os.getpid()}; stop it first"),
    ):
        await trade(tmp_path / "run", "on_stop=keep")


async def test_a_fault_is_in_the_status_and_the_session_can_be_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Feed.run

    async def fail(self: Feed, queue: EventQueue) -> None:
        for event in market()[:20]:
            await queue.put((event,))
        while queue.qsize():
            await asyncio.sleep(0)
        raise DataError("the exchange speaks in tongues")

    monkeypatch.setattr(Feed, "run", fail)
    with pytest.raises(DataError, match="tongues"):
        await trade(tmp_path / "run")
    status = json.loads((tmp_path / "run/status.json").read_text())
    assert (status["ended"], status["why"]) == ("failed", "the exchange speaks in tongues")
    monkeypatch.setattr(Feed, "run", run)
    await trade(tmp_path / "run")
    await trade(tmp_path / "whole")
    assert trades_of(tmp_path / "run") == trades_of(tmp_path / "whole")


async def test_an_end_that_has_passed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--end 2025-03-30T1900 has passed by the exchange's clock"):
        await trade(tmp_path / "run", end_ms=START_MS)
    assert not (tmp_path / "run").exists()


def differing(before: Any, now: Any) -> Sequence[str]:
    return epochs.differing(before, now)


def test_settings_that_differ_are_named_by_their_keys() -> None:
    assert differing({"a": {"b": 1, "c": [1]}}, {"a": {"b": 1, "c": [2]}, "d": None}) == ["a.c"]
    assert differing({"a": 1}, {"a": 1.0, "b": 2}) == ["a", "b"]
    assert differing({"a": {}}, {"a": {}}) == []


async def test_a_tape_that_is_refused_leaves_the_trade_log_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after(monkeypatch, 45)
    await trade(tmp_path / "run", "on_stop=keep")
    before = {path: path.read_bytes() for path in (tmp_path / "run").glob("*.csv")}
    assert any(len(content.splitlines()) > 3 for content in before.values())
    with monkeypatch.context() as other:
        other.setattr(recorded_runtime, "digest_of", lambda *_: "another decision")
        with pytest.raises(DataError, match="was decided on differently"):
            await trade(tmp_path / "run", "on_stop=keep")
    assert {path: path.read_bytes() for path in (tmp_path / "run").glob("*.csv")} == before
