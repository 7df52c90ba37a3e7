"""Sessions with a tape over slices in memory, and the checks that hold them to their promises.

The rule: a check passes on the code as it is and knows nothing of what a test breaks; real stages, tape and files.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app.feeds.tape import read_tape
from app.models.events import Event
from app.models.market import Slice
from app.runs.equity import EquityLog
from app.runs.recorder import RunRecorder
from app.runs.trade_log import TradeLog
from app.session.building import build_runtime
from app.session.journal import Journal
from app.session.recorded_runtime import RecordedRuntime
from app.session.session import Session
from app.settings.profile import load_settings
from app.strategies.loader import check_settings
from tests.integration.sessions import CONFIG, ListFeed

Handling = Callable[[Event], None]


def with_strategy(name: str) -> dict[str, Any]:
    """The sessions' settings with another strategy."""
    return {**CONFIG, "live": {**CONFIG["live"], "strategy": {"name": name}}}


def make_recorded(folder: Path, config: dict[str, Any]) -> RecordedRuntime:
    """A runtime whose files lie in `folder`."""
    settings = load_settings(config)
    folder.mkdir(parents=True, exist_ok=True)
    logs = TradeLog(folder / "trades.csv"), EquityLog(folder / "equity.parquet", settings.trading_mode.starting_balance)
    recorder = RunRecorder(settings.live.symbols, *logs)
    return RecordedRuntime(build_runtime(settings, check_settings(settings), recorder), recorder)


async def record(
    folder: Path, slices: Sequence[Slice], config: dict[str, Any] = CONFIG, handling: Handling | None = None
) -> bytes:
    """A whole session; its trade log. `handling` is called for each event after the stages, before its digest."""
    recorded = make_recorded(folder, config)
    if handling is not None:
        recorded.observer = lambda event, *_: handling(event)
    return await _trade(recorded, Journal(folder, {}), slices)


async def replay(folder: Path, into: Path, config: dict[str, Any] = CONFIG) -> bytes:
    """The check of a tape: every digest; DataError names the first event that was decided on differently."""
    recorded = make_recorded(into, config)
    try:
        await recorded.replay(read_tape(folder))
        recorded.recorder.finish()
    finally:
        recorded.recorder.close()
    return (into / "trades.csv").read_bytes()


async def recover(folder: Path, slices: Sequence[Slice]) -> bytes:
    """What the next start does with the folder of a session that was killed: replay, then what came since."""
    recorded = make_recorded(folder, CONFIG)
    closes = [0]
    recorded.observer = lambda event, *_: closes.append(event.close_time_ms if isinstance(event, Slice) else 0)
    tape = read_tape(folder)
    await recorded.replay(tape)
    left = [slice_ for slice_ in slices if slice_.close_time_ms > closes[-1]]
    return await _trade(recorded, Journal(folder, tape.header, next_seq=recorded.last_seq + 1, resume=True), left)


async def _trade(recorded: RecordedRuntime, journal: Journal, slices: Sequence[Slice]) -> bytes:
    try:
        await Session(ListFeed(slices), recorded, journal).run()
        recorded.recorder.finish()
    finally:
        journal.close()
        recorded.recorder.close()
    return recorded.recorder.trade_log.path.read_bytes()


def killed_at(number: int, folder: Path, copy: Path) -> Handling:
    """Leaves in `copy` what `kill -9` would leave while event `number` is handled: what the kernel has."""
    count = 0

    def handling(_: Event) -> None:
        nonlocal count
        count += 1
        if count == number:
            shutil.copytree(folder, copy)

    return handling


def is_on_tape(folder: Path) -> Handling:
    """The check of the order: whoever handles an event finds it on the tape, before its digest is."""

    def handling(event: Event) -> None:
        last = list(read_tape(folder).records)[-1:]
        assert [(one.event, one.digest) for one in last] == [(event, None)], "handled before it was on the tape"

    return handling


def without_digest(folder: Path) -> list[int]:
    """The check of completeness: events whose decisions nobody could hold a replay to."""
    return [record.seq for record in read_tape(folder).records if record.digest is None]
