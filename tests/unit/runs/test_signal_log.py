"""One row a signal, with its order where it became one."""

import csv
from pathlib import Path

from app.models.orders import Action, CloseOrder, Decision, Reason, Refusal
from app.runs.signal_log import COLUMNS, SignalLog
from tests.made import BTC, MINUTE_MS, entry


def test_rows_read_back_to_what_was_decided(tmp_path: Path) -> None:
    log = SignalLog(tmp_path / "signals.csv")
    order = entry(quantity=0.1 + 0.2, tag="a,b")
    log.write(Decision(MINUTE_MS, BTC, Action.LONG, "order", order, "a,b"))
    log.write(Decision(2 * MINUTE_MS, BTC, Action.SHORT, Refusal.POSITION_OPEN, None, ""))
    log.write(Decision(3 * MINUTE_MS, BTC, Action.EXIT, "exit_ordered", CloseOrder(7, BTC, Reason.SIGNAL_EXIT, 0), ""))
    log.close()
    with (tmp_path / "signals.csv").open(newline="") as file:
        opened, refused, exited = csv.DictReader(file)
    assert tuple(opened) == COLUMNS
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
