"""`--mode live` as a user runs it, in a process of its own against a testnet that trades, also in its own process."""

import json
import os
import resource
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.session.control import read_status
from app.testnet.api_keys import TEST_KEY, TEST_SECRET
from tests.fetching import run
from tests.integration.processes import PATIENCE_S, PROJECT, until
from tests.made_trades import read_trade_log

SYMBOLS = ["BTC/USDT", "ETH/USDT"]
SERVED = (
    "--generate", "3", "--symbols", ",".join(SYMBOLS), "--start", "2026-03-01T12:00:20", "--speed", "30", "--no-limit",
)  # fmt: skip
BODY = """
if self.count > 8 and view.position is None and self.count % 2 == 0:
    return long(stop=candle.close * 0.98, target=candle.close * 1.02)
if view.position is not None and self.count % 7 == 0:
    return exit_position()
return FLAT
"""
MODE: dict[str, Any] = {
    "starting_balance": 1000,
    "safety": {"max_drawdown": None, "max_exposure": 0.5},
    "orders": {"max_order_notional": None, "max_daily_orders": None},
}


class RealSession:
    """A session with its folder; it is started by `start`."""

    def __init__(self, folder: Path, url: str, body: str = BODY, **mode: Any) -> None:
        from tests.integration.processes import strategy_file

        self.folder, self.url, self.run = folder, url, folder / "run"
        config = folder / "config"
        config.mkdir(exist_ok=True)
        live = {
            "exchange": "binance", "symbols": SYMBOLS, "timeframe": "1m", "startup_candles": 5,
            "strategy": {"name": str(strategy_file(folder, body))},
        }  # fmt: skip
        safety = {**MODE["safety"], "kill_switch_file": str(folder / "KILL")}
        (config / "live.yaml").write_text(json.dumps(live))
        (config / "risk.json").write_text("{}")
        (config / "trading_mode.yaml").write_text(json.dumps({**MODE, "safety": safety, **mode}))
        self.keys = {"ONETAPE_API_KEY": TEST_KEY, "ONETAPE_API_SECRET": TEST_SECRET}
        self.said: list[str] = []  # all that its processes wrote
        self.process: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """With a key, and a place for the lock."""
        return {**os.environ, **self.keys, "XDG_STATE_HOME": str(self.folder / "state")}

    def words(self, out: Path | None = None) -> list[str]:
        """The command line behind `python -m app`."""
        return [
            "--mode", "live", "--config", str(self.folder / "config/live.yaml"), "--exchange-url", self.url,
            "--cache", str(self.folder / "cache"), "--out", str(out or self.run), "--no-report",
        ]  # fmt: skip

    def start(self, *more: str, largest_file: int | None = None) -> None:
        """Begin, or go on; on a disk that takes no larger file."""
        (self.run / "status.json").unlink(missing_ok=True)  # what the process before said
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app", *self.words(), *more], cwd=PROJECT, env=self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        if largest_file is not None:
            resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (largest_file, largest_file))

    def once(self, *more: str, out: Path | None = None) -> "subprocess.CompletedProcess[str]":
        """A start that is over soon."""
        done = subprocess.run(
            [sys.executable, "-m", "app", *self.words(out), *more], cwd=PROJECT, env=self.environment,
            capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        self.said += [done.stdout, done.stderr]
        return done

    def wait_for(self, happened: Callable[[], object]) -> None:
        """Until it has, or the process is over."""
        process = self.process
        assert process is not None
        until(lambda: process.poll() is not None or happened())
        if process.poll() is not None:
            raise AssertionError(f"it ended: {process.communicate()}")

    def ended(self, number: signal.Signals) -> tuple[int, str, str]:
        """After a signal: status and what it had said."""
        assert self.process is not None
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        self.said += [out, err]
        return self.process.returncode, out, err

    def rows(self) -> list[dict[str, str]]:
        """The trade log so far."""
        return [row for path in self.run.glob("live_*.csv") for row in read_trade_log(path)]

    def status(self) -> dict[str, Any]:
        """As the session last wrote it."""
        return read_status(self.run) if (self.run / "status.json").exists() else {}

    def stops(self) -> list[str]:
        """Where the stops of the open positions are."""
        return [one["place"] for one in self.status().get("real_orders", {}).get("stops", {}).values()]

    def ledger(self) -> dict[str, Any]:
        """What the exchange knows."""
        with urllib.request.urlopen(f"{self.url}/testnet/ledger", timeout=PATIENCE_S) as answer:
            content: dict[str, Any] = json.load(answer)
            return content

    def open_orders(self) -> list[str]:
        """Client ids of what rests at the exchange."""
        return [one["clientOrderId"] for one in self.ledger()["orders"] if one["status"] == "NEW"]

    def replayed(self, folder: Path) -> "subprocess.CompletedProcess[str]":
        """Its tape, through `--tape`."""
        done = run("--mode", "backtest", "--tape", str(self.run), "--out", str(folder), "--no-report")
        self.said += [done.stdout, done.stderr]
        return done
