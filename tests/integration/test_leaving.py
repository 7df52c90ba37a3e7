"""The end of the process: whatever a user's module wrote and never closed is on disk, as any Python program has it.

Our own commands leave without taking the interpreter apart; with a user's code in the process that would lose data.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STRATEGY = """
import atexit
from pathlib import Path
from app.strategies.base import FLAT, Candle, Signal, Strategy, View

NOTES = open(Path(__file__).with_name("notes.txt"), "w")
atexit.register(lambda: Path(__file__).with_name("left.txt").write_text("in order"))


class Notes(Strategy):
    async def on_candle(self, candle: Candle, view: View) -> Signal:
        NOTES.write(f"{candle.open_time_ms}\\n")
        return FLAT
"""


@pytest.mark.parametrize("name", ["{folder}/own.py", "own:Notes"])
def test_what_a_users_module_holds_open_is_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "own.py").write_text(STRATEGY)
    command = [sys.executable, "-m", "app", "--mode", "backtest", "--config", str(ROOT / "config/sample/live.yaml")]
    command += ["--cache", str(ROOT / "data/sample"), "--start", "2020-01-11", "--end", "2020-01-12"]
    command += ["--strategy", name.format(folder=tmp_path), "--out", str(tmp_path / "run")]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len((tmp_path / "notes.txt").read_text().splitlines()) == 240 + 24
    assert (tmp_path / "left.txt").read_text() == "in order"
