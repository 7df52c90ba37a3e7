"""Breaks each promise once, by a patch of the code, and sees its check fail: a check that cannot fail keeps nothing.

Beside each broken one the same check passes on the code as it is.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from app.errors import DataError
from app.feeds.tape import Tape, read_tape
from app.models.events import Event, LateCandle
from app.models.market import Slice
from app.models.orders import FLAT, Fill, Line
from app.runtime.digest import digest_of
from app.runtime.runtime import TradingRuntime
from app.session import recorded_runtime
from app.session.journal import Journal
from app.session.recorded_runtime import RecordedRuntime
from app.trading.safety import SafetyMonitor
from tests.integration.processes import strategy_file
from tests.integration.sessions import market_slices
from tests.parity.both import run_both
from tests.parity.test_reference import random_case
from tests.promises.recording import is_on_tape, killed_at, record, recover, replay, with_strategy, without_digest

SLICES = 230  # 30 of them warm-up
KILLED_AT = 120
DIFFERENTLY = r"event (\d+) \(Slice\) was decided on differently"


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> list[Slice]:
    return market_slices(tmp_path_factory.mktemp("cache"), seed=3)[:SLICES]


async def test_kept_the_tape_gives_the_session(slices: list[Slice], tmp_path: Path) -> None:
    live = await record(tmp_path / "live", slices)
    assert live.count(b"\n") > 50
    assert await replay(tmp_path / "live", tmp_path / "tape") == live
    assert without_digest(tmp_path / "live") == []


# No wall clock.


async def test_a_strategy_that_reads_the_clock_is_named(slices: list[Slice], tmp_path: Path) -> None:
    own = strategy_file(
        tmp_path,
        "import time\n"
        "if self.count % 7 == 0:\n"
        "    return long(stop=candle.close * (0.9 + time.perf_counter_ns() % 9973 * 1e-6))\n"
        "return FLAT",
    )
    config = with_strategy(f"{own}:Own")
    await record(tmp_path / "live", slices, config)
    with pytest.raises(DataError, match=DIFFERENTLY) as raised:
        await replay(tmp_path / "live", tmp_path / "tape", config)
    assert not slices[_number(raised) - 1].warmup, "nothing is decided there"


async def test_a_stage_that_reads_the_clock_is_named(
    slices: list[Slice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = SafetyMonitor.gate

    async def gate(self: SafetyMonitor, line: Line) -> Any:
        await real(self, line)
        # The end of a reading's digits is as good as a coin.
        return None if time.perf_counter_ns() // 100 % 2 else "halted"

    monkeypatch.setattr(SafetyMonitor, "gate", gate)
    await record(tmp_path / "live", slices)
    with pytest.raises(DataError, match=DIFFERENTLY):
        await replay(tmp_path / "live", tmp_path / "tape")


# One order of the stages.


def decide_first(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Strategy before broker: an order fills on the very candle that it was decided on."""

    async def handle(runtime: TradingRuntime, events: Sequence[Event]) -> None:
        for event in events:
            if type(event) is Slice and not event.warmup:
                (own,) = runtime.host.hosted
                asked = own.asked
                runtime.account.marks |= {candle.symbol: candle.close for candle in event.candles}
                runtime.account.time_ms = event.close_time_ms
                for candle, on_candle, view in own.asked_of(runtime.host.absorb(event)):
                    signal = await on_candle(candle, view)
                    if signal is not FLAT:
                        await runtime._act(view.line, own.check(signal, candle), event)
                silenced = {symbol: (_flat, view) for symbol, (_, view) in asked.items()}
                kept = dict(asked)
                asked.update(silenced)
                await original(runtime, (event,))
                asked.update(kept)
            else:
                await original(runtime, (event,))

    return handle


async def _flat(*_: Any) -> Any:
    return FLAT


async def test_a_reordered_stage_is_refused_by_the_tape(
    slices: list[Slice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(tmp_path / "live", slices)
    monkeypatch.setattr(TradingRuntime, "handle", decide_first(TradingRuntime.handle))
    with pytest.raises(DataError, match=DIFFERENTLY):
        await replay(tmp_path / "live", tmp_path / "tape")


async def test_a_reordered_stage_is_refused_by_the_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Where the tape was written by the same wrong code, it is right about itself: the rules say otherwise.
    monkeypatch.setattr(TradingRuntime, "handle", decide_first(TradingRuntime.handle))
    with pytest.raises(AssertionError, match="fill 1:"):
        await asyncio.to_thread(run_both, random_case(1), tmp_path)


# An event is in the kernel before it is handled.


async def test_kept_every_event_is_on_the_tape_while_it_is_handled(slices: list[Slice], tmp_path: Path) -> None:
    await record(tmp_path / "live", slices[:60], handling=is_on_tape(tmp_path / "live"))


async def test_a_dropped_flush_is_seen_by_the_handler(
    slices: list[Slice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _keep_in_the_process(monkeypatch)
    with pytest.raises(AssertionError, match="handled before it was on the tape"):
        await record(tmp_path / "live", slices[:60], handling=is_on_tape(tmp_path / "live"))


async def test_a_dropped_flush_loses_a_fill(
    slices: list[Slice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("kept", "broken"):
        if name == "broken":
            _keep_in_the_process(monkeypatch)
        folder, left = tmp_path / name, tmp_path / f"{name}-killed"
        await record(folder, slices, handling=killed_at(KILLED_AT, folder, left))
        told = (left / "trades.csv").read_bytes()  # what the world had seen when it was killed
        recovered = await replay(left, tmp_path / f"{name}-recovered")
        assert told.count(b"\n") > 10
        assert recovered.startswith(told) == (name == "kept")


def _keep_in_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    # A buffer of the process, as a file object has one: gone with `kill -9`.
    real, waiting = Journal._append, list[bytes]()

    def append(journal: Journal, content: bytes) -> None:
        if content.startswith(b'["head"'):
            real(journal, content)
            return
        waiting.append(content)
        if len(waiting) >= 128:
            for one in waiting:
                real(journal, one)
            waiting.clear()

    monkeypatch.setattr(Journal, "_append", append)


# Every event has its digest, and each digest all that was decided.


async def test_an_event_without_its_digest_is_found(
    slices: list[Slice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Journal.done

    def done(journal: Journal, seq: int, digest: str) -> None:
        if seq != KILLED_AT:
            real(journal, seq, digest)

    monkeypatch.setattr(Journal, "done", done)
    await record(tmp_path / "live", slices)
    with pytest.raises(DataError, match=f"event {KILLED_AT} has no digest, and {KILLED_AT + 1} follows"):
        without_digest(tmp_path / "live")


async def test_a_digest_that_was_skipped_is_named(
    slices: list[Slice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 0

    def skipping(previous: str, runtime: TradingRuntime, fills: Sequence[Fill], *decided: Any) -> str:
        nonlocal count
        count += 1
        return previous if count == KILLED_AT else digest_of(previous, runtime, fills, *decided)

    monkeypatch.setattr(recorded_runtime, "digest_of", skipping)
    await record(tmp_path / "live", slices)
    monkeypatch.undo()
    with pytest.raises(DataError, match=DIFFERENTLY) as raised:
        await replay(tmp_path / "live", tmp_path / "tape")
    assert _number(raised) == KILLED_AT


# Recovery replays everything.


async def test_kept_a_recovery_gives_the_session_without_the_kill(slices: list[Slice], tmp_path: Path) -> None:
    left = tmp_path / "killed"
    live = await record(tmp_path / "live", slices, handling=killed_at(KILLED_AT, tmp_path / "live", left))
    assert without_digest(left) == [KILLED_AT]
    assert await recover(left, slices) == live
    assert await replay(left, tmp_path / "tape") == live


@pytest.mark.parametrize("keeps_number", [False, True])
async def test_a_recovery_of_one_event_less_is_refused_by_its_tape(
    keeps_number: bool, slices: list[Slice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / "killed"
    await record(tmp_path / "live", slices, handling=killed_at(KILLED_AT, tmp_path / "live", left))

    async def replay_less(recorded: RecordedRuntime, tape: Tape) -> None:
        *most, last = tape.records
        for one in most:
            await recorded.handle(one.event)
        recorded.last_seq = last.seq if keeps_number else last.seq - 1
        recorded.undecided = last.seq if keeps_number else None

    monkeypatch.setattr(RecordedRuntime, "replay", replay_less)
    await recover(left, slices)
    monkeypatch.undo()
    caught = DIFFERENTLY if keeps_number else f"event {KILLED_AT + 1} is missing, {KILLED_AT} follows"
    with pytest.raises(DataError, match=caught):
        await replay(left, tmp_path / "tape")
    doubled = [one.event for one in read_tape(left).records] if keeps_number else []
    assert not doubled or doubled.count(doubled[KILLED_AT - 1]) == 2, "what it did not replay it asked for again"


async def test_a_recovery_that_overlooks_a_late_candle_is_refused_by_its_tape(
    slices: list[Slice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not the last event but one of another kind: the seam of a restart is not the only place.
    late = LateCandle(slices[40].candles[1])
    cut = Slice(slices[40].close_time_ms, (slices[40].candles[0],), False)
    told: list[Any] = [*slices[:40], cut, late, *slices[41:]]
    left = tmp_path / "killed"
    await record(tmp_path / "live", told, handling=killed_at(KILLED_AT, tmp_path / "live", left))

    async def replay_slices(recorded: RecordedRuntime, tape: Tape) -> None:
        for one in tape.records:
            if isinstance(one.event, Slice):
                await recorded.handle(one.event)
            recorded.last_seq = recorded.undecided = one.seq

    monkeypatch.setattr(RecordedRuntime, "replay", replay_slices)
    await recover(left, slices)
    monkeypatch.undo()
    with pytest.raises(DataError, match=DIFFERENTLY) as raised:
        await replay(left, tmp_path / "tape")
    assert _number(raised) == KILLED_AT, "the digest that the restart gave it"


def _number(raised: pytest.ExceptionInfo[DataError]) -> int:
    found = re.search(DIFFERENTLY, str(raised.value))
    assert found is not None
    return int(found[1])
