"""What the proof of a case says of a session in which something is wrong: each defect alone is found and named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.models.events import Execution
from app.models.orders import NOT_THERE, OrderState
from app.session.journal import Journal
from tests.orders_storm.proof import problems_of, unprotected_s

HEADER = "action,quantity,price\n"
Change = Callable[[dict[str, Any], dict[str, Any], dict[str, Any], list[str]], None]


def trade(number: int, *, buys: bool) -> dict[str, Any]:
    return {"id": number, "isBuyer": buys, "qty": "2.0", "price": "100.0"}


def problems(folder: Path, change: Change, *more: Execution) -> list[str]:
    """Of a session that bought and sold, after the change; its tape has more."""
    ledger: dict[str, Any] = {
        "trades": [trade(1, buys=True), trade(2, buys=False)], "adjustments": [],
        "orders": [{"clientOrderId": "tags-1-1-e", "status": "FILLED"}],
        "balances": {"USDT": {"free": "10000", "locked": "0"}, "BTC": {"free": "0", "locked": "0"}},
    }  # fmt: skip
    log = {"requests": [{"method": "POST", "query": {"newClientOrderId": "tags-1-1-e"}}]}
    status: dict[str, Any] = {"balance": 10_000.0, "positions": [], "real_orders": {"dust": {}, "differences": []}}
    rows = ["OPEN,2.0,100.0\n", "CLOSE,2.0,100.0\n"]
    change(ledger, log, status, rows)
    journal = Journal(folder, {"mode": "live"})
    for number in (1, 2):
        fill = Execution(number, OrderState.FILLED, 1, fill_id=str(number), quantity=2.0, price=100.0, leg="e")
        journal.done(journal.write(fill), "digest")
    for event in more:
        journal.done(journal.write(event), "digest")
    journal.close()
    (folder / "status.json").write_text(json.dumps(status))
    (folder / "results.json").write_text(json.dumps({"files": {"trades": "trades.csv"}}))
    (folder / "trades.csv").write_text(HEADER + "".join(rows))
    return list(problems_of(folder, ledger, log))


def test_an_order_that_is_there_is_never_called_absent(tmp_path: Path) -> None:
    absent = Execution(1, OrderState.REFUSED, 1, why="never arrived: ...", code=NOT_THERE, leg="e")
    assert problems(tmp_path, lambda *_: None, absent) == ["called not there, and the exchange has it: 1-e"]


DEFECTS: dict[str, tuple[Change, str]] = {
    "a fill is lost": (lambda ledger, log, status, rows: ledger["trades"].append(trade(3, buys=True)), "lacks: 3"),
    "a fill is invented": (lambda ledger, log, status, rows: ledger["trades"].pop(), "does not know: 2"),
    "a fill has another price": (
        lambda ledger, log, status, rows: ledger["trades"][0].update(price="101.0"), "trade 1 is told as 2 at 100",
    ),
    "a row is doubled": (lambda ledger, log, status, rows: rows.append(rows[0]), "trade log's rows"),
    "something is left": (
        lambda ledger, log, status, rows: ledger["balances"]["BTC"].update(free="2"), "2.00000000 BTC are left",
    ),
    "money is missing": (
        lambda ledger, log, status, rows: status.update(balance=9_999.0), "the session's balance is 9999",
    ),
    "an order was placed twice": (
        lambda ledger, log, status, rows: log["requests"].append(log["requests"][0]), "more than once: tags-1-1-e",
    ),
    "an order is open": (
        lambda ledger, log, status, rows: ledger["orders"][0].update(status="NEW"), "still open: tags-1-1-e",
    ),
    "a difference is known": (
        lambda ledger, log, status, rows: status["real_orders"]["differences"].append("BTC"), "ended with differences",
    ),
}  # fmt: skip


def test_nothing_is_said_where_nothing_is_wrong(tmp_path: Path) -> None:
    assert problems(tmp_path, lambda ledger, log, status, rows: None) == []


@pytest.mark.parametrize("defect", DEFECTS)
def test_each_defect_is_named(tmp_path: Path, defect: str) -> None:
    change, said = DEFECTS[defect]
    assert said in "; ".join(problems(tmp_path, change))


def report(at_s: float, side: str, kind: str, status: str, filled: float = 0.0, name: str = "x") -> dict[str, Any]:
    event = {
        "e": "executionReport", "S": side, "o": kind, "X": status, "c": name, "C": "", "q": "2.0", "z": str(filled),
        "l": str(filled), "n": "0", "N": None,
    }  # fmt: skip
    return {"real_s": at_s, "event": event}


def test_seconds_without_a_stop_are_the_exchanges_own_and_downtime_is_left_out() -> None:
    bought, stop = report(1.0, "BUY", "MARKET", "FILLED", 2.0), report(3.0, "SELL", "STOP_LOSS", "NEW", name="s")
    gone, sold = report(4.0, "SELL", "STOP_LOSS", "CANCELED", name="s"), report(9.0, "SELL", "MARKET", "FILLED", 2.0)
    events = [bought, stop, gone, sold]
    assert unprotected_s({"events": events, "real_s": 20.0}, []) == pytest.approx(5.0)
    assert unprotected_s({"events": events, "real_s": 20.0}, [(4.5, 8.0)]) == pytest.approx(2.0)
    assert unprotected_s({"events": events[:2], "real_s": 20.0}, []) == pytest.approx(2.0)
    assert unprotected_s({"events": events[:1], "real_s": 20.0}, []) == pytest.approx(19.0)
