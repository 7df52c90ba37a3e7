"""`--mode paper`: what a session says on a screen, in a pipe, in a log; and that none of it can disturb the session."""

import io
import json
import re
import sys
from pathlib import Path

import pytest

from app.cli.main import main
from app.cli.paper import SessionOutput, event_lines, run_on
from app.errors import BlockedError, DataError, RateLimitError, UnavailableError
from app.models.events import Close, EndOfData, Event, Kill, LateCandle, MarkedSlice, Resume, RevisedCandle, Stop
from app.models.orders import Action, Decision
from app.report.output_thread import OutputThread
from app.session.backtest import BacktestResults
from app.session.paper import PaperRunner
from tests.live_sessions import live, market
from tests.made import BTC, candle, fill, slice_of


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (slice_of(candle()), []),
        (MarkedSlice(60_000, (candle(),), False, late=True), ["late slice: no entry is accepted on it"]),
        (MarkedSlice(60_000, (candle(),), False, stale=(BTC,)), []),
        (LateCandle(candle()), ["BTC/USDT late candle of 1970-01-01T00:00:00.000Z"]),
        (RevisedCandle(candle()), ["BTC/USDT revised by the exchange: candle of 1970-01-01T00:00:00.000Z"]),
        (Close("enough", BTC), ["close BTC/USDT: enough"]),
        (Close("enough", BTC, "slow"), ["close slow BTC/USDT: enough"]),
        (Kill("a"), ["kill: a"]),
        (Resume("b"), ["resume: b"]),
        (Stop("SIGINT"), ["stop: SIGINT"]),
        (EndOfData(), []),
    ],
)
def test_what_an_event_brought_in_words(event: Event, said: list[str]) -> None:
    assert event_lines(event, (), ()) == said


def test_fills_and_decisions_in_words() -> None:
    decision = Decision(0, BTC, Action.LONG, "halted", None, "")
    assert event_lines(slice_of(candle()), (fill(), fill(opens=True)), (decision,)) == [
        "BTC/USDT LONG closed (take_profit), +20.00: 2 at 110",
        "BTC/USDT LONG opened: 2 at 110",
        "BTC/USDT LONG -> halted",
    ]


@pytest.fixture
def in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runner whose session is the golden market, told as any other."""

    async def run_async(self: PaperRunner) -> object:
        made = live(tmp_path / "run")

        def slow_kill(event: Event, _: float) -> None:
            if isinstance(event, Kill):
                made.view.note_slow(event, 61.0)

        assert self.on_session is not None
        assert self.tell is not None
        self.on_session(made.view, True)
        self.tell("a note of the feed")
        await made.run(*market(), slow_s=0.0, on_slow=slow_kill)
        return BacktestResults(made.results, tmp_path / "run", 0.0)

    monkeypatch.setattr(PaperRunner, "run_async", run_async)
    return tmp_path / "run"


def test_in_a_pipe_a_line_for_each_thing_then_the_report(in_memory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--mode", "paper"]) == 0
    out, err = capsys.readouterr()
    lines = out.partition("Onetape paper: ")[0].splitlines()
    assert lines[0] == "continued after 0 events of the tape"
    assert [line for line in lines if line.endswith(" kill: golden")] == ["2025-03-30T19:08:00.000Z kill: golden"]
    assert any("slow: handling a Kill took 61.0 s, longer than a candle lasts" in line for line in lines)
    assert sum("late candle" in line for line in lines) == 1
    assert err == "onetape: a note of the feed\n"
    assert "Trade log saved:" in out


def test_a_session_that_gave_up_is_no_success(
    in_memory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_async = PaperRunner.run_async

    async def gave_up(self: PaperRunner) -> BacktestResults:
        made = await run_async(self)
        return BacktestResults({**made, "status": "gave_up"}, in_memory, 0.0)

    monkeypatch.setattr(PaperRunner, "run_async", gave_up)
    assert main(["--mode", "paper"]) == 1, "a service starts it again, and it goes on closing"
    assert capsys.readouterr().err.endswith("ended before all was closed: the same command goes on closing\n")


def test_json_is_the_results_and_nothing_else(in_memory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--mode", "paper", "--json"]) == 0
    assert capsys.readouterr().out == (in_memory / "results.json").read_text()


def test_events_go_to_standard_error_and_to_a_file(
    in_memory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "logs" / "onetape.jsonl"
    assert main(["--mode", "paper", "--json", "--log-json", "--log-file", str(file)]) == 0
    told = [json.loads(line)["event"] for line in file.read_text().splitlines()]
    assert (told[0], told[-1]) == ("session_continued", "session_ended")
    assert {"halted", "resumed", "order", "fill", "slow_strategy", "note"} <= set(told)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert [json.loads(line)["event"] for line in lines] == told


def test_a_log_that_cannot_be_written_is_told_before_anything_begins(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    assert main(["--mode", "paper", "--log-file", str(tmp_path / "taken" / "log")]) == 2


def test_a_reader_who_leaves_disturbs_nothing(in_memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            if "Onetape paper: " in text or "Report saved: " in text:
                return super().write(text)
            raise BrokenPipeError(32, "Broken pipe")

    errors = io.StringIO()
    monkeypatch.setattr(sys, "stdout", Gone())
    monkeypatch.setattr(sys, "stderr", errors)
    assert main(["--mode", "paper"]) == 0
    assert "lines were lost (BrokenPipeError: [Errno 32] Broken pipe)" in errors.getvalue()
    assert (in_memory / "results.json").exists()
    assert "error" not in (in_memory / "paper_test.csv").read_text()


def test_on_a_terminal_there_is_a_screen(in_memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown, errors = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setattr(sys, "stderr", errors)
    assert main(["--mode", "paper"]) == 0
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown.getvalue())
    assert text.startswith("Onetape paper: "), "nothing but the report"
    assert "Onetape paper" in errors.getvalue()
    assert main(["--mode", "paper", "--json"]) == 0
    assert main(["--mode", "paper", "--log-json"]) == 0
    assert shown.getvalue().count("continued after") == 1, "who asks for JSON lines there gets no screen over them"


class _Screen:
    def __init__(self) -> None:
        self.notes: list[str] = []

    def begin(self, view: object) -> None:
        """Seen."""

    def note(self, text: str) -> None:
        self.notes.append(text)


async def test_notes_of_a_screen_leave_the_fills_to_their_own_list(tmp_path: Path) -> None:
    output, screen = OutputThread(), _Screen()
    shown = SessionOutput(output, lines=True)
    shown.screen = screen  # type: ignore[assignment]
    made = live(tmp_path)
    shown.begin(made.view, False)
    shown.note("from the feed")
    for event in market():
        await made.recorded.handle(event)
    made.close()
    assert screen.notes[0] == "from the feed"
    assert "19:08 kill: golden" in screen.notes
    assert not any("opened" in note or "closed" in note for note in screen.notes)
    assert made.view.last_fills


def test_what_does_not_go_together(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("--start", "2026-01-01"), ("--offline",), ("--tape", "x")):
        assert main(["--mode", "paper", *words]) == 2
    assert main(["--mode", "backtest", "--tape", "x", "--symbols", "A/B"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "onetape: --symbols does not go with --tape: the tape has its own"
    )


async def test_a_session_that_has_begun_waits_for_the_exchange(tmp_path: Path) -> None:
    made = live(tmp_path / "run")
    made.close()
    faults: list[Exception] = [UnavailableError("no answer"), RateLimitError("429"), *[UnavailableError("x")] * 5]
    said, slept = list[str](), list[float]()

    class Runner:
        out: Path | None = tmp_path / "run"

        async def run_async(self) -> str:
            if faults:
                raise faults.pop(0)
            return "results"

    async def sleep(wait_s: float) -> None:
        slept.append(wait_s)

    runner = Runner()
    assert await run_on(runner, said.append, sleep) == "results"  # type: ignore[arg-type, comparison-overlap]
    assert slept == [5.0, 60.0, 20.0, 40.0, 60.0, 60.0, 60.0]
    assert said[0] == "no answer; the session goes on when the exchange answers, next try in 5 s"
    slept.clear()
    faults += [
        RateLimitError("418", 3_600.0, banned=True),
        RateLimitError("418", None, banned=True),
        BlockedError("403"),
    ]
    assert await run_on(runner, said.append, sleep) == "results"  # type: ignore[arg-type, comparison-overlap]
    assert slept[0] == 3_600.0, "a ban is sat out, not asked about"
    assert slept[1] >= 120.0 and slept[2] == 20.0
    # One that never began says what is wrong at once; other faults are nobody's to wait for.
    for out, fault in ((None, UnavailableError("a")), (tmp_path, UnavailableError("a")), (runner.out, DataError("b"))):
        runner.out = out
        faults.append(fault)
        with pytest.raises(type(fault)):
            await run_on(runner, said.append, sleep)  # type: ignore[arg-type]


def test_ctrl_c_before_the_session_runs_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run_async(self: PaperRunner) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(PaperRunner, "run_async", run_async)
    assert main(["--mode", "paper"]) == 130
    assert capsys.readouterr().err.startswith("onetape: stopped before the session ran")


async def test_a_session_that_failed_says_what_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made, output = live(tmp_path), OutputThread()
    SessionOutput(output, lines=True).begin(made.view, continued=False)
    made.view.fail(ZeroDivisionError("x"))
    made.close()
    output.close()
    held = "0 open positions and 0 entry orders stay as they are for the next start"
    assert capsys.readouterr().out == f"failed: ZeroDivisionError; nothing more is traded, {held}\n"
