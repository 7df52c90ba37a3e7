"""Trades of a log: joined, and as far as the log goes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.models.orders import Reason, Side
from app.runs.fill_columns import COLUMNS
from app.runs.trade_log import TradeLog
from app.runs.trade_read import TradeLogContent, read_trades
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


def exits(content: TradeLogContent) -> list[bool]:
    closed: list[bool] = content.trades.is_closed.tolist()
    return closed


def test_an_entry_is_joined_with_its_exit(log: Path) -> None:
    content = read_trades(log)
    trades, entry = content.trades, content.trades.entry
    first: list[Any] = [entry.trade_id[0], entry.sign[0], entry.time_ms[0], entry.price[0], entry.quantity[0]]
    assert first == [1, 1, MINUTE_MS, 100.0, 2.0] and trades.symbols == ["BTC/USDT"]
    assert (entry.stop[0], entry.target[0], entry.tag.names) == (90.0, 110.0, [""])
    assert (trades.exit.time_ms[0], trades.exit_price[0], trades.pnl[0]) == (3 * MINUTE_MS, 110.0, 20.0)
    assert trades.reasons == ["take_profit", ""] and (trades.mae[0], trades.mfe[0]) == (4.0, 25.0)
    assert exits(content) == [True, False] and entry.sign[1] == -1
    assert np.isnan([trades.exit_price[1], trades.pnl[1], trades.mae[1], trades.mfe[1]]).all()
    assert (trades.risk[0], trades.pnl[0] / trades.risk[0]) == (20.0, 1.0)
    assert content.problems == []


def test_a_stop_on_the_winning_side_has_no_risk(log: Path) -> None:
    trades = read_trades(log).trades
    for stop in (101.0, np.nan):
        assert np.isnan(replace(trades, entry=replace(trades.entry, stop=np.full(2, stop))).risk[0])


@pytest.mark.parametrize("kept", [1, 2, 3, 40])
def test_a_log_cut_in_a_line_gives_what_comes_before_it(log: Path, kept: int) -> None:
    text = log.read_text()
    log.write_text(text[:-kept])
    content = read_trades(log)
    assert len(content.trades) == 2 and exits(content) == [False, False]
    assert content.problems == ["The trade log log.csv is not whole: line 4 was cut. The 2 fills before it are shown."]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("a,b", "line 4 has 2 of 24 columns"),
        ("1970-01-01T00:03:00.000Z" + ",x" * 23, "line 4 holds what is no number or time"),
    ],
)
def test_a_line_that_is_none_ends_the_reading(log: Path, line: str, why: str) -> None:
    lines = log.read_text().splitlines()
    log.write_text("\n".join([*lines[:3], line, lines[3], ""]))
    assert len(COLUMNS) == 24
    assert why in read_trades(log).problems[0]
    assert exits(read_trades(log)) == [False, False]


def test_a_close_without_its_open(log: Path) -> None:
    lines = log.read_text().splitlines()
    log.write_text("\n".join([lines[0], lines[3], ""]))
    assert "closes a trade that it does not open" in read_trades(log).problems[0]


def test_an_older_log_has_no_excursions(log: Path) -> None:
    lines = [line.rsplit(",", 4)[0] for line in log.read_text().splitlines()]
    log.write_text("\n".join([*lines, ""]))
    trades = read_trades(log).trades
    assert trades.pnl[0] == 20.0 and np.isnan([trades.mae[0], trades.mfe[0]]).all()


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
    text = log.read_text().replace("CLOSE,LONG,110.0", f"CLOSE,LONG,{price!r}")
    log.write_text(text.replace("take_profit,1", f"{reason},1"))
    trades = read_trades(log).trades
    assert trades.reasons == [reason, ""] and trades.exit_price[0] == price
    assert trades.exits_inside(0.001, at_close=False).tolist() == [inside, False]
    market = reason in ("signal_exit", "end_of_data")
    assert trades.exits_inside(0.001, at_close=True).tolist() == [inside or market, False]


def test_rows_beyond_a_block_and_a_fault_in_a_later_one(log: Path) -> None:
    lines = log.read_text().splitlines(keepends=True)
    many = [lines[1].replace(",signal,1,", f",signal,{number},") for number in range(3, 2_503)]
    log.write_text("".join([*lines, *many]))
    assert len(read_trades(log).trades) == 2_502 and read_trades(log).problems == []
    log.write_text("".join([*lines, *many[:2_000], many[2_000].replace("LONG,100.0", "LONG,x"), *many[2_001:]]))
    content = read_trades(log)
    assert content.fills == 2_003 and "line 2005 holds what is no number or time" in content.problems[0]
