"""Progress bars of a backtest and of a fetch: on a terminal, for what takes a while; in a pipe only a fetch's notes.

They read the clock to draw seldom, and change nothing in what they show. rich is imported when a bar first shows.
"""

import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from app import times
from app.report.formats import countdown
from app.report.text_table import limited, text_table
from app.times import short_time, timeframe_ms

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from app.exchange.fetch_report import FetchReport
    from app.runs.recorder import Progress
    from app.session.period import Period

_REDRAW_S = 0.1
_NOTE_EVERY_S = 1.0


class _Bar:
    """A bar on standard error; `close()` takes it off the screen."""

    def __init__(self, verb: str, show_after_s: float, time_left: bool) -> None:
        self._verb, self._show_after_s, self._time_left = verb, show_after_s, time_left
        self._bar: Bar | None = None
        self._drawn_s = 0.0

    def close(self) -> None:
        """The bar vanishes; the report says what came."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _is_due(self, now_s: float, began_s: float) -> bool:
        if now_s - began_s < self._show_after_s or now_s - self._drawn_s < _REDRAW_S:
            return False
        self._drawn_s = now_s
        return True

    def _draw(self, done: float, total: float, text: str) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn(self._verb), BarColumn(), TextColumn("{task.description}"))
            left = (TimeRemainingColumn(),) if self._time_left else ()
            self._bar = Progress(*columns, *left, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._bar.add_task(text, total=total)
        self._bar.update(self._bar.task_ids[0], completed=done, total=total, description=text)


class BacktestProgress(_Bar):
    """How far the replay is: makes the recorder's progress callback for a period."""

    def __init__(self) -> None:
        super().__init__("replaying", 1.0, time_left=False)

    def __call__(self, period: "Period") -> "Progress":
        """The callback for one run."""
        began_s = times.monotonic_s()
        span_ms = max(1, period.end_ms - period.start_ms)

        def advance(close_ms: int, candles: int) -> None:
            now_s = times.monotonic_s()
            if self._is_due(now_s, began_s):
                done = min(1.0, max(0.0, (close_ms - period.start_ms) / span_ms))
                self._draw(done, 1.0, progress_text(done, candles, now_s - began_s))

        return advance


def progress_text(done: float, candles: int, elapsed_s: float) -> str:
    """` 42 %, 812,345 candles/s, 0:07 left`; `done` is 0 to 1, the time left is that of the pace so far."""
    pace = f"{100.0 * done:3.0f} %, {candles / elapsed_s:,.0f} candles/s"
    return pace if done == 0.0 else f"{pace}, {countdown(elapsed_s * (1.0 - done) / done)} left"


class Counts(Protocol):
    """Candles settled of those wanted, and when that began (monotonic)."""

    wanted: int
    done: int
    began_s: float


class FetchBar(_Bar):
    """How much of a fetch has come, called with the counts as they grow; and its notes."""

    def __init__(self) -> None:
        super().__init__("fetching", 0.5, time_left=True)
        self._shown = sys.stderr.isatty()

    def __call__(self, counts: Counts) -> None:
        """Draw, if it is time to."""
        now_s = times.monotonic_s()
        if self._shown and self._is_due(now_s, counts.began_s):
            rate = counts.done / (now_s - counts.began_s)
            text = f"{counts.done:,} of {counts.wanted:,} candles, {rate:,.0f}/s"
            self._draw(counts.done, counts.wanted, text)

    def say(self, text: str) -> None:
        """A note; above the bar where there is one."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr)


def teller(bar: FetchBar) -> Callable[[str], None]:
    """Notes of waits and retries, at most one a second: many requests can meet the same fault at once."""
    said_s = [float("-inf")]

    def tell(text: str) -> None:
        now_s = times.monotonic_s()
        if now_s - said_s[0] >= _NOTE_EVERY_S:
            said_s[0] = now_s
            bar.say(f"onetape: {text}")

    return tell


def wanted() -> bool:
    """A bar belongs on a terminal only, and beside a report that goes there too."""
    return sys.stderr.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def fetch_lines(report: "FetchReport") -> Iterator[str]:
    """The table and what a user should know, line by line."""
    step_ms = timeframe_ms(report.timeframe)
    where = report.host if report.host == report.exchange else f"{report.exchange} at {report.host}"
    yield f"{where}: {report.timeframe} candles, {short_time(report.start_ms)} to {short_time(report.end_ms)} (UTC)"
    rows = []
    for series in report.series:
        absent = sum(end - start for start, end in series.absent) // step_ms
        rows.append((series.symbol, f"{series.wanted:,}", f"{series.new:,}", f"{absent:,}"))
    yield text_table(("symbol", "missing", "fetched", "not there"), rows, numbers=3)
    yield report.summary()
    for series in report.series:
        if series.absent:
            yield f"{series.symbol}: {report.exchange} has nothing at"
            yield from limited(
                [
                    f"{short_time(start)} to {short_time(end - step_ms)}  {(end - start) // step_ms:,}"
                    for start, end in series.absent
                ]
            )
        if series.off_grid:
            yield f"{series.symbol}: {series.off_grid} rows off the {report.timeframe} grid were left out"
    for note in report.notes:
        yield f"note: {note}"
