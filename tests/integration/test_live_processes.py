"""Faults of a paper session's process: suspended for minutes, or held up by its own strategy; against a testnet."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.feeds.tape import read_tape
from app.models.events import Kill, MarkedSlice
from app.models.market import Slice
from app.times import parse_time_ms
from tests.fetching import run, running_testnet, state_of
from tests.integration.processes import PATIENCE_S, PROJECT, results_of, until
from tests.storm.live import MINUTE_MS, START, SYMBOLS, LiveCase, profile

CASE = LiveCase(candles=18, speed=180.0)
SERVED = ("--generate", "3", "--symbols", ",".join(SYMBOLS), "--start", START, "--speed", str(CASE.speed))
BLOCKS = """
import pathlib, time
from tests.parity.seeded_strategy import Seeded

class Blocks(Seeded):
    count = 0

    async def on_candle(self, candle, view):
        Blocks.count += 1
        marker = pathlib.Path(__file__).with_name("blocked")
        if view.position is not None and not marker.exists():
            marker.touch()
            time.sleep(2.0)
        return await super().on_candle(candle, view)
"""


def begun(folder: Path, url: str, *more: str) -> "subprocess.Popen[str]":
    words = ("--mode", "paper", "--config", str(profile(folder)), "--exchange-url", url, "--end", CASE.end, *more)
    return subprocess.Popen(
        [sys.executable, "-m", "app", *words, "--cache", str(folder / "cache"), "--out", str(folder / "live")],
        cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    until(lambda: path.exists() or process.poll() is not None)
    assert process.poll() is None, process.communicate()


def late_slices(run_folder: Path) -> int:
    events = [record.event for record in read_tape(run_folder).records]
    return sum(isinstance(event, MarkedSlice) and event.late for event in events)


@pytest.mark.parametrize("minutes", [1, 6])
def test_suspended_and_continued(minutes: int, tmp_path: Path) -> None:
    """SIGSTOP: a minute is within the limit and changes no byte; after six what was missed is late, and named."""
    # The exchange's clock runs on all the while: one that stands still and goes on is not believed so soon.
    with running_testnet(*SERVED[:-1], "30") as url:
        process = begun(tmp_path, url)
        until(lambda: state_of(url)["now_ms"] > parse_time_ms(START) + 3 * MINUTE_MS)
        process.send_signal(signal.SIGSTOP)
        back_ms = state_of(url)["now_ms"] + minutes * MINUTE_MS
        until(lambda: state_of(url)["now_ms"] >= back_ms)
        process.send_signal(signal.SIGCONT)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, err) == (0, ""), out
        assert CASE._proof(tmp_path, url, strict=minutes == 1) == ""
        late = late_slices(tmp_path / "live")
        assert late == 0 if minutes == 1 else 3 <= late <= 6
        assert results_of(tmp_path / "live")["missing_candles"] == 0


def test_a_strategy_slower_than_a_candle_makes_slices_late_and_a_kill_is_still_obeyed(tmp_path: Path) -> None:
    strategy = tmp_path / "blocks.py"
    strategy.write_text(BLOCKS)
    with running_testnet(*SERVED) as url:
        process = begun(tmp_path, url, "--strategy", str(strategy))
        wait_for(tmp_path / "blocked", process)
        said = run("kill", str(tmp_path / "live"), "--why", "it hangs")
        assert (said.returncode, said.stdout) == (0, "kill: given to the running session\n")
        out, err = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, err) == (0, ""), out
        tape = run("--mode", "backtest", "--tape", str(tmp_path / "live"), "--out", str(tmp_path / "tape"))
        assert tape.returncode == 0, tape.stderr
    events = [record.event for record in read_tape(tmp_path / "live").records]
    killed = next(place for place, event in enumerate(events) if isinstance(event, Kill))
    blocked = [event for event in events[:killed] if isinstance(event, Slice) and not event.warmup]
    waited = [event for event in events[killed:] if isinstance(event, Slice)]
    assert blocked and len(waited) > 5, "obeyed as soon as the candle at hand was done, and the session goes on"
    results = results_of(tmp_path / "live")
    assert results["missing_candles"] == 0
    assert late_slices(tmp_path / "live") > 0
    trades = [(tmp_path / name / results["files"]["trades"]).read_bytes() for name in ("live", "tape")]
    assert trades[0] == trades[1] and b"kill_switch" in trades[0]
