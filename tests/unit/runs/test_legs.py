"""A trade whose legs left before it counts once, with the money of all its rows. Every figure is worked out by hand.

Three trades on one symbol. 1: strategy `up`, long of 4 from 100, two legs and a stop that followed. 2: strategy `down`,
short of 2 at the same time, stopped. 3: strategy `up`, long of 2, one leg, still open at the end.
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
from app.runs.trade_table import Trades, trades_of
from app.runs.uncertainty import cost_change, optimistic_gain, turnover_before_slippage
from tests.made import BTC, MINUTE_MS, fill

UP = {"trade_id": 1, "strategy": "up", "side": Side.LONG, "target": 140.0, "tag": "first"}
DOWN = {"trade_id": 2, "strategy": "down", "side": Side.SHORT, "stop": 110.0, "target": 80.0, "tag": "second"}
LATER = {"trade_id": 3, "strategy": "up", "side": Side.LONG, "stop": 90.0, "target": 140.0, "tag": "first"}
LEG = {"opens": False, "reason": Reason.PARTIAL_TARGET}

# Commission 0.1 %, of a limit 0.05 %; slippage 1 % of what is no limit.
FILLS = [
    # A limit entry that was met: no slippage, the maker's rate.
    fill(
        **UP, time_ms=MINUTE_MS, opens=True, price=100.0, quantity=4.0, stop=90.0, commission=0.2, slippage=0.0,
        realized_pnl=0.0, reason=Reason.SIGNAL, candle_volume=100.0,
    ),
    fill(
        **DOWN, time_ms=MINUTE_MS, opens=True, price=99.0, quantity=2.0, commission=0.198, slippage=2.0,
        realized_pnl=0.0, reason=Reason.SIGNAL, candle_volume=150.0,
    ),
    # 1 * (110 - 100) - 0.2 / 4 - 0.055
    fill(
        **UP, **LEG, time_ms=3 * MINUTE_MS, price=110.0, quantity=1.0, stop=90.0, commission=0.055, slippage=0.0,
        realized_pnl=9.895, mae=2.0, mfe=10.0,
    ),
    # -2 * (111.1 - 99) - 0.198 - 0.2222
    fill(
        **DOWN, time_ms=3 * MINUTE_MS, opens=False, price=111.1, quantity=2.0, commission=0.2222, slippage=2.2,
        realized_pnl=-24.6202, reason=Reason.STOP_LOSS, mae=24.2, mfe=4.0,
    ),
    # 2 * (120 - 100) - 0.1 - 0.12
    fill(
        **UP, **LEG, time_ms=4 * MINUTE_MS, price=120.0, quantity=2.0, stop=105.0, commission=0.12, slippage=0.0,
        realized_pnl=39.78, mae=4.0, mfe=40.0,
    ),
    # 1 * (113.85 - 100) - 0.05 - 0.11385: the stop had followed to 115.
    fill(
        **UP, time_ms=6 * MINUTE_MS, opens=False, price=113.85, quantity=1.0, stop=115.0, commission=0.11385,
        slippage=1.15, realized_pnl=13.68615, reason=Reason.TRAILING_STOP, both_levels=True, mae=2.0, mfe=25.0,
    ),
    fill(
        **LATER, time_ms=7 * MINUTE_MS, opens=True, price=101.0, quantity=2.0, commission=0.202, slippage=2.0,
        realized_pnl=0.0, reason=Reason.SIGNAL, candle_volume=None,
    ),
    # 1 * (112 - 101) - 0.101 - 0.056
    fill(
        **LATER, **LEG, time_ms=9 * MINUTE_MS, price=112.0, quantity=1.0, commission=0.056, slippage=0.0,
        realized_pnl=10.843, mae=1.0, mfe=11.0,
    ),
]  # fmt: skip
FIRST, SECOND, KEPT = 9.895 + 39.78 + 13.68615, -24.6202, 10.843
TOTAL = FIRST + SECOND + KEPT


@pytest.fixture
def log(tmp_path: Path) -> Path:
    written = TradeLog(tmp_path / "trades.csv")
    for one in FILLS:
        written.write(one)
    written.close()
    return written.path


def closed(fills: list[Fill] = FILLS) -> Trades:
    return trades_of(fills_of(fills), Path("trades"))


def test_a_trade_counts_once_with_the_money_of_all_its_rows() -> None:
    trades = closed()
    assert trades.exit.trade_id.tolist() == [2, 1]  # in the order in which they were over
    assert trades.pnl.tolist() == pytest.approx([SECOND, FIRST])
    assert trades.costs.tolist() == pytest.approx([0.198 + 2.0 + 0.2222 + 2.2, 0.2 + 0.055 + 0.12 + 0.11385 + 1.15])
    assert (trades.held_ms // MINUTE_MS).tolist() == [2, 5]  # until the last CLOSE
    assert [trades.exit.reason.names[code] for code in trades.exit.reason.codes] == ["stop_loss", "trailing_stop"]
    assert trades.exit.mae.tolist() == pytest.approx([24.2, 8.0])
    assert trades.exit.mfe.tolist() == pytest.approx([4.0, 75.0])
    # R stays that of the entry: 11 * 2 and 10 * 4, whatever quantity the last CLOSE had.
    assert r_multiples(trades).tolist() == pytest.approx([SECOND / 22.0, FIRST / 40.0])
    assert trades.last.realized_pnl.tolist() == [SECOND, 13.68615]
    assert trades.kept_legs.trade_id.tolist() == [3]


def test_only_some_trades_keep_their_rows_together() -> None:
    first = closed().only(np.array([False, True]))
    assert (first.entry.trade_id.tolist(), first.exit.trade_id.tolist(), first.last.trade_id.tolist()) == (
        [1],
        [1],
        [1],
    )
    assert first.pnl.tolist() == pytest.approx([FIRST])


def test_a_page_takes_a_trade_for_closed_only_when_nothing_is_left(log: Path) -> None:
    content = read_trades(log)
    trades = content.trades
    assert (content.fills, content.problems) == (8, [])
    assert trades.is_closed.tolist() == [True, True, False]
    assert trades.pnl.tolist()[:2] == pytest.approx([FIRST, SECOND])
    assert np.isnan(trades.pnl[2])
    assert np.isnan(trades.exit_price[2])
    assert trades.reasons == ["trailing_stop", "stop_loss", ""]
    assert trades.closes.trade_id.tolist() == [1, 2, 1, 1, 3]


def test_a_log_of_nothing_but_legs_has_open_trades_only() -> None:
    trades = trade_table(fills_of(FILLS[-2:]))
    assert (len(trades), trades.is_closed.tolist(), trades.reasons) == (1, [False], [""])
    assert len(closed(FILLS[-2:])) == 0


def test_exits_at_a_level_are_inside_their_candle_wherever_the_stop_had_moved() -> None:
    trades = trade_table(fills_of(FILLS))
    assert trades.exits_inside(0.01, at_close=False).tolist() == [True, True, False]  # 113.85 is 1 % below 115
    assert trades.entries_inside(0.01, at_close=False).tolist() == [True, False, False]
    assert trades.entries_inside(0.01, at_close=True).tolist() == [True, True, True]
    assert trades.entries_inside(0.0, at_close=False).tolist() == [False, False, False]


def test_a_stop_inside_the_candle_of_a_limit_is_inside_though_it_left_at_the_open() -> None:
    opened = fill(trade_id=1, time_ms=MINUTE_MS, opens=True, price=100.0, stop=90.0, slippage=0.0, reason=Reason.SIGNAL)
    out = fill(trade_id=1, time_ms=MINUTE_MS, opens=False, price=79.2, stop=90.0, slippage=0.8, reason=Reason.STOP_LOSS)
    gap = trade_table(fills_of([opened, out]))
    assert gap.exits_inside(0.01, at_close=False).tolist() == [True]
    at_open = trade_table(fills_of([fill(trade_id=1, opens=True, slippage=1.0, reason=Reason.SIGNAL), out]))
    assert at_open.exits_inside(0.01, at_close=False).tolist() == [False]


def test_the_frame_has_a_row_a_trade_with_the_quantity_of_the_entry(log: Path) -> None:
    frame = closed_trades_frame(log)
    assert frame["quantity"].tolist() == [2.0, 4.0]
    assert frame["strategy"].tolist() == ["down", "up"]
    assert frame["legs"].tolist() == [0, 2]
    assert frame["realized_pnl"].tolist() == pytest.approx([SECOND, FIRST])
    assert frame["pnl_r"].tolist() == pytest.approx([SECOND / 22.0, FIRST / 40.0])
    assert frame["exit_price"].tolist() == [111.1, 113.85]
    assert frame["commission"].tolist() == pytest.approx([0.4202, 0.48885])


def test_turnover_and_costs_are_those_of_the_rows() -> None:
    fills = fills_of(FILLS)
    # Before slippage: the limit and the legs as they are, 100 for the short's 99, 110 for 111.1, 115 for 113.85, 100.
    before = 400.0 + 200.0 + 110.0 + 220.0 + 240.0 + 115.0 + 200.0 + 112.0
    assert turnover_before_slippage(fills) == pytest.approx(before)
    # Without costs: slippage comes back on every row, commission too.
    costs = 0.2 + 0.198 + 0.055 + 0.2222 + 0.12 + 0.11385 + 0.202 + 0.056 + 2.0 + 2.2 + 1.15 + 2.0
    assert cost_change(fills, 0.0) == pytest.approx(costs)


def test_at_best_what_was_left_leaves_at_the_target_and_the_legs_stay() -> None:
    # Stopped with a limit in the same candle: 1 left, 40 of profit, less both commissions.
    best = 40.0 - 0.05 - 0.0005 * 140.0
    assert optimistic_gain(closed(), 0.0005).tolist() == pytest.approx([0.0, best - 13.68615])


def test_at_best_all_of_a_trade_leaves_at_the_target_where_the_candle_of_its_limit_is_in_doubt() -> None:
    doubtful = [fill(**{**UP, "stop": 90.0}, time_ms=MINUTE_MS, opens=True, price=100.0, quantity=4.0, commission=0.2,
                     slippage=0.0, realized_pnl=0.0, reason=Reason.SIGNAL, both_levels=True), *FILLS[1:]]  # fmt: skip
    best = 160.0 - 0.2 - 0.0005 * 140.0 * 4.0
    assert optimistic_gain(closed(doubtful), 0.0005).tolist() == pytest.approx([0.0, best - FIRST])


def metrics_of(fills: list[Fill], tripped_ms: int | None = None):  # type: ignore[no-untyped-def]
    times = np.arange(1, 11, dtype=np.int64) * MINUTE_MS
    return run_metrics(
        RunFiles(
            trades=fills_of(fills), equity=EquitySeries(times, np.full(10, 10_000.0)), starting_balance=10_000.0,
            final_equity=10_000.0 + TOTAL, start_ms=0, symbols=[BTC], first_opens={BTC: 100.0},
            last_closes={BTC: 110.0}, target_rate=0.0005, tripped_ms=tripped_ms, strategies=("up", "down", "silent"),
        )
    )  # fmt: skip


def test_the_metrics_of_a_run_with_legs() -> None:
    metrics = metrics_of(FILLS)
    own = metrics.performance
    assert own["profit_factor"] == pytest.approx(FIRST / -SECOND)
    assert own["expectancy"] == pytest.approx((FIRST + SECOND) / 2)
    assert own["average_holding_s"] == 210.0
    assert own["exposure_pct"] == pytest.approx(80.0)  # minutes 1 to 6, and 7 to the end
    assert own["turnover"] == pytest.approx(400.0 + 198.0 + 110.0 + 222.2 + 240.0 + 113.85 + 202.0 + 112.0)
    assert metrics.uncertainty["both_levels"] == 1
    assert metrics.uncertainty["over_1pct_of_volume"] == 2  # 4 of 100, 2 of 150
    assert metrics.excursions["mae_r"]["max"] == pytest.approx(24.2 / 22.0)
    assert metrics.per_reason["trailing_stop"]["expectancy"] == pytest.approx(FIRST)
    assert metrics.costs["gross_profit_before_costs"] == pytest.approx(10.0 + 40.0 + 15.0)


def test_legs_of_a_position_that_is_still_open_are_money_of_the_run() -> None:
    # By tag and up to the halt as in the totals of all: the balance moved with each leg.
    metrics = metrics_of(FILLS, tripped_ms=8 * MINUTE_MS)
    assert metrics.per_tag["first"]["realized_pnl"] == pytest.approx(FIRST + KEPT)
    assert metrics.per_tag["first"]["total_trades"] == 1
    assert metrics.to_halt is not None
    assert metrics.to_halt["realized_pnl"] == pytest.approx(TOTAL)
    assert metrics.to_halt["total_trades"] == 2


def test_two_strategies_on_one_symbol_add_up_to_the_whole() -> None:
    tally = Tally((BTC,), ("up", "down"))
    for one in FILLS:
        tally.add(one)
    assert tally.by_strategy["up"].realized_pnl == pytest.approx(FIRST + KEPT)
    assert tally.by_strategy["down"].realized_pnl == pytest.approx(SECOND)
    assert tally.total.realized_pnl == pytest.approx(TOTAL)
    assert (tally.total.trades, tally.by_strategy["up"].trades, tally.legs.trades) == (2, 1, 3)
    metrics = metrics_of(FILLS)
    assert metrics.per_strategy["up"]["expectancy"] == pytest.approx(FIRST)
    assert metrics.per_strategy["down"]["expectancy"] == pytest.approx(SECOND)
    assert metrics.per_strategy["silent"]["expectancy"] is None
    # One day of the run: nothing can be said of how two results hang together.
    assert metrics.strategy_correlation["up"] == {"up": None, "down": None, "silent": None}
