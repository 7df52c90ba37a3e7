"""Commands of the page: what fits is left like a command of the command line, what does not leaves nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.errors import ConfigError
from app.runs.run_folder import owned
from app.web.controls import COMMANDS, obey
from app.web.followed import FollowedSession


@pytest.fixture
def session(tmp_path: Path) -> FollowedSession:
    """A session's folder."""
    (tmp_path / "tape").mkdir()
    return FollowedSession(tmp_path, "mine")


def left(session: FollowedSession) -> list[Any]:
    return [json.loads(path.read_text()) for path in sorted(session.folder.glob("commands/*.json"))]


@pytest.mark.parametrize("command", COMMANDS)
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
        ({"command": "rm"}, "command: known are kill, halt, resume, stop"),
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
