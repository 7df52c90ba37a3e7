"""The progress bar of a fetch, and notes beside it: on a terminal a bar with rate and time left, in a pipe only notes.

rich is imported only where a bar shows. It reads the clock to draw seldom, and changes nothing in the fetch.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from app import times

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_SHOW_AFTER_S = 0.5
_REDRAW_S = 0.1
_NOTE_EVERY_S = 1.0


class Counts(Protocol):
    """Candles settled of those wanted, and when that began (monotonic)."""

    wanted: int
    done: int
    began_s: float


class FetchBar:
    """Called with the counts as they grow; `close()` takes the bar off the screen."""

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._drawn_s = 0.0
        self._shown = sys.stderr.isatty()

    def __call__(self, counts: Counts) -> None:
        """Draw, if it is time to."""
        now_s = times.monotonic_s()
        if not self._shown or now_s - counts.began_s < _SHOW_AFTER_S or now_s - self._drawn_s < _REDRAW_S:
            return
        self._drawn_s = now_s
        if self._bar is None:
            self._bar = self._made(counts.wanted)
        rate = counts.done / (now_s - counts.began_s)
        text = f"{counts.done:,} of {counts.wanted:,} candles, {rate:,.0f}/s"
        self._bar.update(self._bar.task_ids[0], completed=counts.done, total=counts.wanted, description=text)

    def say(self, text: str) -> None:
        """A note; above the bar where there is one."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr)

    def close(self) -> None:
        """The bar vanishes; the report says what came."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _made(self, wanted: int) -> "Bar":
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("fetching"), BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        made = Progress(*columns, console=Console(stderr=True), transient=True)
        made.start()
        made.add_task("", total=wanted)
        return made


def teller(bar: FetchBar) -> Callable[[str], None]:
    """Notes of waits and retries, at most one a second: many requests can meet the same fault at once."""
    said_s = [float("-inf")]

    def tell(text: str) -> None:
        now_s = times.monotonic_s()
        if now_s - said_s[0] >= _NOTE_EVERY_S:
            said_s[0] = now_s
            bar.say(f"onetape: {text}")

    return tell
