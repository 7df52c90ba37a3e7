"""`python -m app testnet` as a process: its first line, its clock, its end."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app import times
from app.candles.cache import CandleCache
from tests.candle_columns import START_MS, make_candles, minutes
from tests.integration.processes import PATIENCE_S, PROJECT

# Python of its own accord keeps back what goes into a pipe.
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
COMMAND = [sys.executable, "-m", "app", "testnet"]
GENERATE = ["--generate", "1", "--symbols", "BTC/USDT,ETH/USDT"]


@contextmanager
def started(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running testnet and its address, which is the first line it prints."""
    with subprocess.Popen(
        [*COMMAND, *words],
        cwd=PROJECT, env=BUFFERED, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], PATIENCE_S)[0], "no line came"
            line = process.stdout.readline()
            assert line.startswith("listening on http://127.0.0.1:"), process.stderr and process.stderr.read()
            yield process, line.removeprefix("listening on ").strip()
        finally:
            if process.poll() is None:
                process.kill()


def fetch(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as response:
        return json.load(response)


def test_a_cache_from_the_end_of_its_candles_until_sigterm(tmp_path: Path) -> None:
    cache = CandleCache(tmp_path)
    cache.merge("BTC/USDT", "1m", make_candles(minutes(90)))
    with started("--cache", str(tmp_path), "--port", "0") as (process, url):
        end_ms = START_MS + 90 * 60_000
        assert end_ms <= fetch(f"{url}/api/v3/time")["serverTime"] < end_ms + 60_000
        rows = fetch(f"{url}/api/v3/klines?symbol=BTCUSDT&interval=30m")
        assert [row[0] for row in rows] == [START_MS + place * 1_800_000 for place in range(3)]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, out) == (0, "")
        assert "BTC/USDT; its time is 2025-11-01T00:30:00" in err
        assert "stopped after 2 requests, most weight in a minute 2" in err


def test_made_up_candles_now_with_faults_and_without_limit_until_ctrl_c(tmp_path: Path) -> None:
    script = tmp_path / "faults.yaml"
    script.write_text("- fault: skew\n  ms: 5000\n")
    with started(*GENERATE, "--no-limit", "--faults", str(script)) as (process, url):
        before_ms = times.now_ms()
        skewed_ms = fetch(f"{url}/api/v3/time")["serverTime"] - 5_000
        assert before_ms - 3_000 <= skewed_ms <= times.now_ms() + 3_000
        limits = fetch(f"{url}/api/v3/exchangeInfo")["rateLimits"]
        assert "REQUEST_WEIGHT" not in {one["rateLimitType"] for one in limits}
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE_S) == 0


def test_files_from_a_time_at_a_speed(tmp_path: Path) -> None:
    file = tmp_path / "btc.csv"
    file.write_text("timestamp_ms,open,high,low,close,volume\n0,1,3,1,2,5\n60000,2,4,1,3,6\n")
    words = ["--candles", f"BTC/USDT:1m={file}", "--start", "1970-01-01T00:01", "--speed", "0.001"]
    with started(*words) as (_, url):
        rows = fetch(f"{url}/api/v3/klines?symbol=BTCUSDT&interval=1m")
        assert [(row[0], float(row[4])) for row in rows] == [(0, 2.0), (60_000, 2.0)]


def test_a_port_that_is_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*COMMAND, *GENERATE, "--port", port], cwd=PROJECT, capture_output=True, encoding="utf-8",
            timeout=PATIENCE_S, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"onetape: port {port} of 127.0.0.1 cannot be taken: it is in use or reserved\n"


@pytest.mark.parametrize("module", ["ccxt", "pandas", "pyarrow"])
def test_the_testnet_needs_no_exchange_library(module: str) -> None:
    code = (
        "import asyncio, sys\n"
        "from app.testnet.generator import GeneratorSource\n"
        "from app.testnet.server import Testnet\n"
        "async def main():\n"
        "    async with Testnet(GeneratorSource(1, ['A/B']), start_ms=0): pass\n"
        "asyncio.run(main())\n"
        f"sys.exit({module!r} in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False, timeout=PATIENCE_S).returncode == 0


def test_it_trades_with_the_known_key_or_with_accounts_of_a_file(tmp_path: Path) -> None:
    with started(*GENERATE, "--trade", "--faults", "orders-storm:1") as (_, url):
        assert fetch(f"{url}/testnet/ledger")["balances"]["USDT"]["free"] == "10000.00000000"
        assert float(fetch(f"{url}/api/v3/ticker/price?symbol=BTCUSDT")["price"]) > 0
    accounts = tmp_path / "accounts.json"
    accounts.write_text('[{"name": "one", "balances": {"BTC": 2}, "keys": [{"key": "k1", "secret": "s"}]}]')
    with started(*GENERATE, "--account", str(accounts), "--fees", "quote", "--matching", "book") as (_, url):
        assert fetch(f"{url}/testnet/ledger")["account"] == "one"


def test_accounts_that_make_no_sense_end_it_before_it_listens(tmp_path: Path) -> None:
    accounts = tmp_path / "accounts.json"
    accounts.write_text('[{"name": "one"}]')
    for words, message in (
        (["--account", str(accounts)], "one: balances: write amounts by asset"),
        (["--account", str(accounts), "--trade"], "--trade has an account of its own"),
        (["--trade", "--faults", "orders-storm:x"], "orders-storm:SEED"),
    ):
        done = subprocess.run([*COMMAND, *GENERATE, *words], check=False, cwd=PROJECT, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (2, "") and message in done.stderr
        assert done.stderr.count("\n") == 1
