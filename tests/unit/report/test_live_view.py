"""The live view on a terminal: drawn seldom, beside the session, gone afterwards; a terminal that fails is no fault."""

import asyncio
import io
import threading
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from app import times
from app.report import live_view
from app.report.live_screen import Shown
from app.report.live_view import LiveView
from tests.live_sessions import link, live, market

SHOW, HIDE, ALTERNATE = "\x1b[?25h", "\x1b[?25l", "\x1b[?1049h"


class Terminal(io.StringIO):
    """Counts what is written."""

    fault: Exception | None = None
    hold: threading.Event | None = None

    def write(self, text: str) -> int:
        """Perhaps late, perhaps never."""
        if self.hold is not None:
            self.hold.wait()
        if self.fault is not None:
            raise self.fault
        return super().write(text)

    def isatty(self) -> bool:
        """It is one."""
        return True


def console(terminal: Terminal, width: int = 100, height: int = 30) -> Console:
    return Console(file=terminal, force_terminal=True, width=width, height=height)


async def drawn(view: LiveView, count: int) -> None:
    async with asyncio.timeout(300):
        while view.drawn < count:
            await asyncio.sleep(0.01)


async def test_it_shows_the_session_and_leaves_the_terminal_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_view, "_DRAW_S", 0.01)
    terminal, made = Terminal(), live(tmp_path)
    view = LiveView(console(terminal))
    async with view.shown():
        view.note("waiting for the exchange")
        await drawn(view, 1)
        assert "starting: warm-up" in terminal.getvalue()
        assert "waiting for the exchange" in terminal.getvalue()
        view.begin(made.view)
        made.view.note_link(link())
        for event in market():
            await made.recorded.handle(event)
        await drawn(view, view.drawn + 2)
        assert "2025-03-30 19:40 UTC" in terminal.getvalue()
        assert "last frame 0 s ago" in terminal.getvalue()
        shown = terminal.getvalue()
        assert shown.rindex(SHOW) > shown.rindex(HIDE), "the cursor is there at any moment"
    written = terminal.getvalue()
    assert ALTERNATE not in written
    await asyncio.sleep(0.05)
    assert terminal.getvalue() == written
    made.close()


async def test_four_times_a_second_and_no_more(tmp_path: Path) -> None:
    view = LiveView(console(Terminal()))
    looked: list[float] = []

    def look() -> Shown:
        looked.append(times.monotonic_s())
        return Shown()

    view._look = look  # type: ignore[method-assign]
    async with view.shown():
        await drawn(view, 3)
    assert all(later - earlier > 0.24 for earlier, later in pairwise(looked))


async def test_the_age_of_the_last_frame_is_in_real_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, hand = live(tmp_path), [100.0]
    monkeypatch.setattr(times, "monotonic_s", lambda: hand[0])
    view = LiveView(console(Terminal()))
    view.begin(made.view)
    assert view._look().frame_age_s is None
    state = link(frames=5)
    made.view.note_link(state)
    assert view._look().frame_age_s == 0.0
    hand[0] += 7.0
    assert view._look().frame_age_s == 7.0
    state.frames += 1
    assert view._look().frame_age_s == 0.0
    made.close()


@pytest.mark.parametrize("what", ["terminal", "status"])
async def test_a_picture_that_fails_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setattr(live_view, "_DRAW_S", 0.01)
    terminal, made = Terminal(), live(tmp_path)
    view = LiveView(console(terminal))
    view.begin(made.view)
    async with view.shown():
        await drawn(view, 1)
        count = view.drawn
        if what == "terminal":
            terminal.fault = OSError(5, "Input/output error")  # the window was closed
        else:
            monkeypatch.setattr(made.view, "status", [].pop)
        await asyncio.sleep(0.1)
        assert view.drawn <= count + 2
        terminal.fault = None
        monkeypatch.undo()
        await drawn(view, count + 4)
    made.close()


async def test_a_terminal_that_takes_nothing_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-S: the session runs to its end meanwhile, and the pictures do not pile up."""
    monkeypatch.setattr(live_view, "_DRAW_S", 0.001)
    terminal, made = Terminal(), live(tmp_path)
    terminal.hold = threading.Event()
    view = LiveView(console(terminal))
    view.begin(made.view)
    async with view.shown():
        assert await made.run(*market()) == "finished"
        async with asyncio.timeout(300):
            while not view._output.waiting:  # the picture after the one that hangs
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert (view.drawn, view._output.waiting) == (0, 1)
    terminal.hold.set()
    assert view._output.close()


async def test_a_terminal_that_was_resized_is_cleared_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_view, "_DRAW_S", 0.01)
    terminal = Terminal()
    shape = console(terminal, 100, 30)
    view = LiveView(shape)
    clear = "\x1b[2J"
    async with view.shown():
        await drawn(view, 3)
        assert clear not in terminal.getvalue()
        shape.size = (60, 20)
        await drawn(view, view.drawn + 3)
        assert terminal.getvalue().count(clear) == 1
