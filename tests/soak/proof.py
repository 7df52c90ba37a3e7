"""After a soak: its tape is the session byte for byte, each candle is on it once, and compare explains the rest.

The rule: what is counted is counted from the tape's records, not from what the session said of itself; both agree.
"""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.feeds.tape import read_tape
from app.models.events import LateCandle, MarkedSlice, RevisedCandle
from app.models.market import Slice
from tests.integration.processes import PROJECT
from tests.soak.session import MINUTE_MS, SYMBOLS, Soak


@dataclass
class Proof:
    """What was found wrong, and the figures."""

    soak: Soak
    problems: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def take(self, url: str) -> None:
        """All of it; `url` is the testnet, for its history."""
        self._count()
        self._replay()
        self._compare(url)

    def _count(self) -> None:
        """Every candle of the grid is in a slice or came late, and none twice."""
        results = results_of(self.soak.live)
        begin_ms, slices, late_slices = 0, 0, 0
        handed: Counter[tuple[str, int]] = Counter()
        kinds: Counter[str] = Counter()
        for record in read_tape(self.soak.live).records:
            event = record.event
            kinds[type(event).__name__] += 1
            if isinstance(event, Slice) and not event.warmup:
                begin_ms = begin_ms or event.close_time_ms - MINUTE_MS
                slices += 1
                late_slices += isinstance(event, MarkedSlice) and event.late
                handed.update((candle.symbol, candle.open_time_ms) for candle in event.candles)
            elif isinstance(event, LateCandle):
                handed[event.candle.symbol, event.candle.open_time_ms] += 1
            elif isinstance(event, RevisedCandle):
                self.problems.append(f"nothing was revised, but the tape says {event}")
        times = range(begin_ms, self.soak.end_ms, MINUTE_MS)
        grid = {(symbol, time_ms) for symbol in SYMBOLS for time_ms in times}
        absent, twice = len(grid - set(handed)), sum(count > 1 for count in handed.values())
        processed, missing = results["candles_processed"]["total"], results["missing_candles"]
        late = kinds["LateCandle"]
        self.figures |= {
            "slices": slices,
            "slices_of_the_grid": len(times),
            "late_slices": late_slices,
            "candles": f"{processed} processed + {missing} missing ({late} of them late) = {len(grid)} of the grid",
            "fills": trades_of(self.soak.live).count(b"\n") - 1,
            "events": dict(kinds),
        }
        if absent or twice or set(handed) - grid:
            self.problems.append(f"{absent} candles are not on the tape, {twice} are twice")
        if processed + missing != len(grid) or missing != late:
            self.problems.append(f"not accounted for: {self.figures['candles']}")

    def _replay(self) -> None:
        tape = self.soak.folder / "tape"
        if not self._ran(
            [sys.executable, "-m", "app", "--mode", "backtest", "--tape", str(self.soak.live), "--out", str(tape)]
        ):
            return
        same = trades_of(tape) == trades_of(self.soak.live)
        self.figures["tape"] = "the session's trade log, byte for byte" if same else "ANOTHER trade log"
        if not same:
            self.problems.append("the tape gives another trade log than the session")

    def _compare(self, url: str) -> None:
        history, cache = self.soak.folder / "history", self.soak.folder / "history-cache"
        span = results_of(self.soak.live)["requested"]
        words = ("--mode", "backtest", "--start", span["start"], "--end", span["end"], "--exchange-url", url)
        if not self._ran(self.soak.command(*words, "--cache", cache, "--out", history)):
            return
        same = trades_of(history) == trades_of(self.soak.live)
        self.figures["history"] = "the session's trade log, byte for byte" if same else "another trade log"
        command = [sys.executable, "-m", "app", "compare", str(self.soak.live), str(history), "--cache", str(cache)]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=900, check=False)
        if not same and not self.figures["late_slices"]:
            self.problems.append("history gives another trade log than the session, and nothing was late")
        self.figures["compare"] = f"exit status {done.returncode}"
        (self.soak.folder / "compare.txt").write_text(done.stdout + done.stderr)
        if done.returncode:
            self.problems.append(f"compare: exit status {done.returncode}: {(done.stdout + done.stderr)[:2000]}")

    def _ran(self, command: list[str]) -> bool:
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=1800, check=False)
        if done.returncode:
            self.problems.append(f"{' '.join(command[3:6])}: exit status {done.returncode}: {done.stderr[-1000:]}")
        return done.returncode == 0


def results_of(run: Path) -> dict[str, Any]:
    """results.json."""
    content: dict[str, Any] = json.loads((run / "results.json").read_text())
    return content


def trades_of(run: Path) -> bytes:
    """The trade log."""
    return (run / str(results_of(run)["files"]["trades"])).read_bytes()
