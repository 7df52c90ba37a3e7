"""`python -m tests.bench.report`: what report.html adds to a run, in time and memory, and how that grows.

A month, a year and ten years of one symbol, a week of 200, a month of 50: whole processes with and without the page
in turn, CPU time and peak memory, medians; ten years once. The year beside a hand-written script of TA-Lib and numba,
after its trades were found to be the same; the page of a paper session of a year; the time until the year's page is
drawn. Nothing else is asserted.
"""

import argparse
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from app.candles.cache import CandleCache
from app.runs.trade_read import trade_table
from app.runs.trade_table import read_fills
from app.times import DAY_MS, short_time
from tests.bench.paper_year import as_paper_session
from tests.bench.series import MANY_SYMBOLS, MONTH_SYMBOLS, SYMBOLS, WARMUP_CANDLES, YEAR_START_MS

_CACHE = Path(tempfile.gettempdir()) / "onetape-bench-cache-page"
_TIME_LIMIT, _MEMORY_LIMIT_MIB, _PAPER_LIMIT_S = 1.15, 20, 1.5


class Cost(NamedTuple):
    """Of one process, its children included."""

    cpu_s: float
    peak_mib: float


@dataclass(frozen=True)
class Case:
    """A backtest, and how often it is run."""

    name: str
    symbols: Sequence[str]
    days: int
    rounds: int

    def command(self, out: Path, *more: str) -> list[str]:
        """The whole command line."""
        return [
            sys.executable, "-m", "app", "--mode", "backtest", "--offline", "--cache", str(_CACHE),
            "--symbols", ",".join(self.symbols), "--set", "safety.max_drawdown=null",
            "--start", short_time(YEAR_START_MS), "--end", short_time(YEAR_START_MS + self.days * DAY_MS),
            "--out", str(out), *more,
        ]  # fmt: skip


def main() -> None:
    """Measure, print a line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    subprocess.run([sys.executable, "-m", "tests.bench.candles", str(_CACHE), "--report"], check=True)
    year = Case("a year of 1m", SYMBOLS[:1], 365, rounds)
    cases = (
        Case("a month of 1m", SYMBOLS[:1], 30, 2 * rounds),
        year,
        Case("ten years of 1m", SYMBOLS[:1], 3_652, 1),
        Case("200 symbols x a week", MANY_SYMBOLS, 7, min(rounds, 2)),
        Case("50 symbols x a month", MONTH_SYMBOLS, 30, min(rounds, 2)),
    )
    print(f"Limits: {_TIME_LIMIT} times, {_MEMORY_LIMIT_MIB} MiB. CPU time of whole processes, peak memory.\n")
    print("| run | without, s | with, s | times | added, us a candle | without, MiB | added, MiB | page, MB | trades |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        year_costs = [_compared(case, Path(folder)) for case in cases][cases.index(year)]
        backtest = Path(folder) / f"{year.days}-1-whole"
        _beside_script(year, year_costs, Path(folder))
        _paper_year(backtest, Path(folder) / "paper", rounds)
        opens = _opens(backtest / "report.html", 3)
        print(f"\nThe year's page opens in {'? s: no Chromium' if opens is None else f'{opens:.2f} s'}.")


def _paper_year(backtest: Path, session: Path, rounds: int) -> None:
    slices = as_paper_session(backtest, CandleCache(_CACHE), session)
    costs = [_cost([sys.executable, "-m", "app", "report", str(session)]) for _ in range(rounds)]
    cpu_s, peak_mib = (statistics.median(own) for own in zip(*costs, strict=True))
    print(
        f"\n`report RUN` for a paper session of a year, {slices:,} slices on its tape: {cpu_s:.2f} s of CPU "
        f"(limit {_PAPER_LIMIT_S}), {peak_mib:.0f} MiB."
    )


def _compared(case: Case, folder: Path) -> tuple[Cost, Cost]:
    """Medians without and with the page."""
    costs: dict[str, list[Cost]] = {"bare": [], "whole": []}
    for number in range(case.rounds):
        for kind, more in (("bare", ["--no-report"]), ("whole", [])):
            out = folder / f"{case.days}-{len(case.symbols)}-{kind}"
            shutil.rmtree(out, ignore_errors=True)
            costs[kind].append(_cost(case.command(out, *more)))
        print(f"{case.name}: round {number + 1} of {case.rounds} done", file=sys.stderr)
    bare, whole = (Cost(*map(statistics.median, zip(*own, strict=True))) for own in costs.values())
    candles = case.days * 1_440 * len(case.symbols)
    added_us = 1e6 * (whole.cpu_s - bare.cpu_s) / candles
    trades = int((~read_fills(next(out.glob("config_*.csv"))).opens).sum())
    print(
        f"| {case.name} | {bare.cpu_s:.2f} | {whole.cpu_s:.2f} | {whole.cpu_s / bare.cpu_s:.2f} | {added_us:.2f} | "
        f"{bare.peak_mib:.0f} | {whole.peak_mib - bare.peak_mib:.0f} | "
        f"{(out / 'report.html').stat().st_size / 1e6:.2f} | {trades:,} |"
    )
    return bare, whole


def _beside_script(year: Case, costs: tuple[Cost, Cost], folder: Path) -> None:
    if importlib.util.find_spec("numba") is None:
        print("\nThe script of TA-Lib and numba was not run: numba is not installed.")
        return
    start_ms, end_ms = YEAR_START_MS - WARMUP_CANDLES * 60_000, YEAR_START_MS + year.days * DAY_MS
    cache = CandleCache(_CACHE)
    months = cache.months_between(SYMBOLS[0], "1m", start_ms, end_ms)
    parts = [cache.read(SYMBOLS[0], "1m", month) for month in months]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    own = slice(*columns[0].searchsorted((start_ms, end_ms)).tolist())
    np.savez(folder / "candles.npz", *(column[own] for column in columns))
    files = (str(folder / "candles.npz"), str(folder / "trades.npy"), str(WARMUP_CANDLES))
    command = [sys.executable, "-m", "tests.bench.talib_script", *files]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # compiles
    script_s = statistics.median(_cost(command).cpu_s for _ in range(max(year.rounds, 1)))
    log = next((folder / f"{year.days}-1-whole").glob("config_*.csv"))
    count = _same_trades(log, folder / "trades.npy")
    without, with_page = (cost.cpu_s / script_s for cost in costs)
    print(
        f"\nThe year beside a hand-written script of TA-Lib and numba ({script_s:.2f} s of CPU, compiled before, the "
        f"same {count:,} trades): {without:.2f} times its time without the page, {with_page:.2f} times with it."
    )


def _same_trades(log: Path, script: Path) -> int:
    trades, rows = trade_table(read_fills(log)), np.load(script)
    entry = trades.entry
    own = (
        entry.sign, entry.quantity, entry.time_ms, entry.price, trades.exit.time_ms, trades.exit_price, trades.pnl,
    )  # fmt: skip
    if len(rows) != len(trades) or not np.allclose(np.array(own, np.float64).T, rows, rtol=1e-9, atol=1e-9):
        raise SystemExit("the script made other trades than the backtest: the two cannot be compared")
    return len(trades)


def _cost(command: Sequence[str]) -> Cost:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)[:300]} failed")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _opens(page: Path, rounds: int) -> float | None:
    # Until every chart of the page is drawn, in a browser that has started.
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        return None
    from playwright.sync_api import sync_playwright

    took = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for _ in range(rounds):
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            began = time.perf_counter()
            tab.goto(page.as_uri())
            tab.wait_for_selector("html[data-ready=yes]")
            tab.screenshot()
            took.append(time.perf_counter() - began)
            tab.close()
        browser.close()
    return statistics.median(took)


if __name__ == "__main__":
    main()
