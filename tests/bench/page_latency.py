"""Latency of a session beside its page (`python -m tests.bench.page_latency`): without one, with one, and attacked.

The three take turns within one paper session of eight symbols, so that other work on the machine meets them alike. The
page, its reader and the attacker are processes of their own; the attacker holds 1,000 connections and asks over each
as fast as it is answered. Prints a Markdown table of last frame -> decided, tape written. Asserts nothing.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from app.session.paper import PaperRunner
from tests.bench.latency import Probe
from tests.fetching import running_testnet
from tests.integration.processes import PROJECT
from tests.operator_pages import token_in
from tests.soak.session import START, SYMBOLS, write_profile

CASES = ("without a page", "a page that listens", "a page under attack")
_OWN = "tests.bench.page_latency"
_ATTACKERS = 1_000
_SKIPPED = 40  # processes start, and the first slices import


def main() -> None:
    """Measure and print; with `--attack URL`, attack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=200, help="of each case in each round; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--speed", type=float, default=600.0, help="times real time")
    parser.add_argument("--attack", help=argparse.SUPPRESS)
    parser.add_argument("--listen", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.attack or args.listen:
        os.nice(19)  # in truth another machine: it should not cost the session its core
        asyncio.run(_attack(args.attack) if args.attack else _listen(*args.listen))
        return
    words = ("--generate", "7", "--symbols", ",".join(SYMBOLS), "--start", START, "--speed", args.speed, "--no-limit")
    with tempfile.TemporaryDirectory() as name, running_testnet(*words) as net:
        kept = asyncio.run(_measure(Path(name), net, args.slices, args.rounds))
    _print(kept)


async def _measure(folder: Path, net: str, slices: int, rounds: int) -> dict[str, list[float]]:
    probe = Probe()
    kept: dict[str, list[float]] = {case: [] for case in CASES}
    runner = PaperRunner(write_profile(folder), cache=folder / "cache", out=folder / "run", exchange_url=net)
    with probe.watching():
        trading = asyncio.create_task(runner.run_async())
        await _until(probe, _SKIPPED, trading)
        for case in CASES * rounds:
            with ExitStack() as stack:
                if case != CASES[0]:
                    url, token = await asyncio.to_thread(stack.enter_context, _page(folder))
                    await asyncio.to_thread(stack.enter_context, _started(_OWN, "--listen", url, token))
                if case == CASES[2]:
                    await asyncio.to_thread(stack.enter_context, _started(_OWN, "--attack", url))
                begin = len(probe.totals_s) + _SKIPPED
                await _until(probe, begin + slices, trading)
            kept[case] += probe.totals_s[begin : begin + slices]
        trading.cancel()
        await asyncio.gather(trading, return_exceptions=True)
    return kept


async def _until(probe: Probe, count: int, trading: "asyncio.Task[Any]") -> None:
    while len(probe.totals_s) < count:
        if trading.done():
            trading.result()
        await asyncio.sleep(0.05)


@contextmanager
def _started(*words: str) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-m", *words], cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def _page(folder: Path) -> Iterator[tuple[str, str]]:
    path = token_in(folder)
    with _started("app", "serve", str(folder / "run"), "--port", "0", "--token-file", str(path)) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1], path.read_text().strip()


async def _listen(url: str, token: str) -> None:
    """The operator's own page: reads all that it is told."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}, timeout=aiohttp.ClientTimeout()) as client,
        client.get(url + "/s/run/events") as answer,
    ):
        async for _ in answer.content.iter_any():
            pass


async def _attack(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    question = f"GET /s/run/content HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer wrong\r\n\r\n".encode()

    async def one() -> None:
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection(host, int(port))
                try:
                    while True:
                        writer.write(question)
                        await reader.readuntil(b"\r\n\r\n")
                finally:
                    writer.close()
            await asyncio.sleep(0.1)

    await asyncio.gather(*(one() for _ in range(_ATTACKERS)))


def _print(kept: dict[str, list[float]]) -> None:
    print("| ms | slices | p50 | p90 | p99 | max | p99 of that without |\n|---|---|---|---|---|---|---|")
    base = _quantile(kept[CASES[0]], 99)
    for case, values in kept.items():
        parts = (*(_quantile(values, part) for part in (50, 90, 99)), max(values))
        cells = " | ".join(f"{part * 1000:.2f}" for part in parts)
        print(f"| {case} | {len(values):,} | {cells} | {_quantile(values, 99) / base:.0%} |")
    print(f"\nLoad {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.")


def _quantile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


if __name__ == "__main__":
    main()
