"""A replay of a tape: every digest is checked. Sessions that are continued are in test_session.py and test_state.py."""

from pathlib import Path

import pytest

from app.feeds.tape import read_tape
from app.session.recorded_runtime import ReplayError
from tests.live_sessions import live, market


async def test_a_tape_that_was_decided_on_differently_is_refused_at_the_first_event(tmp_path: Path) -> None:
    await live(tmp_path / "run").run(*market())
    again = live(tmp_path / "other", "strategy.params.seed=3")
    try:
        with pytest.raises(ReplayError, match=r"event \d+ \(\w+\) was decided on differently when it was recorded"):
            await again.recorded.replay(read_tape(tmp_path / "run"))
    finally:
        again.close()


async def test_a_replay_goes_as_far_as_it_is_asked_to(tmp_path: Path) -> None:
    made = live(tmp_path / "run")
    await made.run(*market())
    again = live(tmp_path / "again")
    try:
        await again.recorded.replay(read_tape(tmp_path / "run"), 20)
        assert (again.recorded.last_seq, again.recorded.undecided) == (20, None)
        tape = list(read_tape(tmp_path / "run").records)
        assert again.recorded.digest == tape[19].digest
    finally:
        again.close()
