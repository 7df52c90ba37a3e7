"""The live view on a terminal: a picture of the session, a few times a second, on a thread of its own.

The session is looked at between its events and never waits: a slow terminal gets fewer pictures, a picture that fails
is dropped. No alternate screen, the cursor stays: there is nothing to restore, however the process ends.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING

from app import times
from app.report.live_screen import Shown, screen
from app.report.output_thread import OutputThread
from app.session.view import SessionView

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

_DRAW_S = 0.25
_NOTES_KEPT = 100


class LiveView:
    """Shows one session once `begin` has given it; notes can come before."""

    def __init__(self, console: "Console | None" = None) -> None:
        self.drawn = 0
        self._console = console
        self._view: SessionView | None = None
        self._notes: deque[str] = deque(maxlen=_NOTES_KEPT)
        self._output = OutputThread()
        self._live: Live | None = None
        self._size = (0, 0)
        self._frames, self._frame_s = 0, 0.0

    def begin(self, view: SessionView) -> None:
        """The session to show."""
        self._view = view

    def note(self, text: str) -> None:
        """A line among the last notes."""
        self._notes.append(text)

    @contextlib.asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Draws while the block runs; the picture is gone afterwards."""
        drawing = asyncio.get_running_loop().create_task(self._draw_often())
        try:
            yield
        finally:
            drawing.cancel()
            self._output.do(self._close)
            self._output.close(1.0)

    async def _draw_often(self) -> None:
        while True:
            if self._output.waiting == 0:  # else the terminal has not taken the last one yet
                with contextlib.suppress(Exception):
                    self._output.do(partial(self._draw, self._look()))
            await asyncio.sleep(_DRAW_S)

    def _look(self) -> Shown:
        """A copy of what the session looks like now: the thread must not read what changes."""
        view = self._view
        if view is None:
            return Shown(notes=list(self._notes))
        settings = view.plan.settings.trading_mode
        return Shown(
            folder=str(view.folder.folder),
            status=view.status(),
            candles=dict(view.last_candles),
            stale=view.stale,
            fills=list(view.last_fills),
            notes=list(self._notes),
            frame_age_s=self._frame_age_s(view),
            max_drawdown=settings.safety.max_drawdown,
            keeps=settings.on_stop == "keep",
        )

    def _frame_age_s(self, view: SessionView) -> float | None:
        if view.link is None or not view.link.frames:
            return None
        now_s = times.monotonic_s()
        if view.link.frames != self._frames:
            self._frames, self._frame_s = view.link.frames, now_s
        return now_s - self._frame_s

    # On the thread.

    def _draw(self, shown: Shown) -> None:
        from rich.console import Group
        from rich.text import Text

        live = self._opened()
        width, height = live.console.size
        if (width, height) != self._size:
            if self._size != (0, 0):
                live.console.clear()  # the terminal has wrapped the last picture anew
            self._size = (width, height)
        lines = screen(shown, width, height - 1)
        texts = [Text.assemble(*line, no_wrap=True, overflow="ellipsis") for line in lines]
        live.update(Group(*texts), refresh=True)
        self.drawn += 1

    def _opened(self) -> "Live":
        if self._live is None:
            from rich.console import Console
            from rich.live import Live

            console = self._console or Console(stderr=True)
            self._live = Live(
                console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
            )
            self._live.start()
            console.show_cursor(True)
        return self._live

    def _close(self) -> None:
        if self._live is not None:
            self._live.stop()
