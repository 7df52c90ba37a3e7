"""The progress bar of a backtest: on a terminal, for runs of more than a second; nothing in a pipe.

Shows how far the replay is, its candles a second and the time left at the pace so far. rich is imported only when the
bar first shows. It reads the clock to decide that, and changes nothing in the run.
"""

import os
import sys
from typing import TYPE_CHECKING

from app import times
from app.report.formats import countdown
from app.runs.recorder import Progress
from app.session.period import Period

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_SHOW_AFTER_S = 1.0
_REDRAW_S = 0.1


class BacktestProgress:
    """Makes the recorder's progress callback for a period; `close()` removes the bar."""

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._began_s = times.monotonic_s()
        self._drawn_s = 0.0

    def __call__(self, period: Period) -> Progress:
        """The callback for one run."""
        self._began_s = times.monotonic_s()
        span_ms = max(1, period.end_ms - period.start_ms)

        def advance(close_ms: int, candles: int) -> None:
            now_s = times.monotonic_s()
            elapsed_s = now_s - self._began_s
            if elapsed_s < _SHOW_AFTER_S or now_s - self._drawn_s < _REDRAW_S:
                return
            self._drawn_s = now_s
            done = min(1.0, max(0.0, (close_ms - period.start_ms) / span_ms))
            self._draw(done, progress_text(done, candles, elapsed_s))

        return advance

    def close(self) -> None:
        """Take the bar off the screen."""
        if self._bar is not None:
            self._bar.stop()

    def _draw(self, done: float, text: str) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            columns = (TextColumn("replaying"), BarColumn(), TextColumn("{task.description}"))
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._bar.add_task(text, total=1.0)
        self._bar.update(self._bar.task_ids[0], completed=done, description=text)


def progress_text(done: float, candles: int, elapsed_s: float) -> str:
    """` 42 %, 812,345 candles/s, 0:07 left`; `done` is 0 to 1, the time left is that of the pace so far."""
    pace = f"{100.0 * done:3.0f} %, {candles / elapsed_s:,.0f} candles/s"
    return pace if done == 0.0 else f"{pace}, {countdown(elapsed_s * (1.0 - done) / done)} left"


def wanted() -> bool:
    """A bar belongs on a terminal only, and beside a report that goes there too."""
    return sys.stderr.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
