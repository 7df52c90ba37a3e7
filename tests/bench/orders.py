"""Latency of real orders, for `make bench`: from the decision to the moment at which the request's bytes leave.

A session of `--mode live` in this process, over real sockets, against a testnet that trades in a process of its own.
Every intent counts: entries, protection, its removal, sales. Prints a Markdown table. Asserts nothing.
"""

import argparse
import asyncio
import json
import os
import re
import statistics
import tempfile
import time
from asyncio import selector_events
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from app.models.intents import Cancel, PlaceOco
from app.session.journal import Journal
from app.session.paper import PaperRunner
from app.session.recorded_runtime import RecordedRuntime
from app.testnet.api_keys import TEST_KEY, TEST_SECRET
from tests.fetching import running_testnet
from tests.soak import session

SYMBOLS = tuple(symbol for symbol in session.SYMBOLS if not symbol.startswith("BNB"))  # which may pay fees
_SKIPPED = 20  # the first orders import, and open connections
_NAMED = re.compile(rb"(?:newClientOrderId|listClientOrderId|origClientOrderId)=([a-z0-9-]+)")
_BACK_AND_FORTH = '''"""Written by a bench."""
from app.strategies.base import FLAT, Strategy, exit_position, long


class BackAndForth(Strategy):
    async def on_candle(self, candle, view):
        if view.position is not None:
            return exit_position()
        return long(stop=candle.close * 0.9, target=candle.close * 1.1)
'''


@dataclass
class Probe:
    """Of each intent by its kind: when the event that led to it was handled, on the disk, and when its bytes left."""

    whole_s: dict[str, list[float]] = field(default_factory=lambda: {"entry or sale": [], "OCO": [], "cancel": []})
    disk_s: list[float] = field(default_factory=list)
    rest_s: list[float] = field(default_factory=list)
    _decided: dict[bytes, tuple[str, float]] = field(default_factory=dict)
    _synced_s: dict[bytes, float] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Orders that left."""
        return len(self.rest_s)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While the block lasts, runtime, tape and transport are wrapped."""
        handle, sync = RecordedRuntime.handle, Journal.sync
        transport = selector_events._SelectorSocketTransport  # type: ignore[attr-defined]  # no public place to look
        write: Callable[..., None] = transport.write

        async def handled(recorded: RecordedRuntime, event: Any) -> str:
            digest = await handle(recorded, event)
            now_s = time.perf_counter()
            for one in recorded.intents:
                kind = "cancel" if isinstance(one, Cancel) else "OCO" if isinstance(one, PlaceOco) else "entry or sale"
                key = f"{kind == 'cancel'}{one.client_id}".encode()
                self._decided[key] = kind, now_s
            return digest

        async def synced(journal: Journal) -> None:
            waiting = [key for key in self._decided if key not in self._synced_s]
            await sync(journal)
            self._synced_s |= dict.fromkeys(waiting, time.perf_counter())

        def written(owner: Any, data: bytes) -> None:
            write(owner, data)
            named = _NAMED.search(bytes(data))
            if named is not None:
                self._note_left(str(data[:6] == b"DELETE").encode() + named[1], time.perf_counter())

        with ExitStack() as stack:
            stack.enter_context(patch.object(RecordedRuntime, "handle", handled))
            stack.enter_context(patch.object(Journal, "sync", synced))
            stack.enter_context(patch.object(transport, "write", written))
            yield

    def _note_left(self, key: bytes, now_s: float) -> None:
        decided = self._decided.pop(key, None)
        if decided is None or key not in self._synced_s:
            return
        kind, decided_s = decided
        synced_s = self._synced_s.pop(key)
        self.whole_s[kind].append(now_s - decided_s)
        self.disk_s.append(synced_s - decided_s)
        self.rest_s.append(now_s - synced_s)


def main() -> None:
    """Run the session and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000)
    parser.add_argument("--speed", type=float, default=30.0, help="times real time")
    parser.add_argument("--realtime", action="store_true", help="nobody else may take the core (Linux, as root)")
    args = parser.parse_args()
    probe = Probe()
    words = (
        "--generate",
        "7",
        "--symbols",
        ",".join(SYMBOLS),
        "--start",
        session.START,
        "--speed",
        args.speed,
        "--no-limit",
    )
    with tempfile.TemporaryDirectory() as name, running_testnet(*words, "--trade", "--fees", "quote") as url:
        os.environ |= {"ONETAPE_API_KEY": TEST_KEY, "ONETAPE_API_SECRET": TEST_SECRET, "XDG_STATE_HOME": name}
        if args.realtime:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(5))
        asyncio.run(_trade(probe, Path(name), url, args.orders))
    _print(probe, args.speed)


async def _trade(probe: Probe, folder: Path, url: str, orders: int) -> None:
    def stop_when_enough(*_: Any) -> None:
        if probe.count >= orders + _SKIPPED:
            trading.cancel()

    runner = PaperRunner(
        _profile(folder), cache=folder / "cache", out=folder / "run", exchange_url=url, mode="live",
        on_event=stop_when_enough,
    )  # fmt: skip
    with probe.watching():
        trading = asyncio.create_task(runner.run_async())
        await asyncio.gather(trading, return_exceptions=True)
    if not trading.cancelled():
        trading.result()


def _profile(folder: Path) -> Path:
    config, own = folder / "config", folder / "back_and_forth.py"
    config.mkdir()
    own.write_text(_BACK_AND_FORTH)
    live = {
        "exchange": "binanceus", "symbols": list(SYMBOLS), "timeframe": "1m", "startup_candles": 5,
        "strategy": {"name": f"{own}:BackAndForth"},
    }  # fmt: skip
    safety = {"max_drawdown": None, "max_exposure": 0.9, "kill_switch_file": str(folder / "KILL")}
    orders = {"max_order_notional": None, "max_daily_orders": None, "recv_window_ms": 60_000}
    (config / "live.yaml").write_text(json.dumps(live))
    (config / "risk.json").write_text('{"max_position_pct": 0.1}')
    (config / "trading_mode.yaml").write_text(json.dumps({"safety": safety, "orders": orders}))
    return config / "live.yaml"


def _print(probe: Probe, speed: float) -> None:
    everything = [disk_s + rest_s for disk_s, rest_s in zip(probe.disk_s, probe.rest_s, strict=True)][_SKIPPED:]
    rows = [
        ("**decided -> the request's bytes have left**", everything),
        ("of it intents on the disk", probe.disk_s[_SKIPPED:]),
        ("of it desk, signature, socket", probe.rest_s[_SKIPPED:]),
        *((f"whole, {kind}", values_s) for kind, values_s in probe.whole_s.items()),
    ]
    print(f"Latency of {len(everything):,} orders, {len(SYMBOLS)} symbols, at {speed:g} times real time, ms\n")
    print("| | count | p50 | p90 | p99 | max |\n|---|---|---|---|---|---|")
    for name, values_s in rows:
        cells = (*(_quantile(values_s, part) for part in (0.5, 0.9, 0.99)), max(values_s))
        print(f"| {name} | {len(values_s):,} | {' | '.join(f'{value * 1000:.2f}' for value in cells)} |")
    print(f"\nLoad {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.")


def _quantile(values: Sequence[float], part: float) -> float:
    return statistics.quantiles(values, n=1000, method="inclusive")[round(part * 1000) - 1]


if __name__ == "__main__":
    main()
