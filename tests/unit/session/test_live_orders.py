"""Sessions whose orders are real: intents on the disk before the desk has them, and a replay that asks for the same."""

import asyncio
import errno
import os
import signal
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.errors import DataError, OutputError
from app.feeds.tape import Record, read_tape
from app.models.events import Event, Execution, Kill, Stop
from app.models.intents import Cancel, Intent, PlaceOco, PlaceOrder
from app.models.orders import OrderState
from app.runs.run_folder import RunFolder
from app.session import journal
from app.session.building import OrderNames
from app.session.epochs import epoch_start
from app.session.order_watch import is_covered
from app.session.recorded_runtime import RecordedRuntime, ReplayError
from app.session.tape_replay import TapeRunner
from app.strategies.base import FLAT, Candle, Signal, Strategy, View, exit_position, long
from tests.golden.make_tape import CONFIG
from tests.live_sessions import Live, live, market, wait_for_ever
from tests.scripted_desk import ScriptedDesk

NAMES = OrderNames("abc123", 1)


class Buys(Strategy):
    """A long whenever there is none, out after six candles."""

    def __init__(self) -> None:
        self.count = 0

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        """By the candles heard."""
        self.count += 1
        if view.position is None and self.count % 3 == 0:
            return long(stop=candle.close * 0.9, target=candle.close * 1.2)
        return exit_position() if view.position is not None and self.count % 7 == 0 else FLAT


BUYS: dict[str, Any] = {
    **CONFIG,
    "live": {**CONFIG["live"], "strategy": {"name": "tests.unit.session.test_live_orders:Buys"}},
    "trading_mode": {
        **CONFIG["trading_mode"], "orders": {"max_order_notional": None, "max_daily_orders": None},
    },
}  # fmt: skip


def session(run: Path, *overrides: str, **more: Any) -> tuple[Live, ScriptedDesk]:
    made = live(run, *overrides, config=BUYS, orders=NAMES, **more)
    account = made.recorded.runtime.account
    return made, ScriptedDesk({"X": account.starting_balance}, lambda symbol: account.marks[symbol])


def records(run: Path) -> list[Record]:
    return list(read_tape(run).records)


def steps(made: Live, desk: ScriptedDesk, events: Sequence[Event]) -> list[Any]:
    """Each event with all that the desk has to say of it."""
    asked: list[Intent] = []
    write = made.journal.intents

    def count(seq: int, intents: Sequence[Intent]) -> None:
        asked.extend(intent for intent in intents if intent.client_id not in desk.never_sent)
        write(seq, intents)

    async def settle() -> None:
        while not desk.has_told or len(asked) > len(desk.sent):
            await asyncio.sleep(0)

    made.journal.intents = count  # type: ignore[method-assign]
    return [step for event in events for step in (settle, settle, settle, event)]


async def traded(run: Path) -> tuple[Live, ScriptedDesk]:
    made, desk = session(run)
    assert await made.run(*steps(made, desk, market()), desk=desk) == "finished"
    return made, desk


async def test_every_order_is_on_the_tape_and_a_replay_gives_the_same_bytes(tmp_path: Path) -> None:
    made, desk = await traded(tmp_path / "run")
    taped = records(tmp_path / "run")
    assert [intent for record in taped for intent in record.intents] == desk.sent
    assert {type(intent) for intent in desk.sent} == {PlaceOrder, PlaceOco, Cancel}
    assert any(isinstance(record.event, Execution) for record in taped)
    assert not made.recorded.runtime.account.positions
    assert made.trades.count("OPEN") > 3
    told = await TapeRunner(tmp_path / "run", tmp_path / "tape").run_async()
    assert (tmp_path / "tape" / told["files"]["trades"]).read_text() == made.trades
    for name in ("equity.parquet", "signals.csv"):
        assert (tmp_path / "tape" / name).read_bytes() == (tmp_path / "run" / name).read_bytes()


async def test_the_desk_gets_what_is_on_the_disk_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, desk = session(tmp_path / "run")
    synced: list[int] = []
    fsync, send = os.fsync, desk.send

    def sync(descriptor: int) -> None:
        fsync(descriptor)
        synced.append(os.fstat(descriptor).st_size)

    def check(intents: Any) -> None:
        tape = (tmp_path / "run/tape/000001.jsonl").read_bytes()
        assert synced[-3] == len(tape), "the tape, and after it the state, are synced before anything is sent"
        assert records(tmp_path / "run")[-1].intents == intents
        assert records(tmp_path / "run")[-1].digest is not None
        send(intents)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(journal, "_SYNC_S", 3600.0)
    desk.send = check  # type: ignore[method-assign]
    assert await made.run(*steps(made, desk, market()), desk=desk, state=made.view.state) == "finished"
    assert desk.sent


@pytest.mark.parametrize("fails", ["write", "sync"])
async def test_a_tape_that_cannot_be_written_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    made, desk = session(tmp_path / "run")
    if fails == "write":
        append = made.journal._append

        def full(content: bytes) -> None:
            if content.startswith(b'["intents"'):
                made.journal._descriptor = os.open("/dev/full", os.O_WRONLY)
            append(content)

        monkeypatch.setattr(made.journal, "_append", full)
    else:

        def no_disk(descriptor: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "fsync", no_disk)
        monkeypatch.setattr(journal, "_SYNC_S", 3600.0)
    said = "No space left on device" if fails == "write" else "Input/output error"
    with pytest.raises(OutputError, match=f"cannot be written: {said}; nothing is traded without it"):
        await made.run(*market()[:7], wait_a_moment, *market()[7:], wait_for_ever, desk=desk)
    assert desk.sent == []


async def wait_a_moment() -> None:
    """For the first snapshot, without which nothing is bought."""
    for _ in range(20):
        await asyncio.sleep(0)


def rewritten(run: Path, change: Any) -> None:
    """The tape with other lines, their checksums right."""
    path = run / "tape/000001.jsonl"
    lines = [line[9:] for line in path.read_bytes().splitlines()]
    path.write_bytes(b"".join(b"%08x %b\n" % (zlib.crc32(line), line) for line in change(lines)))


async def test_other_orders_than_those_recorded_are_named(tmp_path: Path) -> None:
    await traded(tmp_path / "run")
    rewritten(tmp_path / "run", lambda lines: [
        line.replace(b'"buys":true', b'"buys":false') if line.startswith(b'["intents"') else line for line in lines
    ])  # fmt: skip
    with pytest.raises(ReplayError, match=r"led to other orders when it was recorded \(PlaceOrder abc123-1-1-e, now"):
        await TapeRunner(tmp_path / "run", tmp_path / "tape").run_async()


@pytest.mark.parametrize("lacks", ["the digest", "the orders"])
async def test_what_was_on_the_tape_without_a_digest_was_never_sent(tmp_path: Path, lacks: str) -> None:
    """Killed between an event and its digest: the next start says so, and closes the gap on the tape."""
    await traded(tmp_path / "run")
    taped = records(tmp_path / "run")
    places = [place for place, record in enumerate(taped) if isinstance((*record.intents, None)[0], PlaceOrder)]
    at = taped[places[0]]

    def cut(lines: list[bytes]) -> list[bytes]:
        kind = b'["done"' if lacks == "the digest" else b'["intents"'
        end = next(number for number, line in enumerate(lines) if line.startswith(b"%b,%d," % (kind, at.seq)))
        return lines[:end]

    rewritten(tmp_path / "run", cut)
    made, desk = session(tmp_path / "run", again=True)
    await made.recorded.replay(read_tape(tmp_path / "run"))
    never_sent = made.recorded.never_sent()
    assert never_sent == {at.intents[0].client_id}
    broker: Any = made.recorded.runtime.broker
    desk.take_up(broker.open_intents(), never_sent)
    assert desk.taken_up == list(at.intents)
    heard = [event for event in market() if getattr(event, "close_time_ms", 0) > made.recorded.runtime.account.time_ms]
    assert await made.run(*steps(made, desk, heard), desk=desk) == "finished"
    again = records(tmp_path / "run")
    assert [one.seq for one in again] == list(range(1, len(again) + 1))
    assert again[at.seq - 1] == at
    assert all(record.digest for record in again)
    refused = next(one.event for one in again if isinstance(one.event, Execution))
    assert (refused.order_id, refused.state, refused.why) == (1, "refused", "never sent")
    assert at.intents[0] not in desk.sent
    await TapeRunner(tmp_path / "run", tmp_path / "tape").run_async()


async def test_a_stop_waits_for_the_exchange_until_all_is_closed(tmp_path: Path) -> None:
    made, desk = session(tmp_path / "run")

    def stop() -> bool:
        if not made.recorded.runtime.account.positions:
            return False
        os.kill(os.getpid(), signal.SIGTERM)
        return True

    script = [step for one in steps(made, desk, market()) for step in (one, stop)]
    assert await made.run(*script, desk=desk) == "stopped"
    last = [record.event for record in records(tmp_path / "run")]
    assert isinstance(last[-1], Execution)
    assert Stop("SIGTERM") in last
    assert desk.balances["X"] == pytest.approx(made.recorded.runtime.account.balance)


async def test_a_session_that_cannot_close_gives_up_says_what_is_left_and_goes_on_closing(tmp_path: Path) -> None:
    made, desk = session(tmp_path / "run")

    def stop() -> bool:
        if not made.recorded.runtime.account.positions:
            return False
        desk.is_silent = True
        os.kill(os.getpid(), signal.SIGTERM)
        return True

    script = [step for one in steps(made, desk, market()) for step in (one, stop)]
    assert await made.run(*script, desk=desk, closing_s=0.1) == "gave_up"
    assert not (tmp_path / "run/results.json").exists(), "the next start goes on"
    status = made.view.status()
    assert status["closing"]
    assert len(status["positions"]) == 1
    assert made.results["status"] == "gave_up"

    again, desk = session(tmp_path / "run", again=True)
    await again.recorded.replay(read_tape(tmp_path / "run"))
    again.recorded.go_on()
    broker: Any = again.recorded.runtime.broker
    desk.balances = {"X": 0.0}
    desk.take_up(broker.open_intents())
    assert await again.run(wait_for_ever, desk=desk) == "finished"
    assert not again.recorded.runtime.account.positions
    assert [record.event for record in records(tmp_path / "run")].count(Stop("SIGTERM")) == 1


async def stopped_with_a_position(run: Path, keep_state: Callable[[Live, int], bytes]) -> Live:
    made, desk = session(run, "on_stop=keep")

    def stop() -> bool:
        if not made.recorded.runtime.account.positions:
            return False
        os.kill(os.getpid(), signal.SIGTERM)
        return True

    script = [step for one in steps(made, desk, market()) for step in (one, stop)]
    state = partial(keep_state, made)
    assert (
        await made.run(*script, desk=desk, state=state, may_stop=partial(is_covered, made.recorded.runtime))
        == "stopped"
    )
    return made


async def test_a_new_epoch_knows_all_orders_of_the_ones_before(tmp_path: Path) -> None:
    made = await stopped_with_a_position(tmp_path / "run", lambda made, seq: made.view.state(seq))
    before: Any = made.recorded.runtime.broker
    start = epoch_start(read_tape(tmp_path / "run"))
    assert start.number == 2
    (tmp_path / "next").mkdir()
    plan = replace(made.plan, orders=OrderNames(NAMES.tag, start.number))
    recorded = RecordedRuntime.build(plan, RunFolder(tmp_path / "next", "live_test"), start.state)
    broker: Any = recorded.runtime.broker
    assert broker.memory() == before.memory()
    assert broker.protections() == before.protections()
    (oco,) = broker.open_intents()
    assert isinstance(oco, PlaceOco)
    assert oco.client_id.startswith("abc123-1-"), "the order keeps the epoch that it was sent in"
    await recorded.handle(Kill("enough"))
    for leg in ("t", "s"):
        await recorded.handle(Execution(oco.order_id, OrderState.CANCELLED, oco.time_ms, leg=leg, filled=0.0))
    (sale,) = recorded.intents
    assert sale.client_id.startswith("abc123-2-")
    recorded.recorder.close()


async def test_no_epoch_begins_before_orders_that_were_sent(tmp_path: Path) -> None:
    """The state that knows of them is not there: the power went, or the disk took it no more."""
    place, kept = tmp_path / "run/tape", dict[str, bytes]()

    def keep(made: Live, seq: int) -> bytes:
        if made.recorded.runtime.account.pending and not kept:
            kept.update({path.name: path.read_bytes() for path in place.glob("state.*")})
        return made.view.state(seq)

    await stopped_with_a_position(tmp_path / "run", keep)
    for name, content in kept.items():
        (place / name).write_bytes(content)
    tape = read_tape(tmp_path / "run")
    sent = next(record.seq for record in tape.records if record.intents)
    rewritten(tmp_path / "run", lambda lines: [
        line for line in lines if line.startswith(b'["head"') or int(line.split(b",")[1]) <= sent
    ])  # fmt: skip
    with pytest.raises(DataError, match="the state after its last event is not there"):
        epoch_start(read_tape(tmp_path / "run"))
