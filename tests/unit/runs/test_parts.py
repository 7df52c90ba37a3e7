"""A trade whose entry was filled in parts, as an exchange does: one trade, at the mean price, with what all parts cost.

And a trade whose rest was too small to be sold: nothing closed it, and it is over all the same.
"""

from pathlib import Path

import numpy as np
import pytest

from app.models.orders import Fill, Reason, Side
from app.runs.daily import EquitySeries
from app.runs.fill_columns import fills_of
from app.runs.frames import closed_trades_frame
from app.runs.metrics import RunFiles, run_metrics
from app.runs.tally import Tally
from app.runs.trade_log import TradeLog
from app.runs.trade_read import read_trades, trade_table
from app.runs.trade_stats import r_multiples
from app.runs.trade_table import trades_of
from tests.made import BTC, MINUTE_MS, fill

FIRST = {"trade_id": 1, "side": Side.LONG, "stop": 90.0, "target": 130.0}
SECOND = {"trade_id": 2, "side": Side.LONG, "stop": 90.0, "target": 130.0, "strategy": "other"}
OPEN = {"opens": True, "reason": Reason.SIGNAL, "realized_pnl": 0.0}
# A part of the first, the second, and the rest of the first: 1 at 100 and 3 at 104, so 4 at 103.
FILLS = [
    fill(**FIRST, **OPEN, time_ms=MINUTE_MS + 200, price=100.0, quantity=1.0, commission=0.1, slippage=0.0),
    fill(**SECOND, **OPEN, time_ms=MINUTE_MS + 300, price=50.0, quantity=2.0, commission=0.1, slippage=0.0),
    fill(**FIRST, **OPEN, time_ms=MINUTE_MS + 400, price=104.0, quantity=3.0, commission=0.312, slippage=0.5),
    # 4 * (110 - 103) - 0.412 - 0.44
    fill(**FIRST, opens=False, reason=Reason.TAKE_PROFIT, time_ms=3 * MINUTE_MS, price=110.0, quantity=4.0,
         commission=0.44, slippage=0.0, realized_pnl=27.148, mae=12.0, mfe=28.0),
]  # fmt: skip


def test_parts_of_an_entry_are_one_entry_at_the_mean() -> None:
    table = trade_table(fills_of(FILLS))
    assert len(table) == 2
    assert table.entry.trade_id.tolist() == [1, 2]
    assert table.is_closed.tolist() == [True, False]
    assert table.entry.price.tolist() == pytest.approx([103.0, 50.0])
    assert table.entry.quantity.tolist() == [4.0, 2.0]
    assert table.entry.commission.tolist() == pytest.approx([0.412, 0.1])
    assert table.entry.slippage.tolist() == [0.5, 0.0]
    assert table.entry.time_ms.tolist() == [MINUTE_MS + 200, MINUTE_MS + 300]
    assert table.risk[0] == pytest.approx(4.0 * 13.0)


def test_every_reader_counts_it_once(tmp_path: Path) -> None:
    log = TradeLog(tmp_path / "trades.csv")
    for one in FILLS:
        log.write(one)
    log.close()
    content = read_trades(log.path)
    assert (len(content.trades), content.fills, content.problems) == (2, 4, [])
    trades = trades_of(fills_of(FILLS), log.path)
    assert len(trades) == 1
    assert trades.entry.price.tolist() == pytest.approx([103.0])
    assert trades.costs.tolist() == pytest.approx([0.412 + 0.44 + 0.5])
    assert r_multiples(trades)[0] == pytest.approx(27.148 / 52.0)
    frame = closed_trades_frame(log.path)
    assert frame["entry_price"].tolist() == pytest.approx([103.0])
    assert frame["quantity"].tolist() == [4.0]


def test_the_tally_counts_trades_and_not_their_parts() -> None:
    tally = Tally((BTC,), ("main", "other"))
    for one in FILLS:
        tally.add(one)
    assert tally.opened == 2
    assert tally.total.trades == 1
    assert tally.commission == pytest.approx(0.1 + 0.1 + 0.312 + 0.44)


def test_exposure_knows_each_open_trade_once() -> None:
    times = np.array([MINUTE_MS * n for n in range(1, 5)])
    equity = EquitySeries(times, np.full(4, 1_000.0))
    found = [
        run_metrics(RunFiles(fills_of(fills), equity, 1_000.0, 1_000.0, MINUTE_MS, [BTC], {BTC: 1.0}, {BTC: 1.0}))
        for fills in (FILLS[:3], FILLS[:2])
    ]
    assert found[0].performance["exposure_pct"] == found[1].performance["exposure_pct"]


def written_off(*more: Fill) -> list[Fill]:
    """2 bought, 1.9 sold in part; the rest of 0.1 is too little for an order."""
    return [
        fill(**FIRST, **OPEN, time_ms=MINUTE_MS, price=100.0, quantity=2.0, commission=0.2, slippage=0.0),
        fill(**FIRST, opens=False, reason=Reason.PARTIAL_FILL, time_ms=2 * MINUTE_MS, price=110.0, quantity=1.9,
             commission=0.2, slippage=0.0, realized_pnl=18.6, mae=0.0, mfe=19.0),
        *more,
    ]  # fmt: skip


def test_a_trade_whose_rest_was_written_off_is_over_once_its_line_goes_on() -> None:
    """A line has one position: the next entry proves that the one before is none any more."""
    alone = trades_of(fills_of(written_off()), Path("trades"))
    assert len(alone) == 0
    assert alone.kept_legs.realized_pnl.tolist() == [18.6]
    following = fill(
        **{**FIRST, "trade_id": 2}, **OPEN, time_ms=3 * MINUTE_MS, price=100.0, quantity=1.0, commission=0.1,
        slippage=0.0,
    )  # fmt: skip
    fills = fills_of(written_off(following))
    assert trades_of(fills, Path("trades")).pnl.tolist() == [18.6]
    assert trade_table(fills).is_closed.tolist() == [True, False]
    elsewhere = fill(
        **SECOND, **OPEN, time_ms=3 * MINUTE_MS, price=100.0, quantity=1.0, commission=0.1, slippage=0.0
    )  # fmt: skip
    assert len(trades_of(fills_of(written_off(elsewhere)), Path("trades"))) == 0
