"""Events of a run as names with key-values, through structlog.

For people on a terminal, as JSON lines with --log-json (standard error) or --log-file (appended to a file); never on
standard output. structlog is imported only where somebody listens, so a piped backtest does not pay for it.
"""

import sys
from pathlib import Path
from typing import Any, Protocol

from app.errors import OutputError


class Log(Protocol):
    """One event: a name in the past tense and what belongs to it."""

    def __call__(self, event: str, **values: Any) -> None:
        """Tell it."""


def make_log(*, as_json: bool, file: Path | None = None, on_terminal: bool = True) -> Log:
    """A log for this process; OutputError if the file cannot be written. `on_terminal`: for people there, too."""
    listeners: list[Any] = []
    if file is not None:
        listeners.append(_logger(_LineFile(file), as_json=True))
    if as_json or (on_terminal and sys.stderr.isatty()):
        listeners.append(_logger(None, as_json=as_json))

    def tell(event: str, **values: Any) -> None:
        for listener in listeners:
            listener.info(event, **values)

    return tell


class _LineFile:
    """Appends each line by itself: a run has a handful of events, and nothing stays open between them."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._append("")

    def info(self, line: str) -> None:
        """One line; structlog calls the level, and events have but one."""
        self._append(line + "\n")

    def _append(self, text: str) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as lines:
                lines.write(text)
        except OSError as error:
            raise OutputError(f"--log-file {self._file}: cannot be written ({error.strerror or error})") from error


def _logger(target: _LineFile | None, *, as_json: bool) -> Any:
    import structlog

    processors: list[Any] = [structlog.processors.TimeStamper(fmt="iso", utc=True)]
    processors.append(structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer())
    return structlog.wrap_logger(target or structlog.PrintLogger(sys.stderr), processors=processors)
