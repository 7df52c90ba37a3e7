"""Fetching from a testnet for tests: a market in memory, a testnet in a process of its own, commands against it."""

import contextlib
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.candles.cache import CandleCache, CandleColumns
from tests.integration.processes import PATIENCE_S, PROJECT


@contextlib.contextmanager
def running_testnet(*words: str | Path, environment: dict[str, str] | None = None) -> Iterator[str]:
    """`python -m app testnet` on a free port until the block ends; its address."""
    with subprocess.Popen(
        [sys.executable, "-m", "app", "testnet", "--port", "0", *map(str, words)],
        cwd=PROJECT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def state_of(url: str) -> dict[str, Any]:
    """The testnet's own counts."""
    with urllib.request.urlopen(f"{url}/testnet/state", timeout=PATIENCE_S) as answer:
        content: dict[str, Any] = json.load(answer)
        return content


def add_fault(url: str, **fault: Any) -> None:
    """A fault on demand."""
    request = urllib.request.Request(
        f"{url}/testnet/faults", json.dumps(fault).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=PATIENCE_S).close()


def served_cache(folder: Path, market: dict[str, CandleColumns], timeframe: str = "1m") -> CandleCache:
    """A cache that holds these candles, for a testnet to serve."""
    cache = CandleCache(folder)
    for symbol, columns in market.items():
        cache.merge(symbol, timeframe, columns)
    return cache


def fetch(root: Path, url: str, *words: str, timeout_s: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
    """`data fetch`, to its end."""
    return run("data", "fetch", "--exchange-url", url, "--cache", str(root), *words, timeout_s=timeout_s)


def run(*words: str, timeout_s: float = PATIENCE_S, program: str | None = None) -> subprocess.CompletedProcess[str]:
    """Any command of the program, to its end."""
    start = ["-m", "app"] if program is None else ["-c", program]
    return subprocess.run(
        [sys.executable, *start, *words], cwd=PROJECT, capture_output=True, text=True, timeout=timeout_s, check=False
    )


def files(root: Path, pattern: str = "*/*/*.parquet") -> dict[str, bytes]:
    """The month files of a cache."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.glob(pattern)) if path.is_file()}
