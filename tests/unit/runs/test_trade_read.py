"""Trades of a log: joined, and as far as the log goes."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.models.orders import Reason, Side
from app.runs.trade_log import COLUMNS, TradeLog
from app.runs.trade_read import Trade, exits_inside, read_trades
from tests.made import MINUTE_MS, fill

OPEN = {"opens": True, "price": 100.0, "realized_pnl": 0.0, "reason": Reason.SIGNAL, "time_ms": MINUTE_MS}
CLOSE = {"time_ms": 3 * MINUTE_MS, "mae": 4.0, "mfe": 25.0}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    written = TradeLog(tmp_path / "log.csv")
    for changes in (OPEN, {**OPEN, "trade_id": 2, "side": Side.SHORT, "stop": 110.0, "target": 90.0}, CLOSE):
        written.write(fill(**changes))
    written.close()
    return written.path


def test_an_entry_is_joined_with_its_exit(log: Path) -> None:
    content = read_trades(log)
    first, second = content.trades
    assert first == Trade(1, "BTC/USDT", 1, MINUTE_MS, 100.0, 2.0, 90.0, 110.0, "", 3 * MINUTE_MS, 110.0, 20.0,
                          "take_profit", 4.0, 25.0, False)  # fmt: skip
    assert (second.exit_ms, second.pnl, second.side) == (None, None, -1)
    assert (first.risk, first.pnl_r, first.mae_r, first.mfe_r) == (20.0, 1.0, 0.2, 1.25)
    assert content.problems == []


def test_a_stop_on_the_winning_side_has_no_risk(log: Path) -> None:
    trade = read_trades(log).trades[0]
    assert replace(trade, stop=101.0).risk is None
    assert replace(trade, stop=None).pnl_r is None


@pytest.mark.parametrize("kept", [1, 2, 3, 40])
def test_a_log_cut_in_a_line_gives_what_comes_before_it(log: Path, kept: int) -> None:
    text = log.read_text()
    log.write_text(text[:-kept])
    content = read_trades(log)
    assert len(content.trades) == 2 and content.trades[0].exit_ms is None
    assert content.problems == ["The trade log log.csv is not whole: line 4 was cut. The 2 fills before it are shown."]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("a,b", "line 4 has 2 of 23 columns"),
        ("1970-01-01T00:03:00.000Z" + ",x" * 22, "line 4 holds what is no number or time"),
    ],
)
def test_a_line_that_is_none_ends_the_reading(log: Path, line: str, why: str) -> None:
    lines = log.read_text().splitlines()
    log.write_text("\n".join([*lines[:3], line, lines[3], ""]))
    assert len(COLUMNS) == 23
    assert why in read_trades(log).problems[0]
    assert read_trades(log).trades[0].exit_ms is None


def test_a_close_without_its_open(log: Path) -> None:
    lines = log.read_text().splitlines()
    log.write_text("\n".join([lines[0], lines[3], ""]))
    assert "closes a trade that it does not open" in read_trades(log).problems[0]


def test_an_older_log_has_no_excursions(log: Path) -> None:
    lines = [line.rsplit(",", 4)[0] for line in log.read_text().splitlines()]
    log.write_text("\n".join([*lines, ""]))
    trade = read_trades(log).trades[0]
    assert (trade.pnl, trade.mae, trade.mfe_r) == (20.0, None, None)


def test_a_file_that_is_no_trade_log(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("timestamp,symbol\n")
    content = read_trades(tmp_path / "x.csv")
    assert "has no column action, side" in content.problems[0]
    assert "cannot be read" in read_trades(tmp_path / "none.csv").problems[0]


@pytest.mark.parametrize(
    ("reason", "price", "inside"),
    [
        ("take_profit", 110.0, True),
        ("take_profit", 111.0, False),  # beyond it at the open
        ("stop_loss", 90.0 * 0.999, True),
        ("stop_loss", 88.0 * 0.999, False),  # a gap
        ("end_of_data", 100.0, True),
        ("signal_exit", 100.0, False),
    ],
)
def test_which_candle_an_exit_belongs_to(log: Path, reason: str, price: float, inside: bool) -> None:
    trade = replace(read_trades(log).trades[0], reason=reason, exit_price=price)
    assert exits_inside(trade, 0.001, at_close=False) is inside
    market = reason in ("signal_exit", "end_of_data")
    assert exits_inside(trade, 0.001, at_close=True) is (inside or market)
