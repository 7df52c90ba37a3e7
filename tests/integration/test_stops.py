"""Ctrl-C and SIGTERM in a real process: flattened, reported, files whole, status 0; at any moment, at any speed."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.processes import (
    HOLD,
    PROJECT,
    SAMPLE,
    YEAR,
    assert_complete,
    backtest_stopped,
    command,
    results_of,
    strategy_file,
    until,
)  # fmt: skip

MARK = 'pathlib.Path(os.environ["MARKER"]).touch()'
# The strategy waits until the signal was sent, so that it comes while this very candle is handled.
MARK_AND_WAIT = f"""{MARK}
    while not os.path.exists(os.environ["MARKER"] + ".sent"):
        __import__("time").sleep(0.005)"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_flattens_reports_and_ends_with_status_0(number: signal.Signals, tmp_path: Path) -> None:
    strategy = strategy_file(
        tmp_path, HOLD + 'if self.count == 300:\n    pathlib.Path(os.environ["MARKER"]).touch()\nreturn FLAT'
    )
    run = tmp_path / "run"
    words = (*SAMPLE, *YEAR, "--strategy", strategy, "--speed", "720000", "--out", run)  # 200 candles a second
    process = backtest_stopped(number, tmp_path / "marker", *words)
    assert (process.returncode, process.stderr) == (0, "")
    assert "STOPPED" in process.stdout
    rows = assert_complete(run, "stopped")
    assert [row["reason"] for row in rows] == ["signal", "shutdown"]
    results = results_of(run)
    assert rows[-1]["timestamp"] == results["period"]["end"] < "2020-12"
    assert 40 <= results["candles_processed"]["total"] < 8_000


def test_a_stop_is_heard_at_full_speed(tmp_path: Path) -> None:
    """A feed that is always ready must not keep the command out of the queue."""
    strategy = strategy_file(tmp_path, f"{HOLD}if self.count == 300:\n    {MARK_AND_WAIT}\nreturn FLAT")
    run = tmp_path / "run"
    words = (*SAMPLE, "--start", "2020-01-01", "--end", "2024-01-01", "--strategy", strategy, "--out", run)
    process = backtest_stopped(signal.SIGINT, tmp_path / "marker", *words)
    assert (process.returncode, process.stderr) == (0, "")
    rows = assert_complete(run, "stopped")
    assert [row["reason"] for row in rows] == ["signal", "shutdown"]
    assert results_of(run)["candles_processed"]["total"] < 8_000


def test_a_stop_during_the_warm_up_is_an_empty_run(tmp_path: Path) -> None:
    strategy = strategy_file(tmp_path, f"if self.count == 5:\n    {MARK_AND_WAIT}\nreturn FLAT")
    run = tmp_path / "run"
    words = (*SAMPLE, *YEAR, "--strategy", strategy, "--speed", "720000", "--out", run)
    process = backtest_stopped(signal.SIGINT, tmp_path / "marker", *words)
    assert (process.returncode, process.stderr) == (0, "")
    assert assert_complete(run, "stopped") == []
    results = results_of(run)
    assert results["period"] == {"start": None, "end": None}
    assert results["performance"]["peak_equity"] == results["performance"]["starting_balance"]


def test_a_stop_with_the_last_slice_changes_nothing(tmp_path: Path) -> None:
    last = "1577836800000 + 24 * 3600000"  # 2020-01-02T00:00Z opens the last candle
    body = f"{HOLD}if candle.open_time_ms == {last}:\n    {MARK_AND_WAIT}\nreturn FLAT"
    run = tmp_path / "run"
    period = ("--start", "2020-01-01", "--end", "2020-01-02T01:00")
    words = (*SAMPLE, *period, "--strategy", strategy_file(tmp_path, body), "--out", run)
    process = backtest_stopped(signal.SIGTERM, tmp_path / "marker", *words)
    assert (process.returncode, process.stderr) == (0, "")
    assert [row["reason"] for row in assert_complete(run, "finished")] == ["signal", "end_of_data"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_one_ends_a_run_at_once_that_a_strategy_blocks(number: signal.Signals, tmp_path: Path) -> None:
    body = f"{HOLD}if self.count == 300:\n    {MARK}\n    __import__('time').sleep(600)\nreturn FLAT"
    run, marker = tmp_path / "run", tmp_path / "marker"
    words = command(*SAMPLE, *YEAR, "--strategy", strategy_file(tmp_path, body), "--out", run)
    environment = {**os.environ, "MARKER": str(marker)}
    with subprocess.Popen(words, cwd=PROJECT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        until(lambda: marker.exists() or process.poll() is not None)
        process.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)  # the first one waits for the strategy
        try:
            for _ in range(5):  # two that come at once are one
                process.send_signal(number)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(20)
                    break
        finally:
            process.kill()
        _, err = process.communicate()
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert not (run / "results.json").exists()
    trades = next(run.glob("*.csv")).read_text().splitlines()
    assert len(trades) == 2, "the position is not closed, and what was filled is written"
