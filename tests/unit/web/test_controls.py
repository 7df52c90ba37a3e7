"""Commands of the page: what fits is left like a command of the command line, what does not leaves nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.errors import ConfigError
from app.runs.run_folder import owned
from app.session.control import write_status
from app.web.controls import COMMANDS, obey
from app.web.followed import FollowedSession
from tests.live_sessions import live
from tests.portfolio import portfolio


@pytest.fixture
def session(tmp_path: Path) -> FollowedSession:
    """A session's folder."""
    (tmp_path / "tape").mkdir()
    return FollowedSession(tmp_path, "mine")


def left(session: FollowedSession) -> list[Any]:
    return [json.loads(path.read_text()) for path in sorted(session.folder.glob("commands/*.json"))]


@pytest.fixture
async def trading(tmp_path: Path) -> FollowedSession:
    """A session with a position of each of two strategies on a symbol."""
    made = live(tmp_path / "run", config=portfolio())
    made.close()
    held = [{"symbol": "AAA/X", "strategy": one} for one in ("trend", "slow")]
    write_status(made.run_folder, {"positions": held, "orders": [{"symbol": "BBB/X", "strategy": "slow"}]})
    session = FollowedSession(made.run_folder, "mine")
    session.refresh()
    return session


CLOSE = {"command": "close", "why": "x", "confirm": "mine", "symbol": "AAA/X", "strategy": "slow"}


async def test_one_position_is_closed(trading: FollowedSession) -> None:
    assert obey(trading, CLOSE) == "close slow AAA/X: takes effect with the next start"
    found = {"command": "close", "why": "x (by the page)", "symbol": "AAA/X", "strategy": "slow"}
    assert left(trading) == [found]


@pytest.mark.parametrize(
    "changed",
    [
        {"symbol": "BBB/X"}, {"strategy": "dip"}, {"strategy": None}, {"symbol": ["AAA/X"]}, {"symbol": {"a": 1}},
        {"symbol": "<script>alert(1)</script>"}, {"symbol": "../../x"}, {"symbol": None, "strategy": None},
    ],
)  # fmt: skip
async def test_what_is_no_open_position_is_not_closed(trading: FollowedSession, changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="symbol, strategy: this is no open position of the session"):
        obey(trading, {**CLOSE, **changed})
    assert left(trading) == []


@pytest.mark.parametrize("command", [one for one in COMMANDS if one != "close"])
def test_a_command_is_left_with_its_reason(session: FollowedSession, command: str) -> None:
    asked = {"command": command, "why": " the news \u202e\n of today ", "confirm": "mine"}
    assert obey(session, asked) == f"{command}: takes effect with the next start"
    with owned(session.folder):
        session.refresh()
        assert obey(session, asked) == f"{command}: given to the running session"
    assert left(session) == [{"command": command, "why": "the news   of today (by the page)"}] * 2


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"command": "rm"}, "command: known are kill, halt, close, resume, stop"),
        ({"command": None}, "command: known are"),
        ({"command": ["kill"]}, "command: known are"),
        ({"confirm": "yours"}, "confirm: write the session's name, mine"),
        ({"confirm": None}, "confirm: write"),
        ({"why": ""}, "why: say why, it is written on the tape"),
        ({"why": " \x00\n"}, "why: say why"),
        ({"why": 7}, "why: say why"),
        ({"why": "x" * 201}, "why: at most 200 characters"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_left(
    session: FollowedSession, changed: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        obey(session, {"command": "kill", "why": "x", "confirm": "mine", **changed})
    assert left(session) == []
