"""An operator's close of one position: refused before anything is left where it cannot be meant, else left whole."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from app.errors import DataError, OnetapeError
from app.models.events import Close
from app.runs.run_folder import owned
from app.session.closing import send_close
from app.session.control import CommandWatch, write_status
from tests.live_sessions import live
from tests.portfolio import portfolio

TREND = {"symbol": "AAA/X", "strategy": "trend"}
RESTING = {"symbol": "BBB/X", "strategy": "slow"}


def status(*positions: dict[str, str], orders: tuple[dict[str, str], ...] = (), **more: Any) -> dict[str, Any]:
    return {"positions": list(positions), "orders": list(orders), **more}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a session of three strategies."""
    made = live(tmp_path / "run", config=portfolio())
    made.close()
    write_status(made.run_folder, status(TREND, orders=(RESTING,)))
    return made.run_folder


def left(run: Path) -> list[Any]:
    return [json.loads(path.read_text()) for path in sorted(run.glob("commands/*.json"))]


def test_what_is_left_is_read_as_it_was_meant(run: Path) -> None:
    assert send_close(run, "AAA/X", None, " enough ") == "close AAA/X: takes effect with the next start"
    with owned(run):
        assert send_close(run, "AAA/X", "trend", "x") == "close trend AAA/X: given to the running session"
        assert send_close(run, "BBB/X", None, "x") == "close BBB/X: given to the running session", "an entry that waits"
    assert left(run)[0] == {"command": "close", "why": "enough", "symbol": "AAA/X"}
    found = CommandWatch(run, run / "KILL").waiting()
    assert found == [Close("enough", "AAA/X"), Close("x", "AAA/X", "trend"), Close("x", "BBB/X")]


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (("AAAX", None, "x"), "'AAAX' is no symbol of this session; there is AAA/X, BBB/X"),
        (("AAA/X", "trent", "x"), "'trent' is no strategy of this session; there is trend, dip, slow"),
        (("AAA/X", None, "  "), "close needs --why: say why, it is written on the tape"),
        (("AAA/X", "slow", "x"), "nothing of slow AAA/X is open: open are trend AAA/X, slow BBB/X"),
        (("BBB/X", "trend", "x"), "nothing of trend BBB/X is open: open are trend AAA/X, slow BBB/X"),
    ],
)
def test_what_is_not_there_is_refused_and_nothing_is_left(
    run: Path, asked: tuple[str, str | None, str], problem: str
) -> None:
    with owned(run), pytest.raises(OnetapeError) as refused:
        send_close(run, *asked)
    assert str(refused.value).startswith(problem)
    assert left(run) == []


def test_only_a_fresh_status_of_a_running_session_says_that_nothing_is_open(run: Path) -> None:
    write_status(run, status())
    with owned(run), pytest.raises(OnetapeError, match="nothing of AAA/X is open: nothing is"):
        send_close(run, "AAA/X", None, "x")
    assert send_close(run, "AAA/X", None, "it broke off").endswith("takes effect with the next start")
    with owned(run):
        write_status(run, status(ended="kept"))  # of the time before, while it replays its tape
        assert send_close(run, "AAA/X", None, "x").endswith("given to the running session")
        write_status(run, status())
        os.utime(run / "status.json", (0, 0))
        assert send_close(run, "AAA/X", None, "x").endswith("given to the running session")
        (run / "status.json").unlink()
        assert send_close(run, "AAA/X", None, "x").endswith("given to the running session")
    (run / "results.json").write_text("{}")
    with pytest.raises(OnetapeError, match="holds a finished run: nobody will hear a close"):
        send_close(run, "AAA/X", None, "x")


def test_the_only_strategy_of_a_session_is_main(tmp_path: Path) -> None:
    made = live(tmp_path / "run")
    made.close()
    assert send_close(made.run_folder, "BBB/X", "main", "x") == "close BBB/X: takes effect with the next start"
    with pytest.raises(OnetapeError, match="'other' is no strategy of this session; there is main"):
        send_close(made.run_folder, "BBB/X", "other", "x")


def test_a_tape_without_a_whole_header_is_told(tmp_path: Path) -> None:
    (tmp_path / "tape").mkdir()
    with pytest.raises(DataError, match="its tape has no whole header yet"):
        send_close(tmp_path, "AAA/X", None, "x")
