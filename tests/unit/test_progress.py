"""The progress bar: on a terminal, not before a second has gone, and gone itself in the end."""

import io
import sys

import pytest

from app.reporting import progress
from app.reporting.progress import BacktestProgress, wanted
from app.runtime import clock
from app.runtime.period import Period

PERIOD = Period(0, 100_000, "")


class Terminal(io.StringIO):
    """Standard error that says it is a terminal."""

    def isatty(self) -> bool:
        """It does."""
        return True


@pytest.fixture
def now_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The real clock's edge: a hand to turn it with."""
    hand = [0.0]
    monkeypatch.setattr(clock, "monotonic_s", lambda: hand[0])
    return hand


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """In the test's own body: pytest sets standard error anew for each phase."""
    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made)
    return made


def test_a_bar_belongs_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    on_terminal(monkeypatch)
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert wanted()
    monkeypatch.setattr(sys, "stdout", io.StringIO())  # the report goes into a pipe
    assert not wanted()
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not wanted()


def test_a_short_run_shows_none(now_s: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    bar = BacktestProgress()
    advance = bar(PERIOD)
    for tenth in range(10):
        now_s[0] = tenth / 10
        advance(10_000 * tenth, 1_000 * tenth)
    bar.close()
    assert terminal.getvalue() == ""


def test_a_long_run_shows_how_far_and_how_fast(now_s: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    bar = BacktestProgress()
    advance = bar(PERIOD)
    now_s[0] = 2.0
    advance(50_000, 4_000)
    inner = bar._bar
    assert inner is not None
    task = inner.tasks[0]
    assert (task.completed, task.description) == (50.0, "2,000 candles/s")
    advance(60_000, 6_000)
    assert task.completed == 50.0, "not more often than ten times a second"
    now_s[0] = 2.2
    advance(60_000, 6_600)
    assert (task.completed, task.description) == (60.0, "3,000 candles/s")
    bar.close()
    assert inner.finished is False
    assert "replaying" in terminal.getvalue()
    bar.close()


def test_rich_is_not_imported_before_it_is_needed() -> None:
    assert not hasattr(progress, "Console")
