"""Events of a run as names with key-values, through structlog: for people on a terminal, JSON lines with --log-json.

They go to standard error, never to standard output. structlog is imported only where somebody listens, so a piped
backtest does not pay for it; without a listener an event costs one call.
"""

import sys
from typing import Any, Protocol


class Log(Protocol):
    """One event: a name in the past tense and what belongs to it."""

    def __call__(self, event: str, **values: Any) -> None:
        """Tell it."""


def make_log(*, as_json: bool) -> Log:
    """A log for this process."""
    if not as_json and not sys.stderr.isatty():
        return _silent
    import structlog

    processors: list[Any] = [structlog.processors.TimeStamper(fmt="iso", utc=True)]
    processors.append(structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer())
    logger = structlog.wrap_logger(structlog.PrintLogger(sys.stderr), processors=processors)

    def tell(event: str, **values: Any) -> None:
        logger.msg(event, **values)

    return tell


def _silent(event: str, **values: Any) -> None:
    """Nobody listens."""
