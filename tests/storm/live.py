"""One live case: a testnet in a process, a paper session in another; then its tape and the exchange's history.

The rule: within the lateness limit live = tape = history, byte for byte; beyond it live = tape, and what came late is
counted and named. A case is named by its kind and seed; the same name gives the same faults and moments. A kill is
always within: the exchange's clock stands until the next start has the tape behind it and the link up, which takes
two of a minute's sixty seconds in earnest and would take candles at a testnet's speed. It stands, too, while a session
is held up by a busy machine.
"""

import contextlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.feeds.tape import read_tape
from app.models.market import Slice
from app.times import iso_ms, parse_time_ms
from tests.fetching import running_testnet, state_of
from tests.integration.processes import PATIENCE_S, PROJECT

SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
START = "2026-03-01T12:00:20"
MINUTE_MS = 60_000
_KILLS = 2
_LOOK_S, _BEHIND_MS = 0.02, 20_000
LIVE: dict[str, Any] = {
    "exchange": "binanceus",
    "symbols": list(SYMBOLS),
    "timeframe": "1m",
    "startup_candles": 30,
    "strategy": {"name": "tests.parity.seeded_strategy:Seeded", "params": {"seed": 5}},
}
_TOSSING = "tests.parity.seeded_portfolio:SeededPortfolio"
_TRAILING = {"trailing": {"distance_r": 0.6}, "break_even": {"at_r": 0.4}}
_LEGS = {"partial": [{"at_r": 0.3, "fraction": 0.4}, {"at_r": 0.8, "fraction": 0.3}], "time": {"candles": 12}}
PORTFOLIO: dict[str, Any] = {
    **{key: value for key, value in LIVE.items() if key != "strategy"},
    "symbols": [*SYMBOLS, "XRP/USDT"],
    "strategies": [
        {"id": "trend", "name": _TOSSING, "params": {"seed": 5}, "exits": _TRAILING},
        {"id": "revert", "name": _TOSSING, "params": {"seed": 6}, "exits": _LEGS, "allocation": 0.3},
        {"id": "slow", "name": _TOSSING, "params": {"seed": 7}, "timeframe": "3m", "symbols": list(SYMBOLS[:2])},
    ],
}
PROTECTIONS = [
    {"kind": "cooldown", "candles": 2},
    {"kind": "stop_guard", "lookback_candles": 30, "stops": 3, "pause_candles": 4, "scope": "strategy"},
]


@dataclass(frozen=True)
class LiveOutcome:
    """What came of a live case: nothing wrong if `problem` is empty."""

    problem: str
    elapsed_s: float
    fills: int
    feed: dict[str, int]
    state: dict[str, Any]


@dataclass(frozen=True)
class LiveCase:
    """How long and how fast: `candles` minutes at `speed` times real time.

    With `portfolio` three strategies on four symbols, with limit entries, managed exits and protections.
    """

    candles: int = 30
    speed: float = 20.0
    portfolio: bool = False

    @property
    def end(self) -> str:
        """The session's end."""
        return iso_ms(parse_time_ms(START) // MINUTE_MS * MINUTE_MS + (self.candles + 1) * MINUTE_MS)

    def calm(self, seed: int) -> LiveOutcome:
        """A session to which nothing happens."""
        return self._run(seed, "none", None)

    def storm(self, seed: int) -> LiveOutcome:
        """A session through `storm:SEED`."""
        return self._run(seed, f"storm:{seed}", None)

    def kill(self, seed: int) -> LiveOutcome:
        """A session killed with SIGKILL at seeded moments and started again before the next close."""
        return self._run(seed, "none", random.Random(seed))

    def _run(self, seed: int, faults: str, moments: random.Random | None) -> LiveOutcome:
        began_s = time.monotonic()
        symbols = PORTFOLIO["symbols"] if self.portfolio else SYMBOLS
        words = ("--generate", str(seed), "--symbols", ",".join(symbols), "--start", START, "--speed", str(self.speed))
        with tempfile.TemporaryDirectory() as name, running_testnet(*words, "--faults", faults) as url:
            folder = Path(name)
            profile(folder, portfolio=self.portfolio)
            problem = self._session(folder, url, moments) or self._proof(folder, url, strict=moments is not None)
            state = state_of(url)
            results = _results(folder / "live")
            fills = 0 if results is None else _trades(folder / "live").count(b"\n") - 1
            return LiveOutcome(
                problem, time.monotonic() - began_s, fills, {} if results is None else results["feed"], state
            )

    def _session(self, folder: Path, url: str, moments: random.Random | None) -> str:
        words = ("--mode", "paper", "--end", self.end, "--exchange-url", url)
        command = _command(folder, *words, "--cache", str(folder / "cache"), "--out", str(folder / "live"))
        for _ in range(0 if moments is None else _KILLS):
            assert moments is not None
            with _started(command) as process, keeping_up(process, folder / "live", url):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(moments.uniform(0.5, 0.4 * self.candles * 60.0 / self.speed))
                process.kill()
                process.wait()
        with _started(command) as process, keeping_up(process, folder / "live", url):
            error = process.communicate(timeout=900)[1]
            return f"paper: exit status {process.returncode}: {error[-800:]}" if process.returncode else ""

    def _proof(self, folder: Path, url: str, *, strict: bool) -> str:
        live = folder / "live"
        tape = ("--mode", "backtest", "--tape", str(live), "--out", str(folder / "tape"))
        results = _results(live)
        assert results is not None
        span = ("--start", results["requested"]["start"], "--end", results["requested"]["end"])
        history = ("--mode", "backtest", *span, "--exchange-url", url, "--cache", str(folder / "other"))
        for command in (
            [sys.executable, "-m", "app", *tape],
            _command(folder, *history, "--out", str(folder / "history")),
        ):
            done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False)
            if done.returncode:
                return f"{command[3:6]}: exit status {done.returncode}: {done.stderr[-800:]}"
        if results["requested"]["end"] != self.end:
            return f"the session ended at {results['requested']['end']}, not at {self.end}"
        if _trades(folder / "tape") != _trades(live):
            return "the tape gives another trade log than the session"
        if _trades(folder / "history") == _trades(live):
            return "" if strict or self.portfolio else _what_if_problem(folder, tape, history)
        if strict or not results["feed"]:
            late = results["feed"] or "nothing"
            return f"history gives another trade log than the session; late was {late}"
        caches = ("--cache", str(folder / "cache"), "--cache", str(folder / "other"))
        compare = [sys.executable, "-m", "app", "compare", str(live), str(folder / "history"), *caches]
        done = subprocess.run(compare, cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False)
        return f"compare does not explain it: {done.stdout[-800:]}{done.stderr[-300:]}" if done.returncode else ""


def _what_if_problem(folder: Path, tape: Sequence[str], history: Sequence[str]) -> str:
    """With another stop distance the session's events and the exchange's history give the same, and not the session."""
    other = ("--set", "risk.atr_stop_multiplier=4", "--no-report", "--out")
    for command in (
        [sys.executable, "-m", "app", *tape[:-2], *other, str(folder / "what_if")],
        _command(folder, *history, *other, str(folder / "other_history")),
    ):
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            return f"{command[3:6]}: exit status {done.returncode}: {done.stderr[-800:]}"
    found = [_trades(folder / name) for name in ("what_if", "other_history", "live")]
    if found[0] != found[1]:
        return "what if gives another trade log than a backtest of these settings"
    return "" if found[0] != found[2] else "another stop distance changed nothing"


def _started(command: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


@contextlib.contextmanager
def keeping_up(process: "subprocess.Popen[str]", run: Path, url: str) -> Iterator[None]:
    """The exchange's clock runs while the session keeps up with it, and stands while it starts, is behind or is gone.

    So a session is in time on a busy machine that is in time on a quiet one.
    """
    over = threading.Event()
    (run / "status.json").unlink(missing_ok=True)  # a session that is up writes it
    hold_clock(url, held=True)
    thread = threading.Thread(target=_keep_up, args=(process, run, url, over))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        hold_clock(url, held=process.poll() == -signal.SIGKILL)


def _keep_up(process: "subprocess.Popen[str]", run: Path, url: str, over: threading.Event) -> None:
    held = True
    while not over.wait(_LOOK_S) and process.poll() is None:
        state = state_of(url)
        is_up = (run / "status.json").exists() and state["connections"]
        if held and not is_up:
            continue
        is_behind = state["now_ms"] - _handled_ms(run) > MINUTE_MS + _BEHIND_MS
        if is_behind != held:
            hold_clock(url, held=is_behind)
            held = is_behind


def _handled_ms(run: Path) -> int:
    """The close of the last slice on the tape."""
    slices = [record.event for record in read_tape(run).records if isinstance(record.event, Slice)]
    return slices[-1].close_time_ms if slices else 0


def hold_clock(url: str, *, held: bool) -> None:
    """Hold the exchange's clock, or let it run on."""
    request = urllib.request.Request(f"{url}/testnet/clock", json.dumps({"held": held}).encode())
    urllib.request.urlopen(request, timeout=PATIENCE_S).close()


def _command(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "app", *words, "--config", str(profile(folder))]


def profile(folder: Path, *, portfolio: bool = False) -> Path:
    """A profile of coin tosses on three symbols, or of three strategies on four, below `folder`; its live.yaml."""
    config = folder / "config"
    if not config.exists():
        config.mkdir()
        (config / "live.yaml").write_text(json.dumps(PORTFOLIO if portfolio else LIVE))
        (config / "risk.json").write_text('{"max_position_pct": 0.2}')
        safety = {"max_exposure": 0.5, "max_drawdown": None, "kill_switch_file": str(folder / "KILL")}
        mode = {"safety": safety, **({"protections": PROTECTIONS} if portfolio else {})}
        (config / "trading_mode.yaml").write_text(json.dumps(mode))
    return config / "live.yaml"


def _results(run: Path) -> dict[str, Any] | None:
    path = run / "results.json"
    if not path.exists():
        return None
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def _trades(run: Path) -> bytes:
    results = _results(run)
    assert results is not None
    return (run / str(results["files"]["trades"])).read_bytes()
