"""`make bench`: whole processes on one core, from start to exit, with their peak memory, beside a bare Python loop.

Prints a Markdown table. Times move from machine to machine and from minute to minute: each round runs every case
once, the ratio to the bare loop is taken within a round, and medians are shown. Nothing here is asserted.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.times import short_time
from tests.bench.series import SYMBOLS, YEAR_START_MS

_DAY_MS = 86_400_000
_CACHE = Path(tempfile.gettempdir()) / "onetape-bench-cache"
_PROFILE = Path(tempfile.gettempdir()) / "onetape-bench-portfolio"
_RATE = re.compile(r"([\d,]+) candles/s")


@dataclass
class Case:
    """One backtest command and what was measured of it, a value a round."""

    name: str
    candles: int
    target_s: float | None
    arguments: Sequence[str]
    wall_s: list[float] = field(default_factory=list)
    memory_mib: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    ratio: list[float] = field(default_factory=list)


def cases() -> list[Case]:
    """Day, month, year, eight symbols, a user's own strategy, and ten strategies on eight symbols."""

    def period(days: int) -> list[str]:
        return ["--start", short_time(YEAR_START_MS), "--end", short_time(YEAR_START_MS + days * _DAY_MS)]

    one, eight = ["--symbols", SYMBOLS[0]], ["--symbols", ",".join(SYMBOLS)]
    own = ["--strategy", "tests.bench.ten_lines:TenLines"]
    return [
        Case("a day of 1m", 1_440, 0.5, [*one, *period(1)]),
        Case("a month of 1m", 43_200, 0.8, [*one, *period(30)]),
        Case("a year of 1m", 525_600, 2.5, [*one, *period(365)]),
        Case("8 symbols x a month", 345_600, 2.0, [*eight, *period(30)]),
        Case("a year, ten-line strategy", 525_600, None, [*one, *period(365), *own]),
        Case("10 strategies x 8 symbols x a week", 80_640, None, ["--config", str(_portfolio()), *period(7)]),
    ]


def _portfolio() -> Path:
    """A profile of ten strategies, with managed exits of each kind; its live.yaml."""
    exits: list[dict[str, object]] = [
        {"trailing": {"distance_r": 1.0}},
        {"break_even": {"at_r": 1.0}},
        {"partial": [{"at_r": 1.0, "fraction": 0.5}]},
        {"time": {"candles": 60}},
        {},
    ]
    strategies = [
        {"id": f"s{number}", "name": "ScalpingEMARSI", "params": {"ema_fast": 5 + number}, "exits": exits[number % 5]}
        for number in range(10)
    ]
    live = {"exchange": "test", "symbols": list(SYMBOLS), "timeframe": "1m", "strategies": strategies}
    _PROFILE.mkdir(exist_ok=True)
    (_PROFILE / "live.yaml").write_text(json.dumps(live))
    (_PROFILE / "risk.json").write_text("{}")
    (_PROFILE / "trading_mode.yaml").write_text(json.dumps({"safety": {"max_open_positions": 80}}))
    return _PROFILE / "live.yaml"


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    # In a process of its own: a child begins with its parent's peak memory, so this one stays small.
    subprocess.run([sys.executable, "-m", "tests.bench.candles", str(_CACHE)], check=True)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    measured = cases()
    bare_rates: list[float] = []
    for number in range(rounds + 1):  # the first round warms files and bytecode
        bare_rate = _bare_rate()
        for case in measured:
            _measure(case, bare_rate, keep=number > 0)
        if number:
            bare_rates.append(bare_rate)
        print(f"round {number} of {rounds} done", file=sys.stderr)
    _print(measured, bare_rates, rounds)


def _measure(case: Case, bare_rate: float, *, keep: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "app", "--mode", "backtest", "--cache", str(_CACHE), *case.arguments]
        command += ["--offline", "--set", "safety.max_drawdown=null", "--out", f"{folder}/run", "--no-report"]
        began = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            output = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    if keep:
        found = _RATE.search(output)
        rate = float(found[1].replace(",", "")) if found else 0.0
        case.wall_s.append(wall_s)
        case.memory_mib.append(usage.ru_maxrss / 1024)
        case.rate.append(rate)
        case.ratio.append(bare_rate / rate)


def _bare_rate() -> float:
    command = [sys.executable, "-m", "tests.bench.bare_loop", str(_CACHE), SYMBOLS[0]]
    count, load_s, run_s = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return int(count) / (float(load_s) + float(run_s))


def _print(measured: Sequence[Case], bare_rates: Sequence[float], rounds: int) -> None:
    print(
        f"Python {platform.python_version()}, {platform.machine()}, one core, median of {rounds} rounds (min .. max)\n"
    )
    print("| whole process | wall s | target s | peak MiB | candles/s inside the run | bare loop is faster by |")
    print("|---|---|---|---|---|---|")
    for case in measured:
        wall = f"{statistics.median(case.wall_s):.2f} ({min(case.wall_s):.2f} .. {max(case.wall_s):.2f})"
        target = "" if case.target_s is None else f"{case.target_s}"
        memory, rate = statistics.median(case.memory_mib), statistics.median(case.rate)
        ratio = statistics.median(case.ratio)
        rates = f"{rate:,.0f} (best {max(case.rate):,.0f})"
        print(f"| {case.name} | {wall} | {target} | {memory:.0f} | {rates} | {ratio:.2f} |")
    print(f"\nBare Python loop over the same year, loading included: {statistics.median(bare_rates):,.0f} candles/s.")


if __name__ == "__main__":
    main()
