"""`python -m app` in a process of its own, over the shipped sample or a cache made for the test."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from arro3.io import read_parquet

from tests.made_trades import read_trade_log

PROJECT = Path(__file__).resolve().parents[2]
SAMPLE = ("--config", "config/sample/live.yaml", "--cache", "data/sample")
YEAR = ("--start", "2020-01-01", "--end", "2021-01-01")
PATIENCE_S = 300.0  # how long a test waits for what must come, however busy the machine is
HOLD = "if self.count == 250:\n    return long(stop=candle.close / 2, target=candle.close * 50)\n"  # in the run


def command(*words: str | Path) -> list[str]:
    """The command line, as a list."""
    return [sys.executable, "-m", "app", "--mode", "backtest", *map(str, words)]


def backtest(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run to the end, output captured (so it is piped)."""
    return subprocess.run(
        command(*words),
        cwd=PROJECT,
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )


def backtest_stopped(number: signal.Signals, marker: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run until the strategy has made `marker`, send the signal, wait for the end."""
    with subprocess.Popen(
        command(*words),
        cwd=PROJECT,
        env={**os.environ, "MARKER": str(marker)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        until(lambda: marker.exists() or process.poll() is not None)
        process.send_signal(number)
        marker.with_name(f"{marker.name}.sent").touch()
        out, err = process.communicate(timeout=PATIENCE_S)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def until(happened: Callable[[], object]) -> None:
    """Wait for something outside of this process."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline_s, "it never happened"
        time.sleep(0.01)


def strategy_file(folder: Path, body: str) -> Path:
    """A strategy whose on_candle is `body`; `self.count` counts the candles of the run and the warm-up."""
    path = folder / "own_strategy.py"
    lines = "\n".join(f"        {line}" for line in body.strip().splitlines())
    path.write_text(
        '"""Written by a test."""\n'
        "import os, pathlib\n"
        "from app.strategies.base import FLAT, Strategy, exit_position, long, short\n\n\n"
        "class Own(Strategy):\n"
        "    def __init__(self) -> None:\n"
        "        self.count = 0\n\n"
        "    async def on_candle(self, candle, view):\n"
        "        self.count += 1\n"
        f"{lines}\n",
        encoding="utf-8",
    )
    return path


def results_of(folder: Path) -> dict[str, Any]:
    """results.json."""
    content: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return content


def assert_complete(folder: Path, status: str) -> list[dict[str, str]]:
    """All files, as the manifest has them; positions closed, unless the run failed; the rows of the trade log."""
    results = results_of(folder)
    files = {path.name for path in folder.iterdir()} - {"report.html", "refused.jsonl"}  # not every run has these
    assert files == {"results.json", *results["files"].values()}
    assert results["status"] == status
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for name, digest in manifest["outputs_sha256"].items():
        assert hashlib.sha256((folder / results["files"][name]).read_bytes()).hexdigest() == digest
    rows = list(read_trade_log(folder / results["files"]["trades"]))
    equity = read_parquet(folder / results["files"]["equity"]).read_all()
    performance = results["performance"]
    for name in ("equity", "balance"):  # no row at all if the run ended in its warm-up
        assert equity[name].to_pylist()[-1:] in ([], [performance[f"final_{name}"]])
    assert results["candles_processed"]["total"] == len(equity["equity"])
    assert results["missing_candles"] == 0
    if status != "failed":
        assert performance["final_equity"] == performance["final_balance"]
        assert sum(row["action"] == "OPEN" for row in rows) == sum(row["action"] == "CLOSE" for row in rows)
    return rows
