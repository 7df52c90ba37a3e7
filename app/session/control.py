"""What an operator wants of a session from another shell: commands as files, a status to read.

A command is a file in `RUN/commands/`, written whole. The session puts it into its queue and removes it once it was
handled, so none is lost; one that was given while nothing ran comes before the next start's first slice.
"""

import asyncio
import contextlib
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from app.candles.durable import sync_folder
from app.errors import ConfigError, DataError, OutputError
from app.feeds.base import EventQueue
from app.models.events import Close, Command, Event, Halt, Kill, Resume, Stop
from app.models.orders import Line
from app.runs.run_folder import RESULTS, is_owned
from app.trading.account import Account

COMMANDS, STATUS = "commands", "status.json"
_UNREADABLE = ".unreadable"
_KINDS: dict[str, type[Command]] = {"kill": Kill, "halt": Halt, "close": Close, "resume": Resume, "stop": Stop}
_POLL_S = 0.1


def send_command(run: Path, kind: str, why: str, **of: str) -> str:
    """Leaves a command for the session of a run folder, and says who hears it; ConfigError if no session ever will.

    `of`: the symbol, and the strategy if one is meant, of a close.
    """
    refuse_command(run, kind, why)
    folder = run / COMMANDS
    content = json.dumps({"command": kind, "why": why.strip(), **of}).encode()
    try:
        folder.mkdir(exist_ok=True)
        _leave(folder, content)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}") from error
    what = f"{kind} {whose(of['symbol'], of.get('strategy'))}" if of else kind
    return f"{what}: {'given to the running session' if is_owned(run) else 'takes effect with the next start'}"


def refuse_command(run: Path, kind: str, why: str) -> None:
    """ConfigError for a folder whose session will never hear a command, or one without a reason."""
    if not run.is_dir():
        raise ConfigError(f"{run} is no folder; name the run folder of a session")
    if not (run / "tape").is_dir():
        raise ConfigError(f"{run} is no folder of a session: it holds no tape")
    if not why.strip():
        raise ConfigError(f"{kind} needs --why: say why, it is written on the tape")
    if (run / RESULTS).exists() and not is_owned(run):
        raise ConfigError(f"{run} holds a finished run: nobody will hear a {kind}")


def whose(symbol: str, strategy: str | None) -> str:
    """What a close names, in words."""
    return symbol if strategy is None else str(Line(strategy, symbol))


def _leave(folder: Path, content: bytes) -> None:
    # Whole under a name of its own, then under the next free number: two shells at once take two numbers.
    staged = folder / f".{os.getpid()}-{threading.get_ident()}.tmp"
    try:
        with staged.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        number = 1 + max((int(path.stem) for path in _files(folder)), default=0)
        while True:
            try:
                (folder / f"{number:06}.json").hardlink_to(staged)
                break
            except FileExistsError:
                number += 1
    finally:
        staged.unlink(missing_ok=True)
    sync_folder(folder)


def _files(folder: Path) -> list[Path]:
    """The commands that wait, in the order in which they were given."""
    return sorted(
        (path for path in folder.glob("*.json") if path.stem.isdecimal()), key=lambda path: (int(path.stem), path.name)
    )


@dataclass
class CommandWatch:
    """Puts commands into the session's queue: those of the folder, and a kill while the kill-switch file exists.

    `tell` hears of what cannot be obeyed. A command that was handled, but whose file the process did not live to
    remove, comes again with the next start before anything else: then it changes nothing.
    """

    run: Path
    kill_switch_file: Path
    tell: Callable[[str], None] | None = None
    _killed: bool = False
    _given: dict[Path, Command] = field(default_factory=dict)  # in the queue, or past it and not to be removed

    async def watch(self, queue: EventQueue, stops: asyncio.Queue[Stop]) -> None:
        """Until cancelled. A stop goes the way of Ctrl-C: the feed ends before it."""
        while True:
            for command in self.waiting():
                if isinstance(command, Stop):
                    stops.put_nowait(command)
                else:
                    await queue.put((command,))
            await asyncio.sleep(_POLL_S)

    def waiting(self) -> list[Command]:
        """Each command once, in the order in which they were given."""
        folder = self.run / COMMANDS
        with contextlib.suppress(OSError):
            folder.mkdir(exist_ok=True)  # the session's own, so that it can remove what others leave there
        commands: list[Command] = []
        for path in _files(folder):
            if path not in self._given:
                commands += self._read(path)
        exists = _exists(self.kill_switch_file)
        if exists and not self._killed:
            commands.append(Kill(f"kill-switch file {self.kill_switch_file}"))
        self._killed = exists
        return commands

    def comes(self, event: Event, account: Account) -> None:
        """Before an event is handled: a close of what is not open changes nothing, and is told."""
        if isinstance(event, Close):
            open_ = {*account.positions, *account.pending}
            if not any(one.symbol == event.symbol and event.strategy in (None, one.strategy) for one in open_):
                self._say(
                    f"close {whose(event.symbol, event.strategy)}: nothing of it is open, so nothing was closed "
                    f"({event.why})"
                )

    def handled(self, event: Event) -> None:
        """An event is on the tape and was handled: if it was a command, its file has done its duty."""
        if not isinstance(event, Command):
            return
        if isinstance(event, Resume):
            self._killed = False  # while the kill-switch file lies there, nothing resumes for long
        for path, command in list(self._given.items()):
            if command is event:
                try:
                    path.unlink(missing_ok=True)
                    del self._given[path]
                except OSError as error:
                    self._say(f"{path} was obeyed, but cannot be removed ({error.strerror}): remove it by hand")

    def _read(self, path: Path) -> list[Command]:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            command = msgspec.convert(content, _KINDS[content["command"]])
        except (OSError, ValueError, LookupError, TypeError, msgspec.ValidationError):
            unreadable = path.with_name(path.name + _UNREADABLE)
            with contextlib.suppress(OSError):
                path.replace(unreadable)
            if path.exists():
                self._given[path] = Kill("")  # it stays where it is; told once
            self._say(f"a command that cannot be read was not obeyed; it is {unreadable} now: give it again")
            return []
        self._given[path] = command
        return [command]

    def _say(self, text: str) -> None:
        if self.tell is not None:
            self.tell(text)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder that may not be read
        return False


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
    except FileNotFoundError:
        what = "holds no status of a session" if run.is_dir() else "is no folder"
        raise DataError(f"{run} {what}; name a run folder") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{run / STATUS} cannot be read: {error}") from error
    return content
