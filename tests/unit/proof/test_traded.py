"""The trades of a run, joined with what the exchange said of each fill."""

from pathlib import Path

import pytest

from app.feeds.tape import read_tape
from app.models.orders import Side
from app.proof.traded import Entry, Key, Told, Trade, told_by, trades_of_run
from app.runs.reader import Run
from tests.live_twins import SYMBOLS, Venue, live, paper
from tests.proof_runs import rows_of


def base_when_bought(symbol: str, buys: bool) -> str:
    return symbol.partition("/")[0] if buys else "USDT"


def read(run: Path) -> tuple[dict[Key, Trade], Told]:
    told = told_by(read_tape(run).records)
    return trades_of_run(Run.open(run), told), told


def test_parts_make_one_trade_and_what_was_kept_as_the_fee_is_known(tmp_path: Path) -> None:
    run = live(tmp_path, "live", Venue(parts=3, spread_of_parts=0.001, fee_asset=base_when_bought))
    trades, _ = read(run)
    rows = rows_of(next(run.glob("live_*.csv")))
    assert len(trades) == len({row["trade_id"] for row in rows})
    for trade in trades.values():
        own = [row for row in rows if row["trade_id"] == trade.trade_id]
        assert [len(trade.entries), len(trade.exits)] == [
            sum(row["action"] == action for row in own) for action in ("OPEN", "CLOSE")
        ]
        assert len(trade.entries) == 3
        assert trade.bought == pytest.approx(sum(float(row["quantity"]) for row in own if row["action"] == "OPEN"))
        assert trade.kept_as_fee == pytest.approx(0.001 * trade.bought)
        assert set(trade.fees) == {trade.line.symbol.partition("/")[0], "USDT"}
        assert 0.0 <= trade.left < 0.001, "less than a step: dust"
        assert trade.pnl == pytest.approx(sum(float(row["realized_pnl"]) for row in own))
        commission = sum(float(row["commission"]) for row in own)
        assert trade.gross - commission == pytest.approx(trade.pnl, abs=1e-9)
        assert trade.problems == []


def test_the_entry_price_is_the_ledger_s_mean() -> None:
    trade = Trade(("main", "A/X"), 0, "1", Side.LONG, "1")  # type: ignore[arg-type]
    trade.enter(Entry(0, 100.0, 1.0, 0.9, 0.1))
    trade.enter(Entry(0, 110.0, 1.0, 1.0, 0.1))
    row = {"quantity": "1.9", "price": "120", "reason": "stop_loss", "realized_pnl": "1", "slippage": "0",
           "stop_loss": "90", "take_profit": "", "order_id": ""}  # fmt: skip
    trade.leave(row, 5)
    assert trade.exits[0].entry_price == pytest.approx((90.0 + 110.0) / 1.9)
    assert trade.left == pytest.approx(0.0)


def test_an_exit_in_parts_has_the_reason_of_its_last(tmp_path: Path) -> None:
    trades, _ = read(live(tmp_path, "live", Venue(parts=2)))
    reasons = {one.reason for trade in trades.values() for one in trade.exits}
    assert "partial_fill" not in reasons
    assert {"stop_loss", "take_profit"} <= reasons


def test_a_fill_that_was_told_twice_is_there_once(tmp_path: Path) -> None:
    records = list(read_tape(live(tmp_path, "live", Venue())).records)
    once, twice = told_by(records), told_by([*records, *records])
    assert {key: len(fills) for key, fills in once.fills.items()} == {
        key: len(fills) for key, fills in twice.fills.items()
    }


def test_on_paper_nothing_is_kept_as_a_fee(tmp_path: Path) -> None:
    trades = trades_of_run(Run.open(paper(tmp_path, "paper")), None)
    assert {trade.line.symbol for trade in trades.values()} == set(SYMBOLS)
    assert all(trade.kept_as_fee == 0.0 and trade.ordered == trade.bought for trade in trades.values())
