"""Fetching, for `make bench`: thirty days of four symbols under the exchange's limit, and as fast as it goes without.

The exchange is the testnet in a process of its own on the other core. Prints a Markdown table; asserts nothing.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from app.candles.cache import CandleCache
from app.exchange.history import HistoricalDataProvider
from app.exchange.limiter import WEIGHT_A_SECOND
from app.times import DAY_MS
from tests.fetching import running_testnet, state_of
from tests.storm.weather import GENERATED, START_MS, SYMBOLS, fetch_command

_DAYS = 30


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--unlimited", metavar="URL", help="one fetch without a limit, for a process of its own")
    args = parser.parse_args()
    if args.unlimited:
        _unlimited(args.unlimited)
        return
    limited = [_limited_round() for _ in range(args.rounds)]
    free = [_free_round() for _ in range(args.rounds)]
    wall_s, ratio, cpu_us = (statistics.median(column) for column in zip(*limited, strict=True))
    free_s, free_cpu_us = (statistics.median(column) for column in zip(*free, strict=True))
    candles = _DAYS * 1_440 * len(SYMBOLS)
    print(f"Fetching {candles:,} candles ({_DAYS} days of 1m, {len(SYMBOLS)} symbols), median of {args.rounds}\n")
    print("| fetch | wall s | of even pacing | candles/s | client CPU a candle, us |")
    print("|---|---|---|---|---|")
    print(f"| `data fetch`, {WEIGHT_A_SECOND} weight a second, whole process | {wall_s:.2f} | {ratio:.2f} | "
          f"{candles / wall_s:,.0f} | {cpu_us:.1f} |")  # fmt: skip
    print(f"| without a limit, ccxt already imported | {free_s:.2f} | | {candles / free_s:,.0f} | {free_cpu_us:.1f} |")


def _limited_round() -> tuple[float, float, float]:
    """Wall time, its ratio to total weight / 20, and CPU a candle of the whole process."""
    with tempfile.TemporaryDirectory() as folder, running_testnet(*GENERATED) as url:
        began_s = time.perf_counter()
        with subprocess.Popen(fetch_command(url, Path(folder), _DAYS), stdout=subprocess.DEVNULL) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.perf_counter() - began_s
        if process.returncode:
            raise SystemExit("data fetch failed")
        even_s = state_of(url)["total_weight"] / WEIGHT_A_SECOND
    return wall_s, wall_s / even_s, (usage.ru_utime + usage.ru_stime) * 1e6 / (_DAYS * 1_440 * len(SYMBOLS))


def _free_round() -> tuple[float, float]:
    with running_testnet(*GENERATED, "--no-limit") as url:
        command = [sys.executable, "-m", "tests.bench.fetch", "--unlimited", url]
        wall_s, cpu_us = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(wall_s), float(cpu_us)


def _unlimited(url: str) -> None:
    """Twice, into two caches: the first fetch pays for importing ccxt and making the candles up, not the second."""

    async def fetch(folder: str) -> tuple[float, float]:
        async with HistoricalDataProvider(CandleCache(Path(folder)), url=url, rate=None) as provider:
            began_s, cpu_s = time.perf_counter(), time.process_time()
            report = await provider.fetch(SYMBOLS, "1m", START_MS, START_MS + _DAYS * DAY_MS)
            return time.perf_counter() - began_s, (time.process_time() - cpu_s) / report.new

    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        asyncio.run(fetch(first))
        wall_s, cpu_s = asyncio.run(fetch(second))
    print(wall_s, cpu_s * 1e6)


if __name__ == "__main__":
    main()
