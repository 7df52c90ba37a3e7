"""`kill`, `resume` and `status` from another shell: each state of a session in words, each mistake in one line."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from app.cli.main import main
from app.cli.operator import status_lines
from app.runs.run_folder import owned
from app.session.control import write_status
from tests.live_sessions import link, live, market

STATUS: dict[str, Any] = {
    "running": True,
    "age_s": 0.4,
    "last_slice_ms": 60_000,
    "link": None,
    "equity": 9_900.0,
    "balance": 9_950.0,
    "peak": 10_000.0,
    "halted": False,
    "halts": [],
    "positions": [],
    "pending": [],
    "funnel": {"signals": {"LONG": 2, "SHORT": 1}, "orders_submitted": 1},
    "feed": {},
}


@pytest.fixture
async def run(tmp_path: Path) -> Path:
    """A session that broke off after the golden market."""
    made = live(tmp_path / "run")
    await made.run(*market())
    (tmp_path / "run" / "results.json").unlink()
    write_status(tmp_path / "run", made.view.status())
    return tmp_path / "run"


def lines(**changes: Any) -> dict[str, str]:
    """By their labels."""
    return {line[:12].strip(): line[12:] for line in status_lines({**STATUS, **changes})}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "running"),
        ({"running": False}, "broke off (killed, or the machine went down); the same command continues it"),
        (
            {"running": False, "ended": "failed", "why": "the disk is full"},
            "broke off: the disk is full; the same command continues it",
        ),
        ({"running": False, "ended": "kept"}, "stopped, its positions are kept; the same command continues it"),
        ({"running": False, "ended": "stopped"}, "stopped by the operator, finished"),
        ({"running": False, "ended": "finished"}, "finished"),
        ({"ended": "kept"}, "running"),  # the status of the last time, while it replays its tape
    ],
)
def test_each_state_in_words(changes: dict[str, Any], said: str) -> None:
    assert lines(**changes)["session"] == said


def test_an_old_status_of_a_running_session_is_doubted() -> None:
    assert lines()["status"] == "0 s old"
    assert lines(age_s=42.0)["status"].startswith("42 s old; a running session writes it every second: it hangs,")
    assert lines(age_s=600.0, running=False)["status"] == "10 min old"
    assert lines(age_s=90_000.0, running=False)["status"] == "1 d 1 h old"


def test_the_figures() -> None:
    said = lines()
    assert said["last slice"] == "1970-01-01 00:01 UTC"
    assert said["equity"] == "9,900.00 (balance 9,950.00, peak 10,000.00)"
    assert said["drawdown"] == "1.00 %"
    assert said["funnel"] == "3 signals, 1 orders"
    assert lines(last_slice_ms=None)["last slice"] == "none yet"
    assert lines(peak=0.0)["drawdown"] == "0.00 %"
    assert lines(feed={"late_slices": 2, "stale_symbols": 0})["late"] == "late_slices 2"
    assert lines(pending=["A/B"])["pending"] == "A/B"
    halted = lines(halted=True, halts=[{"time_ms": 0, "why": "drawdown 20.1%, the limit is 20.00%"}])
    assert halted["HALTED"] == "drawdown 20.1%, the limit is 20.00%; `python -m app resume RUN --why ...` releases it"


def test_the_feed_of_a_running_session() -> None:
    assert lines()["feed"] == "not connected yet"
    state = {**vars(link(connections=3, late=("A/B",), missing=("C/D",)))}
    assert lines(link=state)["feed"] == (
        "up, lag 42 ms, 2 reconnects, 0 REST faults, 0 candles by REST; late A/B; asked for C/D"
    )
    assert lines(link={**state, "connected": False})["feed"].startswith("DOWN, lag 42 ms")
    assert "feed" not in lines(link=state, running=False)


def test_a_status_of_a_real_session(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.utime(run / "status.json", (0, 0))
    assert main(["status", str(run)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("session     broke off (killed, or the machine went down); the same command continues it\n")
    assert "\nfunnel      " in out
    with owned(run):
        assert main(["status", str(run), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["running"], content["age_s"] > 1e9) == (True, True)


def test_kill_and_resume_say_whether_they_are_heard(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kill", str(run), "--why", "a"]) == 0
    assert capsys.readouterr().out == "kill: takes effect with the next start\n"
    with owned(run):
        assert main(["resume", str(run), "--why", "b"]) == 0
    assert capsys.readouterr().out == "resume: given to the running session\n"
    assert len(list((run / "commands").iterdir())) == 2


def test_a_close_names_its_symbol_and_strategy(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["close", str(run), "AAA/X", "--why", "a"]) == 0
    assert main(["close", str(run), "AAA/X", "--strategy", "main", "--why", "b"]) == 0
    assert capsys.readouterr().out == "close AAA/X: takes effect with the next start\n" * 2
    with owned(run):
        assert main(["close", str(run), "AAA/X", "--why", "a"]) == 2
    assert capsys.readouterr().err == "onetape: nothing of AAA/X is open: nothing is\n"


def test_a_position_that_is_being_closed_says_so() -> None:
    held = {
        "symbol": "A/B", "side": "LONG", "quantity": 1.0, "entry": 100.0, "mark": 101.0, "stop": 90.0, "target": 120.0,
        "unrealised": 1.0, "closing": "operator",
    }  # fmt: skip
    assert ", being closed (operator), +1.00" in lines(positions=[held])["position"]
    assert "closed" not in lines(positions=[{**held, "closing": None}])["position"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("kill", "RUN"), "kill needs --why: say why, it is written on the tape"),
        (("resume", "RUN", "--why", " "), "resume needs --why: say why, it is written on the tape"),
        (("kill", "RUN/no", "--why", "x"), "RUN/no is no folder; name the run folder of a session"),
        (("kill", "RUN/tape", "--why", "x"), "RUN/tape is no folder of a session: it holds no tape"),
        (("close", "RUN", "AAA/X"), "close needs --why: say why, it is written on the tape"),
        (("close", "RUN", "NO/X", "--why", "x"), "'NO/X' is no symbol of this session; there is AAA/X, BBB/X"),
        (
            ("close", "RUN", "AAA/X", "--strategy", "b", "--why", "x"),
            "'b' is no strategy of this session; there is main",
        ),
        (("close", "RUN/no", "AAA/X", "--why", "x"), "RUN/no is no folder; name the run folder of a session"),
        (("status", "RUN/tape"), "RUN/tape holds no status of a session; name a run folder"),
        (("status", "RUN/no"), "RUN/no is no folder; name a run folder"),
    ],
)
def test_a_mistake_is_one_line(
    run: Path, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word.replace("RUN", str(run)) for word in words]) == 2
    assert capsys.readouterr().err == f"onetape: {said.replace('RUN', str(run))}\n"


def test_a_finished_run_hears_nothing(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "results.json").write_text("{}")
    assert main(["kill", str(run), "--why", "x"]) == 2
    assert capsys.readouterr().err == f"onetape: {run} holds a finished run: nobody will hear a kill\n"
