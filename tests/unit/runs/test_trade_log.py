"""The two logs of a run: rows in their order, handed to the kernel when asked to."""

import csv
from pathlib import Path

from app.models.orders import Action, CloseOrder, Decision, Reason, Refusal
from app.runs.fill_columns import COLUMNS
from app.runs.trade_log import SIGNAL_COLUMNS, SignalLog, TradeLog
from tests.made import BTC, MINUTE_MS, entry, fill
from tests.made_trades import read_trade_log


def test_a_file_of_fills_reads_back_in_their_order(tmp_path: Path) -> None:
    log = TradeLog(tmp_path / "log.csv")
    for number in range(3):
        log.write(fill(trade_id=number, tag='x,"y"\nz'))
    assert not log.path.read_text()
    log.flush()
    assert len(log.path.read_text().splitlines()) == 7
    log.close()
    log.close()
    rows = list(read_trade_log(log.path))
    assert [row["trade_id"] for row in rows] == ["0", "1", "2"]
    assert {row["tag"] for row in rows} == {'x,"y"\nz'}
    assert b"\r" not in log.path.read_bytes()


def test_a_log_without_fills_has_its_header(tmp_path: Path) -> None:
    TradeLog(tmp_path / "log.csv").close()
    assert (tmp_path / "log.csv").read_text() == ",".join(COLUMNS) + "\n"


def test_signals_read_back_to_what_was_decided(tmp_path: Path) -> None:
    log = SignalLog(tmp_path / "signals.csv")
    order = entry(quantity=0.1 + 0.2, tag="a,b")
    log.write(Decision(MINUTE_MS, BTC, Action.LONG, "order", order, "a,b"))
    log.write(Decision(2 * MINUTE_MS, BTC, Action.SHORT, Refusal.POSITION_OPEN, None, ""))
    log.write(
        Decision(3 * MINUTE_MS, BTC, Action.EXIT, "exit_ordered", CloseOrder(7, BTC, Reason.SIGNAL_EXIT, 0, ""), "")
    )
    log.close()
    with (tmp_path / "signals.csv").open(newline="") as file:
        opened, refused, exited = csv.DictReader(file)
    assert tuple(opened) == SIGNAL_COLUMNS
    assert opened["timestamp"] == "1970-01-01T00:01:00.000Z"
    assert (opened["outcome"], opened["order_id"], opened["tag"]) == ("order", "1", "a,b")
    assert float(opened["quantity"]) == 0.1 + 0.2
    assert (opened["reference"], opened["stop"], opened["target"], opened["sized_by"]) == (
        "100.0", "90.0", "120.0", "risk_per_trade",
    )  # fmt: skip
    assert (refused["action"], refused["outcome"], refused["order_id"]) == ("SHORT", "position_open", "")
    assert (exited["action"], exited["outcome"], exited["order_id"], exited["quantity"]) == (
        "EXIT",
        "exit_ordered",
        "7",
        "",
    )
