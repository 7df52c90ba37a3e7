"""What must hold once a session with real orders has ended, each looked at from outside: the exchange's own ledger and
log against the session's tape and trade log.
"""

import csv
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app.feeds.tape import read_tape
from app.models.events import Execution
from app.models.orders import NOT_THERE, OrderState
from tests.integration.processes import PATIENCE_S, PROJECT

_NOTHING = 1e-7
_IDS = ("newClientOrderId", "listClientOrderId", "aboveClientOrderId", "belowClientOrderId")
_ENDED = ("FILLED", "CANCELED", "EXPIRED", "REJECTED")
_STOPS = ("STOP_LOSS", "STOP_LOSS_LIMIT")
_STEP = 1e-8


def problems_of(run: Path, ledger: Mapping[str, Any], log: Mapping[str, Any]) -> Iterator[str]:
    """Every one that a session's folder and the exchange's pages show."""
    events = [record.event for record in read_tape(run).records if isinstance(record.event, Execution)]
    fills = [event for event in events if event.fill_id]
    trades = {str(one["id"]): one for one in ledger["trades"]}
    told = {one.fill_id.rpartition(":")[2]: one for one in fills}
    if lost := sorted(trades.keys() - told.keys()):
        yield f"trades of the exchange that the tape lacks: {', '.join(lost)}"
    if invented := sorted(told.keys() - trades.keys()):
        yield f"fills of the tape that the exchange does not know: {', '.join(invented)}"
    for name in sorted(trades.keys() & told.keys()):
        trade, fill = trades[name], told[name]
        if (float(trade["qty"]), float(trade["price"])) != (fill.quantity, fill.price):
            yield f"trade {name} is told as {fill.quantity:g} at {fill.price:g}"
    yield from _rows(run, trades)
    yield from _money(run, ledger)
    placed = Counter(
        asked["query"][name]
        for asked in log["requests"]
        for name in _IDS
        if asked["method"] == "POST" and name in asked["query"]
    )
    if twice := sorted(name for name, count in placed.items() if count > 1):
        yield f"placed more than once: {', '.join(twice)}"
    known = {one["clientOrderId"].partition("-")[2].partition("-")[2] for one in ledger["orders"]}
    absent = {
        f"{one.order_id}-{one.leg}" for one in events if one.state is OrderState.REFUSED and one.code == NOT_THERE
    }
    if wrong := sorted(absent & known):
        yield f"called not there, and the exchange has it: {', '.join(wrong)}"
    if left := [one["clientOrderId"] for one in ledger["orders"] if one["status"] not in _ENDED]:
        yield f"still open: {', '.join(left)}"


def _rows(run: Path, trades: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The trade log has a row for each trade, and no other."""
    rows = _trade_log(run)
    wanted = Counter((one["isBuyer"], float(one["qty"]), float(one["price"])) for one in trades.values())
    found = Counter((row["action"] == "OPEN", float(row["quantity"]), float(row["price"])) for row in rows)
    if wanted != found:
        yield f"the exchange's trades are {sorted(wanted.elements())}, the trade log's rows {sorted(found.elements())}"


def _money(run: Path, ledger: Mapping[str, Any]) -> Iterator[str]:
    """Nothing of the base is left but dust that the session knows of, and the balance is the exchange's."""
    held = {
        name: float(one["free"]) + float(one["locked"]) - _adjusted(ledger, name)
        for name, one in ledger["balances"].items()
    }
    status = json.loads((run / "status.json").read_text())
    dust = sum(one["quantity"] for one in status["real_orders"]["dust"].values())
    cost = sum(one["cost"] for one in status["real_orders"]["dust"].values())
    base, quote = held.get("BTC", 0.0), held.get("USDT", 0.0)
    if status["positions"] or abs(base - dust) > _NOTHING:
        yield f"{base:.8f} BTC are left, and the session knows of {dust:.8f} dust and {status['positions']}"
    if abs(quote - (status["balance"] - cost)) > 1e-5:
        yield f"the exchange holds {quote:.8f} USDT, the session's balance is {status['balance']:.8f}, dust {cost:.8f}"
    if differences := status["real_orders"]["differences"]:
        yield f"the session ended with differences: {differences}"


def _adjusted(ledger: Mapping[str, Any], asset: str) -> float:
    return sum(float(one["amount"]) for one in ledger["adjustments"] if one["asset"] == asset)


def replay_problem(run: Path, folder: Path) -> str:
    """Whether the tape gives the same trade log, and each digest."""
    words = ("--mode", "backtest", "--tape", str(run), "--out", str(folder), "--no-report")
    done = subprocess.run(
        [sys.executable, "-m", "app", *words], cwd=PROJECT, capture_output=True, text=True, timeout=PATIENCE_S,
        check=False,
    )  # fmt: skip
    if done.returncode:
        return f"the tape does not replay: exit status {done.returncode}: {done.stderr[-600:]}"
    same = _log_path(run).read_bytes() == _log_path(folder).read_bytes()
    return "" if same else "the tape gives another trade log than the session"


def reconcile_problem(run: Path, url: str, environment: dict[str, str]) -> str:
    """Whether `reconcile`, asked while the exchange is there, finds a difference."""
    done = subprocess.run(
        [sys.executable, "-m", "app", "reconcile", str(run), "--exchange-url", url], cwd=PROJECT, env=environment,
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    return f"reconcile: {done.stdout[-600:]}{done.stderr[-300:]}" if done.returncode else ""


def unprotected_s(ledger: Mapping[str, Any], down: list[tuple[float, float]]) -> float:
    """The longest time that something bought lay at the exchange without a stop, in real seconds of the exchange; the
    time that no session ran is not counted.
    """
    held, longest_s, since_s = 0.0, 0.0, None
    stops: dict[str, float] = {}
    for entry in [*ledger["events"], {"real_s": ledger["real_s"], "event": {}}]:
        now_s, event = entry["real_s"], entry["event"]
        if since_s is not None:
            off_s = sum(max(0.0, min(now_s, end) - max(since_s, begin)) for begin, end in down)
            longest_s = max(longest_s, now_s - since_s - off_s)
        if event.get("e") == "executionReport":
            sign = 1.0 if event["S"] == "BUY" else -1.0
            held += sign * float(event["l"])
            held -= float(event["n"]) if event["N"] == "BTC" else 0.0
            if event["o"] in _STOPS:
                name = event["C"] or event["c"]
                left = float(event["q"]) - float(event["z"])
                stops[name] = 0.0 if event["X"] in _ENDED else left
        is_bare = held - sum(stops.values()) > max(_STEP, held * 0.002)
        since_s = (now_s if since_s is None else since_s) if is_bare else None
    return longest_s


def _trade_log(run: Path) -> list[dict[str, str]]:
    with _log_path(run).open() as file:
        return list(csv.DictReader(file))


def _log_path(run: Path) -> Path:
    results = json.loads((run / "results.json").read_text())
    return run / str(results["files"]["trades"])
