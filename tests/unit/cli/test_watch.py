"""`watch`: a dead session is told of by a process that outlives it, a calm one is not; and what it refuses."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.cli.main import main
from tests.receivers import Receiver, receiving

SESSION = """
import json, pathlib, sys, time
from app.runs.run_folder import owned
run = pathlib.Path(sys.argv[1])
(run / "tape").mkdir(parents=True)
with owned(run):
    while True:
        (run / ".new").write_text(json.dumps({"link": {"connected": True}, "halted": False}))
        (run / ".new").replace(run / "status.json")
        print("alive", flush=True)
        time.sleep(0.1)
"""


@contextmanager
def session(run: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that has the folder and writes its status, as a session does."""
    with subprocess.Popen([sys.executable, "-c", SESSION, str(run)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def watching(run: Path, receiver: Receiver, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    (folder / "alerts.yaml").write_text("heartbeat_s: 3\n")
    words = [sys.executable, "-m", "app", "watch", str(run), "--alerts", str(folder / "alerts.yaml")]
    environment = {**os.environ, "ONETAPE_ALERT_URLS": receiver.url}
    with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == f"onetape: watching {run}\n"
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=300)
        finally:
            process.kill()  # of a test that failed; an ended one does not mind
        assert process.returncode == 0
        assert "topsecret" not in err


GONE = "the session is not running any more; the same command continues it"
HANGS = "no sign of life: the process hangs, is suspended, or its disk is full"


@pytest.mark.parametrize(("number", "told"), [(signal.SIGKILL, GONE), (signal.SIGSTOP, HANGS)])
def test_a_dead_session_is_told_of_once_and_a_calm_one_is_not(
    tmp_path: Path, number: signal.Signals, told: str
) -> None:
    run = tmp_path / "run"
    with receiving() as receiver, session(run) as process, watching(run, receiver, tmp_path):
        other = tmp_path / "other"
        with session(other), watching(other, receiver, tmp_path):
            process.send_signal(number)
            assert receiver.wait_for(1) == [told]
            if number == signal.SIGSTOP:
                process.send_signal(signal.SIGCONT)
                assert receiver.wait_for(2) == [told, "the session is alive again"]
        while json.loads((run / "alerts.json").read_text())["waiting"]:
            pass  # it is noted after the receiver has it
    everything = b"".join(path.read_bytes() for path in run.rglob("*") if path.is_file())
    assert b"topsecret" not in everything


def test_a_watch_that_was_killed_tells_nothing_twice_and_forgets_nothing(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with receiving() as receiver, session(run) as process:
        with watching(run, receiver, tmp_path) as watch:
            process.kill()
            process.wait()
            receiver.wait_for(1)
            while json.loads((run / "alerts.json").read_text())["waiting"]:
                pass
            watch.kill()
            watch.wait()
            watch.returncode = 0  # ended by us
        receiver.hold.clear()
        with session(tmp_path / "other"), watching(run, receiver, tmp_path):
            receiver.hold.set()
    assert receiver.lines == [GONE]


def test_a_message_to_try_it_out(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with receiving() as receiver:
        monkeypatch.setenv("ONETAPE_ALERT_URLS", receiver.url)
        assert main(["watch", "anywhere", "--test"]) == 0
        assert receiver.got == ["a test: alerts come here"]
        receiver.fails = 1
        assert main(["watch", "anywhere", "--test"]) == 2
    assert capsys.readouterr().err == "onetape: the message was not delivered by every address\n"


def test_what_cannot_be_watched_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ONETAPE_ALERT_URLS", raising=False)
    assert main(["watch", str(tmp_path)]) == 2
    monkeypatch.setenv("ONETAPE_ALERT_URLS", "topsecret")
    assert main(["watch", str(tmp_path)]) == 2
    monkeypatch.setenv("ONETAPE_ALERT_URLS", "json://127.0.0.1/")
    assert main(["watch", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert [line.removeprefix("onetape: ")[:40] for line in err.splitlines()] == [
        "no address for alerts: set ONETAPE_ALERT",
        "address 1 of 1 is none that Apprise know",
        f"{tmp_path} is no folder of a session"[:40],
    ]  # fmt: skip
    assert "topsecret" not in err


def test_a_backtest_that_promises_nothing_is_refused_at_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "alerts.yaml").write_text(f"expect: {tmp_path}\n")
    assert main(["watch", str(tmp_path), "--alerts", str(tmp_path / "alerts.yaml")]) == 2
    assert capsys.readouterr().err == f"onetape: {tmp_path}: it is no run folder: it holds no results.json\n"
