"""The state of a session: a runtime that goes on from it decides on everything as the one it is of."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.errors import DataError
from app.models.events import Event, LateCandle
from app.runs.run_folder import RunFolder
from app.session.state import SessionState, copy_logs, read_state, restore_runtime, restore_totals
from tests.live_sessions import Live, live, market


async def handled(run: Path, events: list[Event], *overrides: str) -> Live:
    made = live(run, *overrides)
    for event in events:
        await made.recorded.handle(event)
    return made


def state_of(made: Live) -> SessionState:
    return read_state(made.view.state(made.recorded.last_seq), made.run_folder)


def continued(run: Path, state: SessionState, *overrides: str) -> Live:
    made = live(run, *overrides)
    restore_runtime(state.runtime, made.recorded.runtime)
    restore_totals(state.totals, made.recorded.recorder)
    made.view.recall(state)
    made.recorded.digest = state.digest
    return made


@pytest.mark.parametrize(
    "overrides", [(), ("safety.max_daily_loss=0.001",), ("fill=close", "safety.max_drawdown=0.002")]
)
async def test_it_decides_as_the_runtime_it_is_of_from_any_event_on(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    events, places = market(), range(5, len(market()), 4)
    whole = await handled(tmp_path / "whole", events, *overrides)
    whole.recorded.recorder.finish()
    for cut in places:
        first = await handled(tmp_path / f"first{cut}", events[:cut], *overrides)
        second = continued(tmp_path / f"second{cut}", state_of(first), *overrides)
        digests = []
        for event in events[cut:]:
            digests.append(await second.recorded.handle(event))
        assert second.recorded.digest == whole.recorded.digest, f"cut after {cut} events"
        ours, theirs = (one.view.status() for one in (second, whole))
        assert ours == theirs
        recorder, other = second.recorded.recorder, whole.recorded.recorder
        recorder.finish()
        assert (recorder.tally, recorder.candles, recorder.first_open_ms) == (
            other.tally, other.candles, other.first_open_ms,
        )  # fmt: skip
        assert first.trades + second.trades.split("\n", 1)[1] == whole.trades
        first.close()
        second.close()
    whole.close()


async def test_all_that_a_runtime_holds_is_in_it(tmp_path: Path) -> None:
    first = await handled(tmp_path / "one", market()[:45])
    again = continued(tmp_path / "two", state_of(first))
    assert state_of(again).runtime == state_of(first).runtime
    mine, theirs = state_of(again).totals, state_of(first).totals
    assert mine == theirs
    assert (state_of(again).seen, state_of(again).last_close_ms) == (state_of(first).seen, first.view.last_close_ms)
    assert again.recorded.runtime.account.positions == first.recorded.runtime.account.positions != {}
    for made in (first, again):
        made.close()


async def test_a_state_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    made = await handled(tmp_path, market()[:45])
    content: dict[str, Any] = msgspec.json.decode(made.view.state(1))
    made.close()
    del content["books"]["positions"][0]["stop"]
    with pytest.raises(DataError, match=r"the state that the older code left cannot be read by this one \(.*stop"):
        read_state(msgspec.json.encode(content), tmp_path)


async def test_logs_are_copied_as_far_as_they_went(tmp_path: Path) -> None:
    made = await handled(tmp_path / "run", market())
    lengths = made.recorded.recorder.lengths()
    made.close()
    (tmp_path / "copy").mkdir()
    copy = RunFolder(tmp_path / "copy", made.folder.trades.stem)
    with made.folder.trades.open("a") as file:
        file.write("what came later\n")
    copy_logs(lengths, made.folder, copy)
    assert made.trades == copy.trades.read_text() + "what came later\n"
    made.folder.trades.write_text("timestamp\n")
    with pytest.raises(DataError, match="is shorter"):
        copy_logs(lengths, made.folder, copy)
    assert any(isinstance(event, LateCandle) for event in market())
