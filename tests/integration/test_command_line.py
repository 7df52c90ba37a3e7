"""A backtest as a user runs it: exit status, standard output and error, files, and what is left when it goes wrong."""

import json
from pathlib import Path

import pytest

from tests.integration.processes import HOLD, SAMPLE, YEAR, assert_complete, backtest, results_of, strategy_file


def test_a_paced_run_gives_the_bytes_of_a_fast_one(tmp_path: Path) -> None:
    month = ("--start", "2020-03-01", "--end", "2020-03-08")
    folders = tmp_path / "fast", tmp_path / "paced"
    assert backtest(*SAMPLE, *month, "--out", folders[0]).returncode == 0
    assert backtest(*SAMPLE, *month, "--out", folders[1], "--speed", "2000000").returncode == 0
    contents = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    assert contents[0] == contents[1]


def test_a_strategy_that_raises_ends_all_trading_and_is_told_with_a_traceback(tmp_path: Path) -> None:
    strategy = strategy_file(tmp_path, HOLD + "if self.count == 400:\n    raise KeyError('mine')\nreturn FLAT")
    process = backtest(*SAMPLE, *YEAR, "--strategy", strategy, "--out", tmp_path / "run")
    assert process.returncode == 1
    assert "Traceback" in process.stderr
    assert "own_strategy.py" in process.stderr
    assert process.stderr.rstrip().endswith("KeyError: 'mine'")
    rows = assert_complete(tmp_path / "run", "failed")
    assert [row["reason"] for row in rows] == ["signal"]


@pytest.mark.parametrize(("answer", "told"), [
    ("return 42", "on_candle returned 42"),
    ("return None", "on_candle returned None"),
    ("return 'LONG'", "on_candle returned 'LONG'"),
    ("return long()", "without a stop"),
    ("return long(stop=float('nan'))", "no number"),
    ("return short(stop=9e9, size_factor=1.5)", "size_factor"),
])  # fmt: skip
def test_a_strategy_that_answers_nonsense_is_one_line_and_status_2(answer: str, told: str, tmp_path: Path) -> None:
    body = f"{HOLD}if self.count == 300:\n    {answer}\nreturn FLAT"
    process = backtest(*SAMPLE, *YEAR, "--strategy", strategy_file(tmp_path, body), "--out", tmp_path / "run")
    assert process.returncode == 2
    assert process.stdout == ""
    assert process.stderr.count("\n") == 1
    assert told in process.stderr
    assert "Own" in process.stderr and "BTC/USDT" in process.stderr and "2020-01-0" in process.stderr
    assert [row["reason"] for row in assert_complete(tmp_path / "run", "failed")] == ["signal"]


@pytest.mark.parametrize("fill", ["next_open", "close"])
def test_the_kill_switch_is_told_and_is_no_failure(fill: str, tmp_path: Path) -> None:
    words = (*SAMPLE, *YEAR, "--set", "safety.max_drawdown=0.02", "--set", f"fill={fill}", "--out", tmp_path / "run")
    process = backtest(*words)
    assert (process.returncode, process.stderr) == (0, "")
    assert "KILL SWITCH tripped 2020-" in process.stdout
    rows = assert_complete(tmp_path / "run", "finished")
    results = results_of(tmp_path / "run")
    assert results["kill_switch"]["trips"] == 1
    assert results["kill_switch"]["untraded_pct"] > 10
    assert results["performance"]["max_drawdown_pct"] >= 2
    assert results["funnel"]["refused_by_gate"]["halted"] > 10
    last_open = max(row["timestamp"] for row in rows if row["action"] == "OPEN")
    assert last_open <= results["kill_switch"]["time"]


def test_json_prints_results_json_and_nothing_else(tmp_path: Path) -> None:
    process = backtest(*SAMPLE, *YEAR, "--out", tmp_path / "run", "--json")
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout == (tmp_path / "run" / "results.json").read_text(encoding="utf-8")
    assert json.loads(process.stdout)["performance"]["total_trades"] > 10
    assert_complete(tmp_path / "run", "finished")


def test_a_finished_run_is_never_overwritten(tmp_path: Path) -> None:
    words = (*SAMPLE, "--start", "2020-03-01", "--end", "2020-03-08", "--out", tmp_path / "run")
    assert backtest(*words).returncode == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    again = backtest(*words)
    assert again.returncode == 2
    assert again.stderr.count("\n") == 1
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
