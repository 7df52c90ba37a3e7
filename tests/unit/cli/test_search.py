"""`python -m app search`: the printed command gives the best, kills change nothing, bad input is one line."""

import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.cli.main import main
from app.cli.search import SearchProgress
from tests import warm_python
from tests.integration.processes import PATIENCE_S, until
from tests.searches import CACHE, CONFIG, ROOT

SEARCH = ["search", "--config", str(CONFIG), "--cache", str(CACHE), "--offline", "--start", "2023-01-01"]
SEARCH += ["--end", "2023-03-01", "--objective", "return"]
SPACE = ["--param", "ema_fast=5:20:5", "--param", "ema_slow=15:40:5", "--param", "reward_risk_ratio=1:3:0.5"]
SMALL = [*SPACE[:4], "--workers", "1"]


def started(arguments: list[str], popen: Any = None) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "app", *arguments]
    return (popen or subprocess.Popen)(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.parametrize("method", ["grid", "random", "bayes", "genetic"])
def test_the_printed_command_gives_the_best(method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = SMALL[:4] if method == "grid" else SPACE
    trials = [] if method == "grid" else ["--trials", "30"]
    out = str(tmp_path / "study")
    assert main([*SEARCH, *space, "--workers", "2", "--method", method, *trials, "--out", out]) == 0
    text = capsys.readouterr().out
    (command,) = re.findall(r"^  (python -m app --mode backtest .*)$", text, re.MULTILINE)
    best = json.loads((tmp_path / "study/study.json").read_text())["best"]
    assert best["command"] == command
    again = subprocess.run(
        [sys.executable, *shlex.split(command)[1:], "--out", str(tmp_path / "run"), "--json"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    results = json.loads(again.stdout)
    assert results["performance"] == best["performance"]
    log = (tmp_path / "run" / results["files"]["trades"]).read_bytes()
    assert hashlib.sha256(log).hexdigest() == best["trades_sha256"]


@pytest.mark.parametrize("method", ["bayes", "genetic"])
def test_the_number_of_workers_changes_nothing(method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for count in ("1", "3"):
        arguments = [*SEARCH, *SPACE, "--method", method, "--trials", "24", "--workers", count, "--json"]
        assert main([*arguments, "--out", str(tmp_path / count)]) == 0
        found.append(capsys.readouterr().out)
        assert found[-1] == (tmp_path / count / "study.json").read_text()
    assert found[0] == found[1]


SIXTY = [*SEARCH, *SPACE, "--method", "bayes", "--trials", "60", "--workers", "2", "--json", "--out"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a search that nobody ends tells."""
    told, _ = started([*SIXTY, str(tmp_path_factory.mktemp("whole") / "study")]).communicate(timeout=PATIENCE_S)
    assert told
    return told


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_search_that_is_ended_half_way_goes_on_to_the_same_result(
    how: signal.Signals, whole: str, tmp_path: Path
) -> None:
    # Started anew: the processes that it leaves behind are known by its command line.
    search = started([*SIXTY, str(tmp_path / "study")], popen=warm_python.ColdPopen)
    assert search.stderr is not None
    for line in search.stderr:
        if re.search(r": (1[2-9]|[2-4]\d) of 60 trials", line):
            break
    search.send_signal(how)
    _, told = search.communicate(timeout=PATIENCE_S)
    if how is signal.SIGKILL:
        assert search.returncode == -signal.SIGKILL
    else:
        assert search.returncode == 2
        assert told.splitlines()[-1].endswith(
            f"stopped; the same command with --out {tmp_path}/study goes on from here"
        )
    assert not (tmp_path / "study/study.json").exists()
    resumed, told = started([*SIXTY, str(tmp_path / "study")]).communicate(timeout=PATIENCE_S)
    assert resumed == whole
    begun = re.search(r"onetape: (\d+) of 60 trials", told)
    assert begun is not None
    _no_process_is_left(str(tmp_path))


def test_progress_in_a_pipe_and_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = SearchProgress()
    for done in range(1, 101):
        progress(done, 100, None if done < 50 else (("a=1",), 1.25))
    progress.close()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 21
    assert lines[0] == "onetape: 1 of 100 trials, best so far none yet"
    assert lines[-1] == "onetape: 100 of 100 trials, best so far 1.25 (a=1)"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    progress = SearchProgress()
    progress(1, 100, None)
    progress(2, 100, None)
    progress.close()
    assert capsys.readouterr().err.count("\r\033[K") == 3


def _no_process_is_left(word: str) -> None:
    until(lambda: not subprocess.run(["pgrep", "-f", word], capture_output=True, text=True, check=False).stdout)


def test_a_study_of_another_config_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "study"), "--method", "random", "--trials", "3"]
    assert main([*SEARCH, *SMALL, *out]) == 0
    capsys.readouterr()
    assert main([*SEARCH, *SMALL, *out, "--set", "risk.reward_risk_ratio=3"]) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert "is another study: config.risk.reward_risk_ratio was 2.0 and is 3.0; choose another --out" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "nothing to search: give at least one --param"),
        (["--param", "ema_fas=1:2"], "unknown key ema_fas; did you mean ema_fast?"),
        (["--param", "ema_fast=9:5"], "the range is inverted"),
        (["--param", "ema_fast=5:20", "--method", "grid", "--trials", "3"], "the grid has 16 points"),
        (["--param", "ema_fast=5:20", "--shared-cache", "x"], "--shared-cache belongs to --cluster"),
        (["--param", "ema_fast=5:20", "--cluster", "tcp://x:1", "--workers", "2"], "--workers counts processes here"),
        (["--param", "ema_fast=5:20", "--trials", "0"], "'0' is no count"),
        (["--param", "ema_fast=5:20", "--out", "/dev/null/study"], "cannot be used"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main([*SEARCH, *arguments])
    except SystemExit as left:  # argparse's own
        status = int(str(left.code))
    captured = capsys.readouterr()
    assert status == 2
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if "the study is" not in line]
    assert len(lines) == 1
    assert told in lines[0]


def test_no_trial_with_a_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "study"), "--trials", "9", "--min-trades", "9999"]
    assert main([*SEARCH, *SMALL, *out]) == 2
    captured = capsys.readouterr()
    assert "Without a value 9: fewer than 9999 trades 9" in captured.out
    assert captured.err.splitlines()[-1].startswith("onetape: no trial has a value for the objective")
    assert json.loads((tmp_path / "study/study.json").read_text())["best"] is None
