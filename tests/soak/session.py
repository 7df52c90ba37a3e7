"""One long paper session against a testnet, both in processes of their own, looked at from outside as it goes.

The rule: nothing is asked of the session that an operator could not ask: its status file, /proc, its exit. The sockets
are cut once every hour of the testnet's time; the same days and seed give the same candles and the same cuts.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.times import DAY_MS, iso_ms, parse_time_ms
from tests.fetching import running_testnet, state_of
from tests.integration.processes import PROJECT

SYMBOLS = tuple(f"{base}/USDT" for base in ("BTC", "ETH", "SOL", "XRP", "BNB", "ADA", "AVAX", "LINK"))
START = "2026-03-01T00:00:20"
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
BEGIN_MS = parse_time_ms(START) // MINUTE_MS * MINUTE_MS
LIVE: dict[str, Any] = {
    "exchange": "binanceus",
    "symbols": list(SYMBOLS),
    "timeframe": "1m",
    "startup_candles": 30,
    "strategy": {"name": "tests.parity.seeded_strategy:Seeded", "params": {"seed": 5}},
}
# Costs so low that a month of coin tosses leaves something to trade with.
MODE: dict[str, Any] = {"commission_rate": 0.00005, "slippage_rate": 0.00001}
_SAMPLE_S = 0.5


@dataclass(frozen=True)
class Sample:
    """What was seen of the session process at one moment."""

    slice_ms: int
    rss_kib: int
    descriptors: int
    sockets: int
    tasks: int
    connections: int
    late_slices: int
    lag_ms: int


@dataclass(frozen=True)
class Soak:
    """How long, how fast, where: `folder` gets the caches and runs."""

    days: float
    speed: float
    folder: Path
    late_candles: int = 2
    seed: int = 7
    samples: list[Sample] = field(default_factory=list)

    @property
    def end_ms(self) -> int:
        """The session's end."""
        return BEGIN_MS + int(self.days * DAY_MS) // MINUTE_MS * MINUTE_MS

    @property
    def live(self) -> Path:
        """The session's run folder."""
        return self.folder / "live"

    def run(self, on_sample: Callable[[Sample], None], after: Callable[[str], None]) -> dict[str, Any]:
        """To its end, then `after` with the testnet's address; what the testnet saw. RuntimeError if it failed."""
        script = self.folder / "faults.json"
        script.write_text(json.dumps(self._cuts()))
        words = ("--generate", str(self.seed), "--symbols", ",".join(SYMBOLS), "--start", START, "--no-limit")
        with running_testnet(*words, "--speed", str(self.speed), "--faults", script) as url:
            self._session(url, on_sample)
            state = {**state_of(url), "connections_left": self._connections_left(url)}
            after(url)
        return state

    def command(self, *words: str | Path) -> list[str]:
        """`python -m app` with the soak's profile."""
        return [
            sys.executable,
            "-m",
            "app",
            *map(str, words),
            "--config",
            str(write_profile(self.folder, self.late_candles)),
        ]

    def _session(self, url: str, on_sample: Callable[[Sample], None]) -> None:
        words = ("--mode", "paper", "--end", iso_ms(self.end_ms), "--exchange-url", url, "--out", self.live, "--json")
        command = self.command(*words, "--cache", self.folder / "cache")
        environment = {**os.environ, "PYTHONWARNINGS": "default::ResourceWarning"}
        with (
            (self.folder / "paper.err").open("wb") as errors,
            subprocess.Popen(
                command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=errors, env=environment
            ) as process,
        ):
            try:
                while process.poll() is None:
                    sample = _sample(process.pid, self.live)
                    if sample is not None:
                        self.samples.append(sample)
                        on_sample(sample)
                    time.sleep(_SAMPLE_S)
            finally:
                process.kill()
        if process.returncode:
            raise RuntimeError(f"paper: exit status {process.returncode}: {self.errors()[-2000:]}")

    def errors(self) -> str:
        """What the session said on standard error."""
        return (self.folder / "paper.err").read_text(errors="replace")

    def _cuts(self) -> list[dict[str, Any]]:
        """One in each hour, at ever another moment of a minute."""
        hours = int(self.days * DAY_MS) // HOUR_MS
        offsets = [(hour * 7_919 + 1_800_000) % HOUR_MS for hour in range(hours)]
        return [
            {"fault": "drop_sockets", "at_ms": BEGIN_MS + hour * HOUR_MS + offset}
            for hour, offset in enumerate(offsets)
        ]

    def _connections_left(self, url: str) -> int:
        for _ in range(50):  # the testnet hears of a closed socket a moment later
            if not state_of(url)["connections"]:
                return 0
            time.sleep(0.1)
        return int(state_of(url)["connections"])


def write_profile(folder: Path, late_candles: int = 2) -> Path:
    """Coin tosses on the soak's symbols, below `folder`; its live.yaml."""
    config = folder / "config"
    if not config.exists():
        config.mkdir()
        (config / "live.yaml").write_text(json.dumps({**LIVE, "feed": {"late_candles": late_candles}}))
        (config / "risk.json").write_text('{"max_position_pct": 0.1}')
        safety = {"max_exposure": 0.5, "max_drawdown": None, "kill_switch_file": str(folder / "KILL")}
        (config / "trading_mode.yaml").write_text(json.dumps({**MODE, "safety": safety}))
    return config / "live.yaml"


def _sample(pid: int, run: Path) -> Sample | None:
    """None before its first slice, and once it has ended."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        status = json.loads((run / "status.json").read_text())
        links = [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]
        return Sample(
            slice_ms=int(status["last_slice_ms"]),
            rss_kib=_rss_kib(pid),
            descriptors=len(links),
            sockets=sum(link.startswith("socket:") for link in links),
            tasks=int(status["tasks"]),
            connections=int(status["link"]["connections"]),
            late_slices=int(status["link"]["late_slices"]),
            lag_ms=int(status["link"]["lag_ms"]),
        )
    return None


def _rss_kib(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS"))
