"""Alerts of real sessions on the testnet: of one that dies or hangs, not of a calm one; never in a session's way."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.session.control import read_status
from tests.fetching import run, running_testnet
from tests.integration.processes import PATIENCE_S, PROJECT, until
from tests.integration.test_paper import SERVED, Paper
from tests.receivers import Receiver, receiving

GONE = "the session is not running any more; the same command continues it"
HANGS = "no sign of life: the process hangs, is suspended, or its disk is full"
ALIVE = "the session is alive again"
FULL = pytest.mark.skipif(not os.environ.get("ONETAPE_FULL"), reason="half a minute of sessions each: ONETAPE_FULL=1")
AGAIN = "the session was started again and goes on"


def wanted(folder: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ONETAPE_ALERT_URLS", receiver.url)
    (folder / "alerts.yaml").write_text("heartbeat_s: 6\nslow_strategy: false\n")
    return str(folder / "alerts.yaml")


def slices(paper: Paper, count: int) -> None:
    """So many more."""

    def last_ms() -> int:
        try:
            return read_status(paper.run)["last_slice_ms"] or 0
        except Exception:  # it has not begun to write
            return 0

    for _ in range(count):
        before = last_ms()
        paper.wait_for(lambda before=before: last_ms() > before)  # type: ignore[misc]


@FULL
def test_a_session_that_hangs_dies_and_goes_on_is_told_of_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_testnet(*SERVED) as net, receiving() as receiver:
        file, paper = wanted(tmp_path, receiver, monkeypatch), Paper(tmp_path, net)
        slices(paper, 1)
        words = [sys.executable, "-m", "app", "watch", str(paper.run), "--alerts", file]
        with subprocess.Popen(words, cwd=PROJECT, stderr=subprocess.PIPE, text=True) as watch:
            assert watch.stderr is not None
            watch.stderr.readline()
            slices(paper, 8)
            assert receiver.lines == [], "it is calm"
            paper.process.send_signal(signal.SIGSTOP)
            assert receiver.wait_for(1) == [HANGS]
            paper.process.send_signal(signal.SIGCONT)
            assert receiver.wait_for(2) == [HANGS, ALIVE]
            paper.process.kill()
            paper.process.communicate()
            assert receiver.wait_for(3)[2:] == [GONE]
            paper.start()
            assert receiver.wait_for(5)[3:] == [AGAIN, ALIVE]
            slices(paper, 1)
            run("kill", str(paper.run), "--why", "a test")
            assert receiver.wait_for(6)[5:] == ["HALTED: a test"]
            assert paper.ended(signal.SIGTERM)[0] == 0
            assert receiver.wait_for(7)[6:] == ["the session has ended: stopped"]
            _, err = watch.communicate(timeout=PATIENCE_S)
            assert (watch.returncode, err) == (0, ""), "it ends with what it watched"
        assert len(receiver.lines) == 7


@FULL
def test_a_service_that_never_answers_costs_the_session_nothing_and_its_address_is_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_testnet(*SERVED) as net, receiving() as receiver:
        file, paper = wanted(tmp_path, receiver, monkeypatch), Paper(tmp_path, net)
        paper.process.kill()
        paper.process.communicate()
        receiver.hold.clear()
        paper.start("--alerts", file)
        slices(paper, 1)
        until((paper.run / "alerts.json").exists)  # it has looked once
        run("kill", str(paper.run), "--why", "a test")
        receiver.wait_until_asked(1)
        slices(paper, 8)
        assert receiver.lines == [], "and it still waits for its answer"
        paper.process.kill()
        paper.process.wait()
        receiver.hold.set()
        _, err = paper.process.communicate()  # of the watch, too: it has the same standard error
        assert receiver.wait_for(2) == ["HALTED: a test", GONE], "the watch beside it outlives it"
        until(lambda: not json.loads((paper.run / "alerts.json").read_text())["waiting"])
        files = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
        assert len(files) > 5
        assert not [path for path in files if b"topsecret" in path.read_bytes()]
        assert "topsecret" not in err
        assert os.environ["ONETAPE_ALERT_URLS"] == receiver.url, "it was there to be leaked"
