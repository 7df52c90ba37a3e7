"""The front of the metrics: files in, blocks out; buy and hold, the halt, groups, and files with next to nothing."""

import json
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from app.models.orders import Reason, Side
from app.runs import metrics
from app.runs.equity import EquityLog
from app.runs.metrics import RunFiles, RunMetrics, buy_and_hold, run_metrics
from tests.made import BTC, ETH
from tests.made_trades import HOUR_MS, Made, write_log

DAY = 24 * HOUR_MS
RATES: dict[str, Any] = {"commission": 0.001, "slippage": 0.0005}


def files(folder: Path, *made: Made, rows: dict[int, float] | None = None, **changes: Any) -> RunFiles:
    """`rows`: equity by the hour of the close."""
    log = EquityLog(folder / "equity.parquet", 1_000.0)
    hours = rows or {}
    log.append([hour * HOUR_MS for hour in hours], list(hours.values()), [1_000.0] * len(hours))
    log.finish()
    own = RunFiles(
        trades=write_log(folder / "trades.csv", *made),
        equity=log.path,
        starting_balance=1_000.0,
        final_equity=list(hours.values())[-1] if hours else 1_000.0,
        start_ms=0,
        symbols=(BTC, ETH),
        first_opens={BTC: 100.0, ETH: 10.0},
        last_closes={BTC: 150.0, ETH: 9.0},
    )
    return replace(own, **changes)


def strict(own: RunFiles) -> RunMetrics:
    """No warning, and nothing that JSON could not hold."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = run_metrics(own)
    json.dumps(asdict(found), allow_nan=False)
    return found


TRADES = (
    Made(exit=110.0, closed_ms=2 * HOUR_MS, tag="a", **RATES),
    Made(exit=90.0, opened_ms=3 * HOUR_MS, closed_ms=5 * HOUR_MS, reason=Reason.STOP_LOSS, side=Side.SHORT, stop=110.0,
         target=80.0, symbol=ETH, tag="b", **RATES),
    Made(exit=95.0, opened_ms=6 * HOUR_MS, closed_ms=7 * HOUR_MS, reason=Reason.STOP_LOSS, tag="a", **RATES),
)  # fmt: skip


def test_blocks_and_groups(tmp_path: Path) -> None:
    found = strict(files(tmp_path, *TRADES, rows={2: 1_010.0, 5: 1_020.0, 10: 1_014.0}))
    pnls = [made.pnl for made in TRADES]
    assert found.performance["expectancy"] == pytest.approx(sum(pnls) / 3)
    assert found.performance["exposure_pct"] == pytest.approx(50.0)
    assert found.performance["turnover"] == pytest.approx(sum(made.entry_price + made.exit_price for made in TRADES))
    assert found.performance["turnover_times"] == pytest.approx(found.performance["turnover"] / 1_007.0)
    assert found.performance["longest_drawdown_days"] == pytest.approx(5 / 24)
    assert found.performance["time_under_water_pct"] == pytest.approx(50.0)
    assert found.long["expectancy"] == pytest.approx((pnls[0] + pnls[2]) / 2)
    assert found.short["best_trade"] == pytest.approx(pnls[1])
    assert found.per_symbol[ETH] == found.short
    assert found.per_reason["stop_loss"]["expectancy"] == pytest.approx((pnls[1] + pnls[2]) / 2)
    assert list(found.per_tag) == ["a", "b"]
    assert found.per_tag["a"]["total_trades"] == 2
    assert found.per_tag["a"]["win_rate"] == 50.0
    assert found.per_tag["a"]["realized_pnl"] == pytest.approx(pnls[0] + pnls[2])
    assert found.tags_left_out == 0
    assert found.monthly == [{"month": "1970-01", "return_pct": pytest.approx(1.4), "pnl": 14.0}]
    assert found.to_halt is None


def test_costs_and_their_share_of_what_was_gained_before_them(tmp_path: Path) -> None:
    own = files(tmp_path, *TRADES, rows={10: 1_014.0})
    found = strict(own).costs
    paid = sum(before - made.pnl for made, before in zip(TRADES, (10.0, 10.0, -5.0), strict=True))
    assert found["gross_profit_before_costs"] == pytest.approx(20.0)
    assert found["share_of_gross_profit_pct"] == pytest.approx(100.0 * paid / 20.0)
    assert found["turnover_bps"] == pytest.approx(15.0, rel=1e-3)


def test_buy_and_hold_is_equal_parts_without_costs(tmp_path: Path) -> None:
    found = strict(files(tmp_path)).buy_and_hold
    assert found is not None
    assert found["return_pct"] == pytest.approx((50.0 - 10.0) / 2)
    assert found["final_equity"] == pytest.approx(1_200.0)
    assert found["per_symbol"] == {BTC: pytest.approx(50.0), ETH: pytest.approx(-10.0)}


def test_buy_and_hold_of_what_cannot_be_held() -> None:
    assert buy_and_hold({}, {BTC: 1.0}, 1_000.0) is None
    assert buy_and_hold({BTC: 0.0}, {BTC: 1.0}, 1_000.0) is None
    late = buy_and_hold({BTC: 100.0}, {BTC: 50.0, ETH: 9.0}, 1_000.0)
    assert late is not None
    assert late["per_symbol"] == {BTC: -50.0}


def test_to_the_halt(tmp_path: Path) -> None:
    closing = Made(exit=80.0, opened_ms=6 * HOUR_MS, closed_ms=8 * HOUR_MS, reason=Reason.KILL_SWITCH)
    after = Made(exit=120.0, opened_ms=20 * HOUR_MS, closed_ms=21 * HOUR_MS)
    rows = {2: 1_010.0, 7: 900.0, 8: 880.0, 30: 920.0, 50: 1_100.0}
    found = strict(files(tmp_path, TRADES[0], closing, after, rows=rows, tripped_ms=7 * HOUR_MS)).to_halt
    assert found is not None
    assert found["time"] == "1970-01-01T07:00:00.000Z"
    assert (found["final_equity"], found["total_return_pct"]) == (900.0, pytest.approx(-10.0))
    assert found["max_drawdown_pct"] == pytest.approx(100.0 * (1.0 - 900.0 / 1_010.0))
    assert (found["total_trades"], found["winning_trades"], found["losing_trades"]) == (2, 1, 1)
    assert found["realized_pnl"] == pytest.approx(TRADES[0].pnl + closing.pnl)
    assert found["turnover"] == pytest.approx(TRADES[0].entry_price + TRADES[0].exit_price + 180.0)
    assert found["days"] == pytest.approx(7 / 24)


def test_a_halt_before_the_first_row(tmp_path: Path) -> None:
    found = strict(files(tmp_path, rows={5: 1_000.0}, tripped_ms=0)).to_halt
    assert found is not None
    assert (found["final_equity"], found["total_trades"], found["win_rate"]) == (1_000.0, 0, None)


def test_many_tags_are_cut_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "TAGS_LISTED", 2)
    tags = ["x", "often", "y", "often", "z"]
    made = [Made(tag=tag, opened_ms=i, closed_ms=HOUR_MS + i) for i, tag in enumerate(tags)]
    found = strict(files(tmp_path, *made, rows={5: 1_000.0}))
    assert list(found.per_tag) == ["often", "x"]
    assert found.tags_left_out == 2


@pytest.mark.parametrize(
    ("made", "rows"),
    [
        ((), {}),
        ((), {1: 1_000.0}),
        ((Made(closed_ms=HOUR_MS, opened_ms=HOUR_MS),), {1: 1_010.0}),
        ((Made(exit=None),), {1: 1_010.0}),
        ((Made(exit=1.0, stop=120.0),), {1: 500.0, 24: 0.0, 25: -5.0, 2_000: -5.0}),
        ((Made(quantity=1e-9, mae=0.0, mfe=0.0),), dict.fromkeys(range(1, 2_000), 1_000.0)),
    ],
)
def test_next_to_nothing_warns_of_nothing(tmp_path: Path, made: tuple[Made, ...], rows: dict[int, float]) -> None:
    strict(files(tmp_path, *made, rows=rows, tripped_ms=HOUR_MS))


def test_a_position_still_open_counts_as_exposure(tmp_path: Path) -> None:
    found = strict(files(tmp_path, Made(exit=None, opened_ms=6 * HOUR_MS), rows={8: 1_000.0}))
    assert found.performance["exposure_pct"] == pytest.approx(25.0)
