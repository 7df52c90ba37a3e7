"""On the calm testnet a live session's trade log is the paper session's of the same candles but for what docs list.

Both run as processes beside each other, over real sockets, on the same candles; the exchange's clock stands until both
are up, so that both begin with the same candle. Fees are taken in the quote asset, so that quantities are the same.
"""

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from app.proof.comparison import compare
from app.proof.shortfall import Part, Shortfall
from app.runs.reader import Run
from app.testnet.api_keys import TEST_KEY, TEST_SECRET
from app.times import parse_time_ms
from tests.fetching import run, running_testnet
from tests.integration.processes import PATIENCE_S, PROJECT, results_of
from tests.made_trades import read_trade_log
from tests.storm.live import hold_clock

END, EXACT = "2026-03-01T12:24", 1e-6
SYMBOLS = "BTC/USDT,ETH/USDT,SOL/USDT"
# docs/real-orders.md, "Paper and live": what these columns have is not the same, and need not be.
OF_THE_MOMENT = {"timestamp", "equity", "balance"}  # the exchange's time; what the account was worth at that moment
OF_THE_COUNT = {"trade_id", "order_id"}  # numbers in the order of fills; protection has orders of its own
OF_PAPER_ALONE = {"slippage", "candle_volume"}  # an assumption of paper's; a fill at an exchange has a price only
_TURNS = 3
LONG = pytest.mark.skipif(not os.environ.get("ONETAPE_FULL"), reason="a minute or two of sockets each: ONETAPE_FULL=1")
LISTED = OF_THE_MOMENT | OF_THE_COUNT | OF_PAPER_ALONE
TOSSING = '''"""Written by a test."""
import random

from app.strategies.base import FLAT, Strategy, exit_position, long


class Tossing(Strategy):
    def __init__(self, seed: int = 1, limits: bool = False) -> None:
        self.seed, self.limits = seed, limits

    async def on_candle(self, candle, view):
        toss = random.Random(f"{self.seed} {candle.symbol} {candle.open_time_ms}").random()
        near = candle.close * 0.004
        if view.position is None and view.pending_entry is None and toss < 0.5:
            limit = candle.close * 0.9995 if self.limits else None
            return long(stop=candle.close - near, target=candle.close + near, limit=limit, valid_candles=2)
        return exit_position() if view.position is not None and toss > 0.9 else FLAT
'''
MANAGED = {
    "break_even": {"at_r": 0.3}, "trailing": {"distance_r": 0.6}, "partial": [{"at_r": 0.4, "fraction": 0.4}],
    "time": {"candles": 6},
}  # fmt: skip
Row = dict[str, str]


def profile(folder: Path) -> Path:
    """The shipped strategy, one with limits, one with managed exits and legs, on one account; its live.yaml."""
    config, own = folder / "config", folder / "tossing.py"
    config.mkdir()
    own.write_text(TOSSING)
    shipped = {"allow_short": False, "volume_factor": 0.1, "rsi_long_min": 40, "rsi_long_max": 90}
    tossing = f"{own}:Tossing"
    live: dict[str, Any] = {
        "exchange": "binanceus", "symbols": SYMBOLS.split(","), "timeframe": "1m", "startup_candles": 60,
        "feed": {"late_candles": 10},
        "strategies": [
            {"id": "shipped", "name": "ScalpingEMARSI", "params": shipped, "allocation": 0.3},
            {"id": "limits", "name": tossing, "params": {"seed": 1, "limits": True}, "allocation": 0.3},
            {"id": "managed", "name": tossing, "params": {"seed": 2}, "allocation": 0.4, "exits": MANAGED},
        ],
    }  # fmt: skip
    safety = {"max_drawdown": None, "max_exposure": 0.9, "kill_switch_file": str(folder / "KILL")}
    orders = {"max_order_notional": None, "max_daily_orders": None, "recv_window_ms": 60_000, "answer_s": 3.0}
    (config / "live.yaml").write_text(json.dumps(live))
    (config / "risk.json").write_text('{"max_position_pct": 0.3}')
    (config / "trading_mode.yaml").write_text(json.dumps({"safety": safety, "orders": orders}))
    return config / "live.yaml"


def both(folder: Path, fees: str, end: str, *more: str) -> dict[str, Path]:
    """The folder of a finished session of each mode, in time; `more` are words for the testnet."""
    for turn in range(_TURNS):
        runs = tried(folder / str(turn), fees, end, *more)
        if "--faults" in more or is_timely(runs):
            return runs
    raise AssertionError(f"the machine was too busy for {_TURNS} sessions")


def tried(folder: Path, fees: str, end: str, *more: str) -> dict[str, Path]:
    """The same, in time or not."""
    folder.mkdir()
    config, runs = profile(folder), {mode: folder / mode for mode in ("paper", "live")}
    keys = {"ONETAPE_API_KEY": TEST_KEY, "ONETAPE_API_SECRET": TEST_SECRET, "XDG_STATE_HOME": str(folder / "state")}
    words = ("--generate", "3", "--symbols", SYMBOLS, "--start", "2026-03-01T12:00:20", "--speed", "15")
    with running_testnet(*words, "--trade", "--fees", fees, "--no-limit", *more) as url:
        hold_clock(url, held=True)
        processes = [
            subprocess.Popen(
                [
                    sys.executable, "-m", "app", "--mode", mode, "--config", str(config), "--exchange-url", url,
                    "--cache", str(folder / f"cache-{mode}"), "--out", str(run), "--end", end, "--no-report",
                ],
                cwd=PROJECT, env={**os.environ, **keys}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            )
            for mode, run in runs.items()
        ]  # fmt: skip
        try:
            deadline_s = time.monotonic() + PATIENCE_S
            while not all((run / "status.json").exists() for run in runs.values()):
                assert time.monotonic() < deadline_s, "a session never came up"
                assert all(process.poll() is None for process in processes)
                time.sleep(0.05)
            hold_clock(url, held=False)
            for process in processes:
                _, error = process.communicate(timeout=PATIENCE_S)
                assert process.returncode == 0, error
        finally:
            for process in processes:
                process.kill()
    return runs


def is_timely(runs: dict[str, Path]) -> bool:
    """Whether the machine let both sessions keep the pace of the testnet: the same first slice, nothing late, and each
    order at the exchange before it looked at what rests in that candle.
    """
    live, paper = (results_of(runs[mode]) for mode in ("live", "paper"))
    sent_ms = live["real_orders"]["latency_ms"]["decision_to_sent"]["max"]
    began = {run["period"]["start"] for run in (live, paper)}
    return len(began) == 1 and not any(run["feed"].values() for run in (live, paper)) and (sent_ms or 0) < 50_000


def rows_of(run: Path) -> dict[tuple[str, ...], list[Row]]:
    """Of each line, its fills in their order, without what was entered after the last close: on paper such an entry is
    left, an exchange has filled it before the session knows that it was the last.
    """
    results = results_of(run)
    rows: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    late: set[str] = set()
    for row in read_trade_log(run / results["files"]["trades"]):
        if row["action"] == "OPEN" and row["timestamp"] >= results["requested"]["end"]:
            late.add(row["trade_id"])
        if row["trade_id"] not in late:
            rows[row["strategy"], row["symbol"]].append(row)
    return rows


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return both(tmp_path_factory.mktemp("calm"), "quote", END)


def test_the_trade_logs_are_the_same_in_all_but_the_listed_columns(calm: dict[str, Path]) -> None:
    paper, live = rows_of(calm["paper"]), rows_of(calm["live"])
    assert {strategy for strategy, _ in paper} == {"shipped", "limits", "managed"}
    assert paper.keys() == live.keys()
    for line, rows in paper.items():
        for one, other in zip(rows, live[line], strict=True):
            differs = {name for name in one if one[name] != other[name]}
            assert differs <= LISTED, (line, {name: (one[name], other[name]) for name in differs - LISTED})


@LONG
def test_what_fees_in_the_base_asset_change_is_named_by_compare(tmp_path: Path) -> None:
    end = "2026-03-01T12:16"
    runs = both(tmp_path, "received", end)
    done = run("compare", str(runs["paper"]), str(runs["live"]), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)["shortfall"]
    parts = told["parts"]
    assert told["explained"]
    assert abs(told["residual"]) < 1e-6
    assert parts["fees in the base asset"] != 0.0
    assert all(abs(parts[name]) < 1e-6 for name in ("slippage", "latency", "partial fills")), parts
    for one in shortfall(runs).trades:
        assert abs(one.parts.get(Part.TIMING, 0.0)) < EXACT or one.key[1] == parse_time_ms(end), one.notes
    assert told["fees"].keys() == {"BTC", "ETH", "SOL", "USDT"}


def shortfall(runs: dict[str, Path]) -> Shortfall:
    """Of the live session against the one on paper; it is explained."""
    comparison = compare(Run.open(runs["live"]), Run.open(runs["paper"]), ())
    assert comparison.is_explained
    assert comparison.shortfall is not None
    assert len(comparison.shortfall.trades) > 10
    return comparison.shortfall


def test_calm_nothing_is_left_unexplained_and_nothing_needs_a_name(calm: dict[str, Path]) -> None:
    """But for what an exchange fills of an entry of the last candle, which paper leaves."""
    found = shortfall(calm)
    assert abs(found.residual) < EXACT
    named = {part: value for part, value in found.parts.items() if abs(value) >= EXACT}
    assert named.keys() <= {Part.TIMING}
    for one in found.trades:
        assert abs(one.difference) < EXACT or one.key[1] == parse_time_ms(END), one.notes


@LONG
@pytest.mark.parametrize(("fees", "faults"), [("received", "orders-storm:3"), ("quote", "none")])
def test_with_a_book_latency_parts_and_faults_nothing_is_left_unexplained(
    tmp_path: Path, fees: str, faults: str
) -> None:
    found = shortfall(both(tmp_path, fees, END, "--matching", "book", "--seed", "5", "--faults", faults))
    assert abs(found.residual) < 1e-6
    assert found.parts[Part.SLIPPAGE] != 0.0
    assert found.parts[Part.FEES] != 0.0
    assert (found.parts[Part.BASE_FEES] != 0.0) == (fees == "received")
    assert set(found.fees) - {"USDT"} == ({"BTC", "ETH", "SOL"} if fees == "received" else set())
    for one in found.trades:
        assert abs(sum(one.parts.values()) - one.difference) < EXACT, one.notes
