"""What an operator wants of a session from another shell: commands as files, a status to read, one session a folder.

The rule: a command is a file in `RUN/commands/`, written whole; the session puts it into its queue and removes it, so
it takes effect in the order of the queue, also when it was given while nothing ran. It decides nothing.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import ConfigError, DataError, OutputError
from app.feeds.base import EventQueue
from app.feeds.durable import replace_files
from app.models import Command, Kill, Resume

COMMANDS, STATUS, LOCK = "commands", "status.json", ".session"
_KINDS: dict[str, type[Kill] | type[Resume]] = {"kill": Kill, "resume": Resume}
_POLL_S = 0.1


def send_command(run: Path, kind: str, why: str) -> None:
    """Leaves a command for the session of a run folder; ConfigError if the folder is none of a session."""
    if not (run / "tape").is_dir():
        raise ConfigError(f"{run} is no folder of a paper session: it holds no tape")
    if not why.strip():
        raise ConfigError(f"{kind} needs --why: say why, it is written on the tape")
    folder = run / COMMANDS
    try:
        folder.mkdir(exist_ok=True)
        numbers = [int(path.stem) for path in folder.glob("[0-9]*.json")]
        path = folder / f"{max(numbers, default=0) + 1:06}.json"
        replace_files(folder, {path: json.dumps({"command": kind, "why": why.strip()}).encode()})
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}") from error


def is_running(run: Path) -> bool:
    """Whether a session holds this folder now."""
    try:
        with session_lock(run):
            return False
    except ConfigError:
        return True


@contextlib.contextmanager
def session_lock(run: Path) -> Iterator[None]:
    """One session a run folder; ConfigError names the process that has it. Freed by the system with its owner's end."""
    import fcntl

    try:
        descriptor = os.open(run / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise OutputError(f"{run} cannot be written: {error.strerror or error}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise ConfigError(f"{run} belongs to a running session, process {owner or '?'}; stop it first") from None
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


@dataclass
class CommandWatch:
    """Puts commands into the session's queue: those of the folder, and a kill while the kill-switch file exists."""

    run: Path
    kill_switch_file: Path
    _killed: bool = False

    async def watch(self, queue: EventQueue) -> None:
        """Until cancelled."""
        while True:
            for path in sorted((self.run / COMMANDS).glob("[0-9]*.json")):
                command = _read(path)
                if command is not None:
                    await queue.put((command,))
                path.unlink(missing_ok=True)
            exists = self.kill_switch_file.exists()
            if exists and not self._killed:
                await queue.put((Kill(f"kill-switch file {self.kill_switch_file}"),))
            self._killed = exists
            await asyncio.sleep(_POLL_S)


def write_status(run: Path, content: dict[str, Any]) -> None:
    """The session's state for other shells: whole or as it was; a full disk is not worth a session."""
    path = run / STATUS
    temporary = path.with_name(f".{STATUS}.tmp")
    with contextlib.suppress(OSError):
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        temporary.replace(path)


def read_status(run: Path) -> dict[str, Any]:
    """What the session last wrote; DataError if it never did."""
    try:
        content: dict[str, Any] = json.loads((run / STATUS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{run} holds no status of a session ({error})") from error
    return content


def _read(path: Path) -> Command | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return _KINDS[content["command"]](str(content["why"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
