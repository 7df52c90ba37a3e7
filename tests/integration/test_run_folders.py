"""A run folder belongs to one process: runs that begin together have one each, and one --out is one run's."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.processes import PROJECT, SAMPLE, assert_complete, backtest, command, strategy_file

WEEK = ("--start", "2020-03-01", "--end", "2020-03-08", "--offline", "--no-report")
WAITS = """
import time
if self.count == 250:
    pathlib.Path(os.environ["MARKER"]).touch()
    while not pathlib.Path(os.environ["MARKER"] + ".go").exists():
        time.sleep(0.01)
return FLAT
"""
Running = subprocess.Popen[str]


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Running]:
    """A run in `tmp_path/run` that waits in its strategy until there is `marker.go`."""
    process = subprocess.Popen(
        command(*SAMPLE, *WEEK, "--strategy", strategy_file(tmp_path, WAITS), "--out", tmp_path / "run"),
        cwd=PROJECT,
        env={**os.environ, "MARKER": str(tmp_path / "marker")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    while not (tmp_path / "marker").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    yield process
    with process:
        process.kill()


def test_runs_that_begin_together_have_a_folder_each(tmp_path: Path) -> None:
    words = command("--config", PROJECT / SAMPLE[1], "--cache", PROJECT / SAMPLE[3], *WEEK, "--json")
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    runs = [
        subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(8)
    ]
    told = [run.communicate(timeout=300) for run in runs]
    assert [(run.returncode, err) for run, (_, err) in zip(runs, told, strict=True)] == [(0, b"")] * 8
    folders = sorted((tmp_path / "logs/backtests").iterdir())
    name = "config_backtest_2020-03-01_2020-03-08"
    assert {folder.name for folder in folders} == {name, *(f"{name}-{number}" for number in range(2, 9))}
    for folder in folders:
        assert_complete(folder, "finished")


def test_a_second_run_in_the_same_folder_is_refused_and_leaves_nothing(tmp_path: Path, held: Running) -> None:
    before = {path.name for path in (tmp_path / "run").iterdir()}
    other = backtest(*SAMPLE, "--start", "2020-05-01", "--end", "2020-05-08", "--out", tmp_path / "run")
    line = f"onetape: {tmp_path}/run belongs to a run that is going on, process {held.pid}; stop it first\n"
    assert (other.returncode, other.stdout, other.stderr) == (2, "", line)
    assert {path.name for path in (tmp_path / "run").iterdir()} == before
    (tmp_path / "marker.go").touch()
    _, err = held.communicate(timeout=60)
    assert (held.returncode, err) == (0, "")
    assert_complete(tmp_path / "run", "finished")


def test_a_run_that_was_killed_is_no_finished_one_and_its_folder_is_free(tmp_path: Path, held: Running) -> None:
    held.send_signal(signal.SIGKILL)
    held.communicate(timeout=60)
    assert not (tmp_path / "run/results.json").exists()
    again = backtest(*SAMPLE, *WEEK, "--out", tmp_path / "run")
    assert (again.returncode, again.stderr) == (0, "")
    assert json.loads((tmp_path / "run/results.json").read_text())["status"] == "finished"
    assert not (tmp_path / "run/.session").exists()
