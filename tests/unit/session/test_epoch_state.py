"""The state that a new epoch goes on from: it fits the tape, is whole, and lies where the logs have what it counts."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.errors import ConfigError, DataError, OnetapeError
from app.feeds.tape import read_tape
from app.models.market import Candle, Slice
from app.session.epochs import state_of
from app.session.state_file import StateFile, read_states
from app.session.tape_replay import TapeRunner
from app.trading.safety import SafetyMemory, SafetyMonitor
from tests.candle_columns import MINUTE_MS
from tests.golden.make_tape import START_MS, SYMBOLS, WARMUP
from tests.parity import seeded_strategy
from tests.parity.market import made_up
from tests.scripted_paper import Feed, no_sockets, trade, trades_of
from tests.unit.session.test_epochs import KEEP, OTHER, assert_same_files, broken


@pytest.fixture(autouse=True)
def without_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    no_sockets(monkeypatch)


async def test_without_a_state_or_a_tape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"--new-epoch goes on with a session: --out .*none holds no tape of one"):
        await trade(tmp_path / "none", new_epoch=True)
    await broken(tmp_path / "run", monkeypatch, 20)
    for path in (tmp_path / "run/tape").glob("state.*"):
        path.unlink()
    with pytest.raises(DataError, match="the state after its last event is not there"):
        await trade(tmp_path / "run", KEEP, OTHER, new_epoch=True)
    # It is there again once the old code has gone on with it.
    await broken(tmp_path / "run", monkeypatch, 21)
    await trade(tmp_path / "run", KEEP, OTHER, new_epoch=True)


async def test_an_older_state_is_taken_and_what_came_after_it_is_heard_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await trade(tmp_path / "whole", KEEP)
    await broken(tmp_path / "run", monkeypatch, 33)
    newest = max((tmp_path / "run/tape").glob("state.*"), key=lambda path: path.stat().st_mtime_ns)
    newest.write_bytes(b"torn")
    monkeypatch.setattr(Feed, "begin_at", 32)
    await trade(tmp_path / "run", KEEP, OTHER, new_epoch=True)
    assert_same_files(tmp_path / "run", tmp_path / "whole")
    tape = read_tape(tmp_path / "run")
    assert [epoch.last_seq for epoch in tape.epochs] == [32, None]
    assert len(list(tape.epochs[0].all_records)) == 33
    results = await TapeRunner(tmp_path / "run", tmp_path / "tape").run_async()
    assert (results.folder / results["files"]["trades"]).read_text() == trades_of(tmp_path / "run")


async def test_rows_that_were_edited_are_no_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await broken(tmp_path / "run", monkeypatch, 45)
    await broken(tmp_path / "run", monkeypatch, 60, OTHER, new_epoch=True)
    path = next((tmp_path / "run").glob("paper_*.csv"))
    path.write_text(path.read_text().replace("LONG", "SHORT", 1))
    with pytest.raises(DataError, match="its rows before epoch 2 are not those that its session wrote"):
        await trade(tmp_path / "run", KEEP, OTHER)
    path.write_text("timestamp\n")
    with pytest.raises(OnetapeError, match=r"is shorter|are not those"):
        await trade(tmp_path / "run", KEEP, "feed.silence_s=12", new_epoch=True)


async def test_a_state_that_does_not_fit_the_tape_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await broken(tmp_path / "run", monkeypatch, 20)
    tape = tmp_path / "run/tape"
    states = read_states(tape)
    for path in tape.glob("state.*"):
        path.unlink()
    file = StateFile(tape)
    for state in states:
        digest = json.loads(state)["digest"].encode()
        file.write(state.replace(digest, b"f" * 16))
    file.close()
    with pytest.raises(DataError, match="the state after its last event is not there"):
        await trade(tmp_path / "run", KEEP, OTHER, new_epoch=True)


async def test_an_event_that_was_not_decided_on_is_decided_by_the_next_start_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await trade(tmp_path / "whole", KEEP)
    await broken(tmp_path / "run", monkeypatch, 33)
    segment = tmp_path / "run/tape/000001.jsonl"
    lines = segment.read_bytes().splitlines(keepends=True)
    assert b'["done",33,' in lines[-1]
    segment.write_bytes(b"".join(lines[:-1]))
    told: list[str] = []
    again = await TapeRunner(tmp_path / "run", tmp_path / "tape", tell=told.append).run_async()
    assert told == ["event 33, the last, had not been decided on when the session broke off"]
    assert again["status"] == "finished"
    await trade(tmp_path / "run", KEEP, tell=told.append)
    assert told[1:] == ["event 33 of the tape had not been decided on when the session broke off; it is now"]
    assert all(record.digest for record in read_tape(tmp_path / "run").records)
    assert_same_files(tmp_path / "run", tmp_path / "whole")


def over_midnight(monkeypatch: pytest.MonkeyPatch) -> None:
    """A market of two days whose strategy trades on the first one alone: the second day is flat."""
    rows = made_up(3, SYMBOLS, START_MS - WARMUP * MINUTE_MS, WARMUP + 400)
    candles: dict[int, list[Candle]] = {}
    for symbol in SYMBOLS:
        for row in rows[symbol]:
            candles.setdefault(row[0], []).append(Candle(symbol, "1m", *row))
    market = [Slice(at + MINUTE_MS, tuple(candles[at]), at < START_MS) for at in sorted(candles)]
    monkeypatch.setattr(Feed, "market", market)
    decide, last_ms = seeded_strategy.toss, START_MS + 280 * MINUTE_MS

    def toss(seed: int, symbol: str, open_time_ms: int, close: float) -> Any:
        return decide(seed, symbol, open_time_ms, close) if open_time_ms < last_ms else {"action": "EXIT"}

    monkeypatch.setattr(seeded_strategy, "toss", toss)


@pytest.mark.parametrize("older", [False, True])
async def test_a_daily_loss_limit_that_a_new_epoch_switches_on_trips_on_no_flat_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, older: bool
) -> None:
    """`older`: the state is that of a Onetape whose guard had seen the start of the session and nothing since."""
    over_midnight(monkeypatch)
    with monkeypatch.context() as first:
        if older:
            stale = SafetyMemory(False, (), 10_000.0, START_MS + MINUTE_MS, 10_000.0, 10_000.0)
            first.setattr(SafetyMonitor, "memory", lambda _: stale)
        await broken(tmp_path / "run", monkeypatch, 380)
    lost = [float(row.split(",")[11]) for row in trades_of(tmp_path / "run").splitlines()[1:] if "CLOSE" in row]
    assert sum(lost) < -10
    results = await trade(tmp_path / "run", KEEP, "safety.max_daily_loss=0.0001", new_epoch=True)
    assert results["kill_switch"] is None
    memory = state_of(read_tape(tmp_path / "run").epochs[1])
    assert memory is not None
    assert memory.runtime.safety.day_start_equity == results["performance"]["final_equity"] < 9_990
    assert memory.runtime.safety.follows_rows


async def test_the_loss_of_the_day_goes_on_in_a_new_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    over_midnight(monkeypatch)
    stale = SafetyMemory(False, (), 10_000.0, START_MS + MINUTE_MS, 9_000.0, 9_000.0)
    with monkeypatch.context() as first:
        first.setattr(SafetyMonitor, "memory", lambda _: stale)
        await broken(tmp_path / "run", monkeypatch, 295)  # on the first day, after its losses
    results = await trade(tmp_path / "run", KEEP, "safety.max_daily_loss=0.0001", new_epoch=True)
    assert results["kill_switch"]["why"].startswith("daily loss")
