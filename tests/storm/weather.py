"""One case: a testnet in a process of its own, `data fetch` in another, and the files that must come of it.

The rule: the truth is the generator's, a pure function; the expected files are those of importing it. A case is
named by its kind and seed, and the same name gives the same faults and moments.
"""

import contextlib
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from app.candles.cache import CandleCache
from app.testnet.generator import GeneratorSource
from app.times import DAY_MS, parse_time_ms, short_time
from tests.fetching import files, running_testnet, state_of

PROJECT = Path(__file__).resolve().parents[2]
MARKET_SEED = 7
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT")
START_MS = parse_time_ms("2025-12-01")
EVERY_FILE = "*/*/*"
GENERATED = ("--generate", str(MARKET_SEED), "--symbols", ",".join(SYMBOLS), "--start", "2026-03-01T12:00")


@dataclass(frozen=True)
class Outcome:
    """What came of a case: nothing wrong if `problem` is empty."""

    problem: str
    elapsed_s: float
    state: dict[str, Any]


@cache
def expected(days: int) -> dict[str, bytes]:
    """The files of a cache into which the truth was imported."""
    source = GeneratorSource(MARKET_SEED, list(SYMBOLS))
    with tempfile.TemporaryDirectory() as folder:
        imported = CandleCache(Path(folder))
        for symbol in SYMBOLS:
            imported.merge(symbol, "1m", source.candles(symbol, "1m", START_MS, START_MS + days * DAY_MS))
        return files(imported.root, EVERY_FILE)


def fetch_command(url: str, root: Path, days: int) -> list[str]:
    """`data fetch` of the whole period."""
    period = ["--start", short_time(START_MS), "--end", short_time(START_MS + days * DAY_MS)]
    return [
        sys.executable, "-m", "app", "data", "fetch", "--symbols", ",".join(SYMBOLS), "--timeframe", "1m", *period,
        "--exchange-url", url, "--cache", str(root),
    ]  # fmt: skip


def storm(seed: int, days: int) -> Outcome:
    """A fetch through `storm:SEED`."""
    return _case(f"storm:{seed}", days, None)


def kill(seed: int, days: int) -> Outcome:
    """A fetch killed with SIGKILL at a seeded moment, every other one in a storm, and started again."""
    return _case(f"storm:{seed}" if seed % 2 else "none", days, random.Random(seed))


def _case(faults: str, days: int, moments: random.Random | None) -> Outcome:
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, running_testnet(*GENERATED, "--faults", faults) as url:
        command = fetch_command(url, Path(folder), days)
        if moments is not None:
            _kill_once(command, moments.uniform(0.3, 0.5 + 0.3 * days))
        process = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=600, check=False)
        state = state_of(url)
        problem = _problem(process, Path(folder), days, state)
    return Outcome(problem, time.monotonic() - began_s, state)


def _kill_once(command: list[str], after_s: float) -> None:
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(after_s)
        process.kill()


def _problem(process: subprocess.CompletedProcess[str], root: Path, days: int, state: dict[str, Any]) -> str:
    if process.returncode:
        return f"exit status {process.returncode}: {process.stderr[-500:]}"
    found, wanted = files(root, EVERY_FILE), expected(days)
    if found != wanted:
        differing = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
        return f"files differ from those of an import: {', '.join(differing)}"
    left = sorted(path.name for path in root.iterdir() if path.is_file())
    if left != ["markets.binanceus.json"]:
        return f"left behind: {', '.join(left)}"
    if state["used_weight_max"] > state["weight_limit"]:
        return f"{state['used_weight_max']} weight in a minute, {state['weight_limit']} are allowed"
    return ""
