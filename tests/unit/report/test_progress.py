"""Progress bars: on a terminal, not before a while has gone, gone themselves in the end; notes of a fetch beside."""

import io
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from app import times
from app.report.progress import BacktestProgress, FetchBar, progress_text, teller, wanted
from app.session.period import Period

PERIOD = Period(0, 100_000, "")


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


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """In the test's own body: pytest sets standard error anew for each phase."""
    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made)
    return made


def on_pipe(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    made = io.StringIO()
    monkeypatch.setattr(sys, "stderr", made)
    return made


def test_a_bar_belongs_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    on_terminal(monkeypatch)
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("TERM", "xterm-256color")
    assert wanted()
    monkeypatch.setattr(sys, "stdout", io.StringIO())  # the report goes into a pipe
    assert not wanted()
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not wanted()
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "dumb")
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
    assert (task.completed, task.description) == (0.5, " 50 %, 2,000 candles/s, 0:02 left")
    advance(60_000, 6_000)
    assert task.completed == 0.5, "not more often than ten times a second"
    now_s[0] = 2.2
    advance(60_000, 6_600)
    assert (task.completed, task.description) == (0.6, " 60 %, 3,000 candles/s, 0:01 left")
    bar.close()
    assert inner.finished is False
    assert "replaying" in terminal.getvalue()
    bar.close()


@pytest.mark.parametrize(
    ("done", "elapsed_s", "text"),
    [
        (0.0, 2.0, "  0 %, 500 candles/s"),  # of a pace that is not known yet, nothing is said
        (0.25, 100.0, " 25 %, 10 candles/s, 5:00 left"),
        (0.01, 100.0, "  1 %, 10 candles/s, 2:45:00 left"),
        (0.9999, 10.0, "100 %, 100 candles/s, 0:00 left"),
        (1.0, 10.0, "100 %, 100 candles/s, 0:00 left"),
    ],
)
def test_the_time_left_is_that_of_the_pace_so_far(done: float, elapsed_s: float, text: str) -> None:
    assert progress_text(done, 1_000, elapsed_s) == text


def test_candles_outside_the_period_are_no_more_than_all_and_no_less_than_none(
    now_s: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_terminal(monkeypatch)
    bar = BacktestProgress()
    advance = bar(PERIOD)
    for now, close_ms, done in ((2.0, -5_000, 0.0), (3.0, 200_000, 1.0)):
        now_s[0] = now
        advance(close_ms, 10)
        assert bar._bar is not None
        assert bar._bar.tasks[0].completed == done
    bar.close()


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_bar_is_one_line_of_any_terminal(columns: int, now_s: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    terminal = on_terminal(monkeypatch)
    bar = BacktestProgress()
    advance = bar(PERIOD)
    now_s[0] = 2.0
    advance(50, 2_468_012)
    bar.close()
    drawn = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue()).replace("\r", "\n")
    (line,) = {line.rstrip() for line in drawn.split("\n") if line.strip()}
    assert line.startswith("replaying ")
    assert line.endswith("  0 %, 1,234,006 candles/s, 1:06:38 left")
    assert len(line) <= columns


def test_a_short_fetch_shows_no_bar(now_s: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    bar = FetchBar()
    for hundredth in range(50):
        now_s[0] = hundredth / 100
        bar(Counted(1_000, hundredth))
    bar.close()
    assert terminal.getvalue() == ""


def test_a_longer_one_shows_how_far_and_how_fast(now_s: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
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
    pipe = on_pipe(monkeypatch)
    bar = FetchBar()
    now_s[0] = 100.0
    bar(Counted(10, 5))
    assert bar._bar is None
    bar.say("onetape: a note [with] brackets")
    bar.close()
    assert pipe.getvalue() == "onetape: a note [with] brackets\n"


def test_a_note_stands_above_the_bar_as_it_is(now_s: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    bar = FetchBar()
    now_s[0] = 1.0
    bar(Counted(10, 5))
    bar.say("onetape: a note [bold]with[/bold] brackets 12")
    bar.close()
    assert "onetape: a note [bold]with[/bold] brackets 12" in terminal.getvalue()


def test_notes_come_at_most_once_a_second(now_s: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = on_pipe(monkeypatch)
    tell = teller(FetchBar())
    for tenth in range(25):
        now_s[0] = tenth / 10
        tell(f"note {tenth}")
    assert pipe.getvalue().splitlines() == ["onetape: note 0", "onetape: note 10", "onetape: note 20"]


def test_rich_is_not_imported_before_a_bar_shows() -> None:
    script = (
        "import sys; from app.report.progress import FetchBar, teller; teller(FetchBar())('a note'); "
        "print('rich' in sys.modules)"
    )
    project = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", script], cwd=project, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "onetape: a note\n")
