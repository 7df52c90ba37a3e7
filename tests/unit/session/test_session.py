"""A live session: the order of the queue is that of the tape, and whatever ends it, the tape goes on from there."""

import asyncio
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from app import run_config_backtest
from app.errors import OutputError
from app.feeds.base import EventQueue
from app.feeds.tape import read_tape
from app.models.events import EndOfData, Event, GiveUp, Kill, Stop
from app.session.control import CommandWatch, send_command
from app.session.session import Session
from app.settings.shipped import SAMPLE_CACHE, SAMPLE_CONFIG
from tests.integration.processes import PROJECT
from tests.live_sessions import BLOCKING, OPEN_AFTER, Live, live, market, wait_for_ever


def ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


async def replayed(run: Path, folder: Path, *overrides: str) -> Live:
    """The tape of `run` through a runtime of its own."""
    again = live(folder, *overrides)
    try:
        await again.recorded.replay(read_tape(run))
    finally:
        again.close()
    return again


async def test_the_order_of_the_queue_is_the_order_of_the_tape_and_of_what_is_handled(tmp_path: Path) -> None:
    made = live(tmp_path / "run")
    handled: list[Event] = []
    made.recorded.observer = lambda event, fills, decisions: handled.append(event)
    assert await made.run(*market()) == "finished"
    assert made.taped() == handled == [*market(), EndOfData()]
    records = list(read_tape(tmp_path / "run").records)
    assert [record.seq for record in records] == list(range(1, len(handled) + 1))
    assert all(record.digest is not None for record in records)
    again = await replayed(tmp_path / "run", tmp_path / "again")
    assert (again.trades, again.recorded.digest) == (made.trades, made.recorded.digest)
    assert again.trades.count("\n") > 5


async def test_every_event_is_on_the_tape_before_it_is_handled(tmp_path: Path) -> None:
    made = live(tmp_path)
    written: list[int] = []
    made.recorded.observer = lambda event, fills, decisions: written.append(len(made.taped()))
    await made.run(*market()[:10])
    assert written == list(range(1, 12))


async def test_a_stop_is_a_command_in_the_queue(tmp_path: Path) -> None:
    made = live(tmp_path)
    assert await made.run(*market()[:OPEN_AFTER], ctrl_c, wait_for_ever) == "stopped"
    assert made.taped() == [*market()[:OPEN_AFTER], Stop("SIGINT")]
    assert made.recorded.runtime.account.positions == {}


async def test_a_broker_that_does_not_close_is_given_up_and_the_tape_says_so(tmp_path: Path) -> None:
    made = live(tmp_path)

    async def never(reason: object) -> None:
        """A broker that answers later, and here not at all."""

    made.recorded.runtime.broker.close_all_positions = never  # type: ignore[method-assign]
    assert await made.run(*market()[:OPEN_AFTER], closing_s=0.01) == "gave_up"
    assert [type(event) for event in made.taped()[-2:]] == [EndOfData, GiveUp]
    assert made.recorded.runtime.account.positions, "what is left is in the account"


async def test_a_stop_that_comes_with_the_end_is_no_stop(tmp_path: Path) -> None:
    made = live(tmp_path, "on_stop=keep")
    made.recorded.observer = lambda event, *_: ctrl_c() if isinstance(event, EndOfData) else None
    assert await made.run(*market()) == "finished"
    assert made.taped()[-1] == EndOfData()


class Flood:
    """A feed whose first burst ends the session, and that keeps the queue full as long as anybody listens."""

    async def run(self, queue: EventQueue) -> None:
        """The Feed protocol."""
        await queue.put((*market()[:3], Stop("as good an end as any")))
        while True:
            await queue.put((market()[3],))


async def test_a_stop_that_finds_the_queue_full_and_the_session_over_holds_nothing_up(tmp_path: Path) -> None:
    made = live(tmp_path)
    made.recorded.observer = lambda event, *_: ctrl_c() if event == market()[1] else None
    handle = made.recorded.runtime.handle

    async def wait_and_handle(events: Sequence[Event]) -> None:
        for _ in range(10):  # as a strategy may: the others have their turn
            await asyncio.sleep(0)
        await handle(events)

    made.recorded.runtime.handle = wait_and_handle  # type: ignore[method-assign]
    session = Session(Flood(), made.recorded, made.journal)
    try:
        assert await asyncio.wait_for(session.run(), 10) == "stopped"
    finally:
        made.close()
    assert made.taped() == [*market()[:3], Stop("as good an end as any")]


async def test_a_stop_leaves_the_signals_as_they_were(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    await live(tmp_path).run(*market()[:3])
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_second_ctrl_c_ends_a_blocked_process_at_once_and_its_tape_goes_on(
    tmp_path: Path, number: signal.Signals
) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "tests.live_sessions", str(run)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "blocked\n"
        process.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)  # the first one waits for the strategy
        while process.poll() is None:  # two that come at once are one
            process.send_signal(number)
            time.sleep(0.05)
        assert process.returncode == 130
    tape = read_tape(run)
    records = list(tape.records)
    assert [record.event for record in records] == market()[: len(records)]
    assert records[-1].digest is None, "the event at hand was not decided on"
    assert all(record.digest for record in records[:-1])
    (run / "again").mkdir()
    again = live(run / "again", config=BLOCKING)
    for record in records[:-1]:
        assert await again.recorded.handle(record.event) == record.digest
    again.close()
    assert again.recorded.runtime.account.positions, "it held one when it ended"


async def test_commands_that_waited_come_before_the_first_event(tmp_path: Path) -> None:
    made = live(tmp_path)
    send_command(tmp_path, "kill", "while nothing ran")
    told: list[str] = []
    watch = CommandWatch(tmp_path, tmp_path / "KILL", told.append)
    await made.run(*market()[:8], commands=watch)
    assert made.taped()[:2] == [Kill("while nothing ran"), market()[0]]
    assert list((tmp_path / "commands").iterdir()) == []
    assert told == []


async def test_a_command_of_a_running_session_is_removed_once_it_was_handled(tmp_path: Path) -> None:
    made = live(tmp_path)
    watch = CommandWatch(tmp_path, tmp_path / "KILL")

    def observe(event: Event, *_: object) -> None:
        if isinstance(event, Kill):
            assert [path.name for path in (tmp_path / "commands").iterdir()] == ["000001.json"]
            ctrl_c()

    made.recorded.observer = observe
    steps = (*market()[:8], lambda: send_command(tmp_path, "kill", "now"), wait_for_ever)
    assert await made.run(*steps, commands=watch) == "stopped"
    assert made.taped() == [*market()[:8], Kill("now"), Stop("SIGINT")]
    assert list((tmp_path / "commands").iterdir()) == []


async def test_a_stop_from_another_shell_ends_it_as_ctrl_c_does(tmp_path: Path) -> None:
    made = live(tmp_path)
    watch = CommandWatch(tmp_path, tmp_path / "KILL")
    steps = (*market()[:OPEN_AFTER], lambda: send_command(tmp_path, "stop", "for today"), wait_for_ever)
    assert await made.run(*steps, commands=watch) == "stopped"
    assert made.taped() == [*market()[:OPEN_AFTER], Stop("for today")]
    assert not made.recorded.runtime.account.positions
    assert list((tmp_path / "commands").iterdir()) == []


async def test_a_stage_that_fails_is_followed_by_nothing_in_any_file(tmp_path: Path) -> None:
    made = live(tmp_path / "run", "strategy.params.seed=2")
    handle = made.recorded.runtime.handle

    async def fail(events: tuple[Event, ...]) -> None:
        await handle(events)
        if made.recorded.runtime.account.positions and len(made.taped()) > 20:
            raise ZeroDivisionError("a strategy")

    made.recorded.runtime.handle = fail  # type: ignore[method-assign, assignment]
    with pytest.raises(ZeroDivisionError):
        await made.run(*market(), wait_for_ever)
    *decided, last = read_tape(tmp_path / "run").records
    assert last.digest is None
    assert all(record.digest for record in decided)
    again = live(tmp_path / "again", "strategy.params.seed=2")
    await again.recorded.replay(read_tape(tmp_path / "run"), decided[-1].seq)
    again.close()
    assert made.trades == again.trades
    assert made.trades.count("\n") > 3


async def test_a_disk_that_is_full_stops_trading_and_what_was_written_replays(tmp_path: Path) -> None:
    """At seeded sizes: the limit cuts a line in the middle, as a full disk does."""
    whole = live(tmp_path / "whole")
    await whole.run(*market())
    size = (tmp_path / "whole/tape/000001.jsonl").stat().st_size
    head = (tmp_path / "whole/tape/000001.jsonl").read_bytes().index(b"\n") + 1
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    for number in range(8):
        limit = random.Random(number).randrange(head + 10, size - 10)
        made = live(run := tmp_path / f"full-{number}")
        handled: list[Event] = []
        made.recorded.observer = lambda event, *_, handled=handled: handled.append(event)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(OutputError, match="File too large; nothing is traded without it"):
                await made.run(*market())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        assert made.taped() == handled == market()[: len(handled)], "an event that is not on the tape was handled"
        again = await replayed(run, tmp_path / f"again-{number}")
        assert again.trades == made.trades
        assert whole.trades.startswith(again.trades)
        # With room again it goes on, and ends as the one that was never interrupted.
        further = live(run, again=True)
        await further.recorded.replay(read_tape(run))
        assert await further.run(*market()[len(handled) :]) == "finished"
        assert (further.trades, further.recorded.digest) == (whole.trades, whole.recorded.digest)


async def test_what_takes_longer_than_a_candle_is_told(tmp_path: Path) -> None:
    slow: list[tuple[Event, float]] = []
    made = live(tmp_path)
    await made.run(*market()[:3], slow_s=0.0, on_slow=lambda event, took_s: slow.append((event, took_s)))
    assert [event for event, _ in slow] == [*market()[:3], EndOfData()]
    assert all(took_s > 0 for _, took_s in slow)
    made, count = live(tmp_path / "quick"), len(slow)
    await made.run(*market()[:3], slow_s=60.0, on_slow=lambda event, took_s: slow.append((event, took_s)))
    assert len(slow) == count


async def test_a_watcher_that_fails_ends_the_session_with_its_error(tmp_path: Path) -> None:
    async def fail(_: object) -> None:
        raise ConnectionError("a watcher")

    with pytest.raises(ConnectionError, match="a watcher"):
        await live(tmp_path).run(*market()[:3], wait_for_ever, watchers=(fail,))


def test_what_a_signal_did_before_a_run_it_does_again_after_it(tmp_path: Path) -> None:
    def mine(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, mine)
    try:
        run_config_backtest("2023-03-20", "2023-03-21", config=SAMPLE_CONFIG, cache=SAMPLE_CACHE, out=tmp_path / "run")
        assert signal.getsignal(signal.SIGTERM) is mine
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)
