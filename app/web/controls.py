"""Commands given on the page: left in the run folder like those of the command line, so they are on the tape.

A command names its session once more and says why; what does not fit is refused, and nothing is left.
"""

import re
from collections.abc import Mapping
from typing import Any

from app.errors import ConfigError
from app.models.orders import MAIN
from app.session.closing import send_close
from app.session.control import send_command
from app.web.followed import FollowedSession

COMMANDS = ("kill", "halt", "close", "resume", "stop")
_WHY_MAX = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def obey(session: FollowedSession, asked: Mapping[str, Any]) -> str:
    """Leave the command; what to tell the operator. ConfigError says what does not fit."""
    command, why, confirm = (asked.get(name) for name in ("command", "why", "confirm"))
    if command not in COMMANDS:
        raise ConfigError(f"command: known are {', '.join(COMMANDS)}")
    if confirm != session.name:
        raise ConfigError(f"confirm: write the session's name, {session.name}")
    if not isinstance(why, str) or not (reason := _CONTROL.sub(" ", why).strip()):
        raise ConfigError("why: say why, it is written on the tape")
    if len(reason) > _WHY_MAX:
        raise ConfigError(f"why: at most {_WHY_MAX} characters")
    reason = f"{reason} (by the page)"
    if command == "close":
        return send_close(session.folder, *_position(session, asked), reason)
    return send_command(session.folder, str(command), reason)


def _position(session: FollowedSession, asked: Mapping[str, Any]) -> tuple[str, str]:
    """Symbol and strategy of what is to be closed: a position that the page shows."""
    held = [(one["symbol"], one.get("strategy", MAIN)) for one in session.status.get("positions", ())]
    wanted = asked.get("symbol"), asked.get("strategy")
    for one in held:
        if one == wanted:
            return one
    raise ConfigError("symbol, strategy: this is no open position of the session")
