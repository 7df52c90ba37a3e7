"""The progress bar of a backtest: on a terminal, for runs of more than a second; nothing in a pipe.

rich is imported only when the bar first shows. It reads the clock to decide that, and changes nothing in the run.
"""

import sys
from typing import TYPE_CHECKING

from app.reporting.recorder import Progress
from app.runtime import clock
from app.runtime.period import Period

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_SHOW_AFTER_S = 1.0
_REDRAW_S = 0.1


class BacktestProgress:
    """Makes the recorder's progress callback for a period; `close()` removes the bar."""

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._began_s = clock.monotonic_s()
        self._drawn_s = 0.0

    def __call__(self, period: Period) -> Progress:
        """The callback for one run."""
        self._began_s = clock.monotonic_s()
        span_ms = max(1, period.end_ms - period.start_ms)

        def advance(close_ms: int, candles: int) -> None:
            now_s = clock.monotonic_s()
            if now_s - self._began_s < _SHOW_AFTER_S or now_s - self._drawn_s < _REDRAW_S:
                return
            self._drawn_s = now_s
            rate = candles / (now_s - self._began_s)
            self._draw(100.0 * (close_ms - period.start_ms) / span_ms, f"{rate:,.0f} candles/s")

        return advance

    def close(self) -> None:
        """Take the bar off the screen."""
        if self._bar is not None:
            self._bar.stop()

    def _draw(self, done_pct: float, text: str) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("replaying"),
                BarColumn(),
                TextColumn("{task.description}"),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._bar.add_task(text, total=100.0)
        self._bar.update(self._bar.task_ids[0], completed=done_pct, description=text)


def wanted() -> bool:
    """A bar belongs on a terminal only, and beside a report that goes there too."""
    return sys.stderr.isatty() and sys.stdout.isatty()
