"""Paper sessions as a user runs them, against a testnet: live = tape = history, whatever happens on the way."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.feeds.tape import read_tape
from app.session.control import read_status
from tests.fetching import run, running_testnet
from tests.integration.processes import PATIENCE_S, PROJECT, results_of, until
from tests.made_trades import read_trade_log
from tests.storm.live import SYMBOLS, LiveCase, hold_clock, profile

FAST = LiveCase(candles=16, speed=180.0)
SERVED = ("--generate", "3", "--symbols", ",".join(SYMBOLS), "--start", "2026-03-01T12:00:20", "--speed", "60")


def test_calm_live_is_tape_is_history() -> None:
    outcome = FAST.calm(4)
    assert outcome.problem == ""
    assert outcome.feed == {}
    assert outcome.fills > 0


@pytest.mark.parametrize("case", [FAST, replace(FAST, portfolio=True)], ids=["one strategy", "three strategies"])
def test_a_kill_changes_no_byte(case: LiveCase) -> None:
    outcome = case.kill(1)
    assert outcome.problem == ""
    assert outcome.fills > 0


class Paper:
    """A session in a process of its own, with its folder."""

    def __init__(self, folder: Path, url: str) -> None:
        self.run = folder / "live"
        self.words = [
            "--mode", "paper", "--config", str(profile(folder)), "--exchange-url", url,
            "--cache", str(folder / "cache"), "--out", str(self.run),
        ]  # fmt: skip
        self.process = self.start()

    def start(self, *more: str) -> "subprocess.Popen[str]":
        """Begin, or go on."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app", *self.words, *more],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self.process

    def wait_for(self, happened: Callable[[], bool]) -> None:
        """Until it has."""
        until(lambda: self.process.poll() is not None or happened())
        assert self.process.poll() is None, self.process.communicate()

    def rows(self) -> list[dict[str, str]]:
        """The trade log as it stands."""
        logs = list(self.run.glob("paper_*.csv"))
        return list(read_trade_log(logs[0])) if logs else []

    def held(self, net: str) -> dict[str, Any]:
        """A position that nobody closes, while the exchange's clock stands still: from here on it is held."""
        while True:
            self.wait_for(lambda: bool(self._open()))
            hold_clock(net, held=True)
            if self._is_quiet() and (found := self._open()):
                return found[0]
            hold_clock(net, held=False)

    def _is_quiet(self) -> bool:
        """Whether nothing was handled until the next status; what was on its way has come then."""
        written_ns, events = self._told()
        self.wait_for(lambda: self._told()[0] > written_ns)
        return self._told()[1] == events

    def _told(self) -> tuple[int, int]:
        status = self.run / "status.json"
        return status.stat().st_mtime_ns, read_status(self.run)["handling"]["events"]

    def _open(self) -> list[dict[str, Any]]:
        status = read_status(self.run) if (self.run / "status.json").exists() else {"positions": []}
        return [one for one in status["positions"] if one["closing"] is None]

    def ended(self, number: signal.Signals) -> tuple[int, str, str]:
        """Send a signal; status and output."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out, err


def test_an_operator_closes_kills_resumes_looks_and_stops(tmp_path: Path) -> None:
    with running_testnet(*SERVED) as url:
        paper = Paper(tmp_path, url)
        held = paper.held(url)
        said = run("close", str(paper.run), held["symbol"], "--why", "this one")
        assert said.stdout == f"close {held['symbol']}: given to the running session\n", said.stderr
        paper.wait_for(lambda: "operator" in {one["closing"] for one in read_status(paper.run)["positions"]})
        paper.process.kill()  # with the close order pending
        paper.process.communicate()
        hold_clock(url, held=False)
        paper.start()
        paper.wait_for(lambda: "operator" in {row["reason"] for row in paper.rows()})
        paper.held(url)
        said = run("kill", str(paper.run), "--why", "a test")
        assert (said.returncode, said.stdout) == (0, "kill: given to the running session\n")
        paper.wait_for(lambda: json.loads(run("status", str(paper.run), "--json").stdout)["halted"])
        hold_clock(url, held=False)
        paper.wait_for(lambda: len(paper.rows()) % 2 == 0)
        shown = run("status", str(paper.run)).stdout
        assert "HALTED      a test" in shown
        second = run(*paper.words)
        assert second.returncode == 2
        assert second.stderr == (
            f"onetape: {paper.run} belongs to a run that is going on, process {paper.process.pid}; stop it first\n"
        )
        # The latch survives a kill -9 and a restart; a resume given meanwhile takes effect then.
        paper.process.kill()
        paper.process.communicate()
        said = run("resume", str(paper.run), "--why", "seen to")
        assert said.stdout == "resume: takes effect with the next start\n"
        paper.start()
        paper.wait_for(lambda: not json.loads(run("status", str(paper.run), "--json").stdout)["halted"])
        count = len(paper.rows())
        paper.wait_for(lambda: len(paper.rows()) > count)
        status, out, err = paper.ended(signal.SIGTERM)
        assert (status, err) == (0, "")
        assert "Trade log saved:" in out
    results = results_of(paper.run)
    assert results["status"] == "stopped"
    rows = paper.rows()
    assert [row["action"] for row in rows].count("OPEN") == [row["action"] for row in rows].count("CLOSE")
    assert "kill_switch" in {row["reason"] for row in rows}
    kinds = [type(record.event).__name__ for record in read_tape(paper.run).records]
    assert [kinds.count(kind) for kind in ("Close", "Kill", "Resume", "Stop")] == [1, 1, 1, 1]
    assert [row["symbol"] for row in rows if row["reason"] == "operator"] == [held["symbol"]]
    tape = run("--mode", "backtest", "--tape", str(paper.run), "--out", str(tmp_path / "tape"))
    assert tape.returncode == 0, tape.stderr
    name = results["files"]["trades"]
    assert (tmp_path / "tape" / name).read_bytes() == (paper.run / name).read_bytes()
    finished = run(*paper.words)
    assert (finished.returncode, finished.stderr) == (
        2,
        f"onetape: {paper.run} holds a finished run; choose another --out, or remove it first\n",
    )


def test_positions_that_are_kept_go_on_with_the_next_start(tmp_path: Path) -> None:
    with running_testnet(*SERVED) as url:
        paper = Paper(tmp_path, url)
        paper.process.kill()
        paper.process.communicate()
        keep = ("--set", "on_stop=keep")
        paper.start(*keep)
        paper.wait_for(lambda: len(paper.rows()) % 2 == 1)
        status, _, err = paper.ended(signal.SIGINT)
        assert (status, err) == (0, "")
        kept = paper.rows()
        assert not (paper.run / "results.json").exists()
        changed = run(*paper.words)
        assert changed.returncode == 2
        assert (
            "was begun with other code or settings; changed since: the settings (trading_mode.on_stop)"
            in changed.stderr
        )
        paper.start(*keep)
        paper.wait_for(lambda: len(paper.rows()) > len(kept))
        assert paper.rows()[: len(kept)] == kept
        assert paper.ended(signal.SIGINT)[0] == 0
        # Both stops are on the tape, and it still replays to its end.
        tape = run("--mode", "backtest", "--tape", str(paper.run), "--out", str(tmp_path / "tape"))
        assert tape.returncode == 0, tape.stderr
        paper.start(*keep)
        count = len(paper.rows())
        paper.wait_for(lambda: len(paper.rows()) > count)
        assert paper.ended(signal.SIGINT)[0] == 0


def test_what_does_not_go_together_is_said(tmp_path: Path) -> None:
    for words, said in (
        (("--start", "2026-01-01"), "--mode paper starts now; --start belongs to a backtest"),
        (("--offline",), "--mode paper needs the exchange; --offline belongs to a backtest"),
        (("--tape", "x"), "--tape belongs to --mode backtest; a paper session is continued with --out RUN"),
    ):
        process = run("--mode", "paper", "--config", str(profile(tmp_path)), *words)
        assert (process.returncode, process.stderr) == (2, f"onetape: {said}\n")
    process = run("--mode", "backtest", "--tape", str(tmp_path))
    assert (process.returncode, process.stderr) == (
        2,
        f"onetape: {tmp_path} holds no tape; a session of --mode paper or live writes one\n",
    )
