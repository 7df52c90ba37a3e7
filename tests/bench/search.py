"""`python -m tests.bench.search`: 100 trials over a month of 1m candles, with one and two workers, in trials a second.

Whole processes, from start to exit. Beside it the optimiser of backtesting.py on the same grid, candles and rule, where
that package can be imported. Times move from minute to minute: medians of rounds are shown, nothing is asserted.
"""

import argparse
import importlib.util
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.times import short_time
from tests.bench.candles import make_cache
from tests.bench.series import SYMBOLS, YEAR_START_MS

_DAY_MS, _MONTH_CANDLES, _WARMUP = 86_400_000, 43_200, 240
_CACHE = Path(tempfile.gettempdir()) / "onetape-bench-cache"
_TRIALS = 100
_MEMORY = re.compile(r"memory of a worker at most (\d+) MiB")


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.search")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", type=int, metavar="WORKERS", help="run backtesting.py's optimiser once, and no more")
    args = parser.parse_args()
    if args.peer is not None:
        _optimise_with_backtesting(args.peer)
        return
    make_cache(_CACHE)
    cases = [("Onetape", workers, _search(workers)) for workers in (1, 2)]
    if importlib.util.find_spec("backtesting") is None:
        print("backtesting.py is not installed; its rows are left out\n")
    else:
        peer = [sys.executable, "-W", "ignore", "-m", "tests.bench.search", "--peer"]
        cases += [("backtesting.py", workers, [*peer, str(workers)]) for workers in (1, 2)]
    walls: dict[tuple[str, int], list[float]] = {}
    memory: dict[tuple[str, int], int] = {}
    for _ in range(args.rounds):
        for name, workers, command in cases:
            wall_s, told = _timed(command)
            walls.setdefault((name, workers), []).append(wall_s)
            found = _MEMORY.search(told)
            memory[name, workers] = max(memory.get((name, workers), 0), int(found[1]) if found else 0)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, median of {args.rounds} rounds (min .. max)\n")
    print("| optimiser, whole process | workers | wall s | trials/s | of one worker | MiB a worker |")
    print("|---|---|---|---|---|---|")
    for (name, workers), times in walls.items():
        middle = statistics.median(times)
        wall = f"{middle:.2f} ({min(times):.2f} .. {max(times):.2f})"
        gain = statistics.median(walls[name, 1]) / middle
        held = str(memory[name, workers] or "")
        print(f"| {name} | {workers} | {wall} | {_TRIALS / middle:.1f} | {gain:.2f} | {held} |")


def _search(workers: int) -> list[str]:
    period = ["--start", short_time(YEAR_START_MS), "--end", short_time(YEAR_START_MS + 30 * _DAY_MS)]
    grid = ["--param", "ema_fast=5:14", "--param", "ema_slow=20:38:2", "--method", "grid", "--objective", "return"]
    command = [sys.executable, "-m", "app", "search", "--cache", str(_CACHE), "--symbols", SYMBOLS[0], "--offline"]
    return [*command, *period, *grid, "--set", "safety.max_drawdown=null", "--workers", str(workers)]


def _timed(command: Sequence[str]) -> tuple[float, str]:
    with tempfile.TemporaryDirectory() as folder:
        out = ["--out", f"{folder}/study"] if "app" in command else []
        began_s = time.perf_counter()
        done = subprocess.run([*command, *out], check=True, capture_output=True, text=True)
        wall_s = time.perf_counter() - began_s
        shutil.rmtree(f"{folder}/study", ignore_errors=True)
    return wall_s, done.stderr


def _optimise_with_backtesting(workers: int) -> None:
    """The same rule in its words: next open, stop and target absolute, the same costs, no limit of exposure."""
    import multiprocessing

    import backtesting
    import numpy as np
    import pandas as pd

    from app.candles.cache import CandleCache

    columns = CandleCache(_CACHE).read(SYMBOLS[0], "1m", "2024-01")
    frame = pd.DataFrame(
        {name.title(): getattr(columns, name) for name in ("open", "high", "low", "close", "volume")},
        index=pd.to_datetime(columns.open_time_ms, unit="ms"),
    )[:_MONTH_CANDLES]

    def mean(values: Any, period: int) -> Any:
        return pd.Series(values).ewm(span=period, adjust=False).mean().to_numpy()

    def smooth(values: Any, period: int) -> Any:
        return pd.Series(values).ewm(alpha=1 / period, adjust=False).mean().to_numpy()

    def rsi(close: Any) -> Any:
        change = np.diff(close, prepend=close[0])
        gain, loss = smooth(np.maximum(change, 0), 14), smooth(np.maximum(-change, 0), 14)
        return 100 * gain / np.maximum(gain + loss, 1e-12)

    def atr(high: Any, low: Any, close: Any) -> Any:
        before = np.concatenate((close[:1], close[:-1]))
        return smooth(np.maximum(high, before) - np.minimum(low, before), 14)

    class Scalping(backtesting.Strategy):  # type: ignore[misc]
        ema_fast, ema_slow = 9, 21

        def init(self) -> None:
            data = self.data
            self.fast, self.slow = self.I(mean, data.Close, self.ema_fast), self.I(mean, data.Close, self.ema_slow)
            self.rsi, self.atr = self.I(rsi, data.Close), self.I(atr, data.High, data.Low, data.Close)
            self.volume = self.I(lambda values: pd.Series(values).rolling(20).mean().to_numpy(), data.Volume)

        def next(self) -> None:
            before, now = self.fast[-2] - self.slow[-2], self.fast[-1] - self.slow[-1]
            if self.position or self.orders or before * now > 0 or self.data.Volume[-1] <= self.volume[-1]:
                return
            close, distance = self.data.Close[-1], 1.5 * self.atr[-1]
            if now > 0 and 50 <= self.rsi[-1] <= 70:
                self.buy(size=0.1, sl=close - distance, tp=close + 2 * distance)
            elif now < 0 and 30 <= self.rsi[-1] <= 50:
                self.sell(size=0.1, sl=close + distance, tp=close - 2 * distance)

    backtesting.Pool = lambda: multiprocessing.get_context("fork").Pool(workers)
    Scalping.__module__, Scalping.__qualname__ = "__main__", "Scalping"
    sys.modules["__main__"].Scalping = Scalping  # type: ignore[attr-defined]
    test = backtesting.Backtest(frame, Scalping, cash=1e7, commission=0.001, spread=0.0005, finalize_trades=True)
    best = test.optimize(ema_fast=range(5, 15), ema_slow=range(20, 39, 2), maximize="Return [%]")
    print(best["Return [%]"], best["# Trades"], best["_strategy"])


if __name__ == "__main__":
    main()
