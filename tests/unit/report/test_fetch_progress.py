"""The progress of a fetch: a bar on a terminal, notes beside it, in a pipe notes alone."""

import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from app import times
from app.report.fetch_progress import FetchBar, teller


class Terminal(io.StringIO):
    """Standard error that says it is a terminal."""

    def isatty(self) -> bool:
        """It does."""
        return True


@dataclass
class Counted:
    """A fetch's counts."""

    wanted: int
    done: int
    began_s: float = 0.0


@pytest.fixture
def now_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The real clock's edge: a hand to turn it with."""
    hand = [0.0]
    monkeypatch.setattr(times, "monotonic_s", lambda: hand[0])
    return hand


def standard_error(monkeypatch: pytest.MonkeyPatch, made: io.StringIO) -> io.StringIO:
    """In the test's own body: pytest sets standard error anew for each phase."""
    monkeypatch.setattr(sys, "stderr", made)
    return made


def test_a_short_fetch_shows_no_bar(now_s: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = standard_error(monkeypatch, Terminal())
    bar = FetchBar()
    for hundredth in range(50):
        now_s[0] = hundredth / 100
        bar(Counted(1_000, hundredth))
    bar.close()
    assert terminal.getvalue() == ""


def test_a_longer_one_shows_how_far_and_how_fast(now_s: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = standard_error(monkeypatch, Terminal())
    bar = FetchBar()
    now_s[0] = 2.0
    bar(Counted(10_000, 4_000))
    inner = bar._bar
    assert inner is not None
    [task] = inner.tasks
    assert (task.completed, task.total, task.description) == (4_000, 10_000, "4,000 of 10,000 candles, 2,000/s")
    now_s[0] = 2.05
    bar(Counted(10_000, 5_000))
    assert task.completed == 4_000, "not more often than ten times a second"
    now_s[0] = 2.5
    bar(Counted(12_000, 5_000))
    assert (task.completed, task.total, task.description) == (5_000, 12_000, "5,000 of 12,000 candles, 2,000/s")
    bar.close()
    assert "fetching" in terminal.getvalue()
    assert bar._bar is None
    bar.close()


def test_in_a_pipe_there_is_no_bar_at_all(now_s: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = standard_error(monkeypatch, io.StringIO())
    bar = FetchBar()
    now_s[0] = 100.0
    bar(Counted(10, 5))
    assert bar._bar is None
    bar.say("onetape: a note [with] brackets")
    bar.close()
    assert pipe.getvalue() == "onetape: a note [with] brackets\n"


def test_a_note_stands_above_the_bar_as_it_is(now_s: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = standard_error(monkeypatch, Terminal())
    bar = FetchBar()
    now_s[0] = 1.0
    bar(Counted(10, 5))
    bar.say("onetape: a note [bold]with[/bold] brackets 12")
    bar.close()
    assert "onetape: a note [bold]with[/bold] brackets 12" in terminal.getvalue()


def test_notes_come_at_most_once_a_second(now_s: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = standard_error(monkeypatch, io.StringIO())
    tell = teller(FetchBar())
    for tenth in range(25):
        now_s[0] = tenth / 10
        tell(f"note {tenth}")
    assert pipe.getvalue().splitlines() == ["onetape: note 0", "onetape: note 10", "onetape: note 20"]


def test_rich_is_not_imported_before_a_bar_shows() -> None:
    script = (
        "import sys; from app.report.fetch_progress import FetchBar, teller; teller(FetchBar())('a note'); "
        "print('rich' in sys.modules)"
    )
    project = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", script], cwd=project, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "onetape: a note\n")
