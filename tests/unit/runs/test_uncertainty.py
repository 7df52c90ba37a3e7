"""What the candles cannot tell: the trades in doubt, and costs made again fill by fill."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models.orders import Reason, Side
from app.runs.uncertainty import uncertainty
from tests.made_trades import HOUR_MS, Made, read

RATES: dict[str, Any] = {"commission": 0.001, "slippage": 0.0005}
STOPPED: dict[str, Any] = {"exit": 90.0, "reason": Reason.STOP_LOSS}


def block(folder: Path, *made: Made, balance: float = 1_000.0, **options: Any) -> dict[str, Any]:
    fills, trades = read(folder, *made)
    final = balance + sum(one.pnl for one in made if one.exit is not None)
    return uncertainty(fills, trades, balance, final, **options)


def in_a_row(*made: dict[str, Any]) -> list[Made]:
    return [Made(**{**one, "opened_ms": i * HOUR_MS, "closed_ms": (i + 1) * HOUR_MS}) for i, one in enumerate(made)]


def test_both_levels_in_one_candle_leave_at_the_target_at_best(tmp_path: Path) -> None:
    made = in_a_row({**STOPPED, "both_levels": True, **RATES}, {**STOPPED, **RATES}, {"exit": 120.0})
    found = block(tmp_path, *made)
    entry = 100.0 * 1.0005
    at_target = 120.0 - entry - 0.001 * (entry + 120.0)  # a limit order: no slippage
    assert (found["both_levels"], found["targets_touched"]) == (1, 0)
    assert found["pessimistic"]["final_equity"] == 1_000.0 + sum(one.pnl for one in made)
    gained = found["optimistic"]["final_equity"] - found["pessimistic"]["final_equity"]
    assert gained == pytest.approx(at_target - made[0].pnl, abs=1e-9)
    assert found["optimistic"]["total_return_pct"] == pytest.approx(found["optimistic"]["final_equity"] / 10 - 100.0)


def test_a_target_that_was_touched_counts_too_and_a_better_exit_stays(tmp_path: Path) -> None:
    touched = {"target_touched": True}
    made = in_a_row({**STOPPED, **touched}, {"exit": 125.0, **touched}, {**STOPPED, **touched, "side": Side.SHORT,
                     "exit": 110.0, "stop": 110.0, "target": 80.0})  # fmt: skip
    found = block(tmp_path, *made)
    assert found["targets_touched"] == 3
    gained = found["optimistic"]["final_equity"] - found["pessimistic"]["final_equity"]
    assert gained == pytest.approx(30.0 + 0.0 + 30.0)


def test_a_rate_for_targets(tmp_path: Path) -> None:
    made = Made(**{**STOPPED, "both_levels": True, "commission": 0.001})
    dear, cheap = (block(tmp_path, made, target_rate=rate)["optimistic"]["final_equity"] for rate in (0.001, -0.0002))
    assert dear == block(tmp_path, made)["optimistic"]["final_equity"]
    assert cheap - dear == pytest.approx(120.0 * 0.0012)


trades_drawn: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.builds(
        dict,
        exit=st.floats(50, 200),
        entry=st.floats(50, 200),
        quantity=st.floats(0.001, 10),
        side=st.sampled_from(Side),
        commission=st.sampled_from((0.0, 0.001, 0.01)),
        slippage=st.sampled_from((0.0, 0.0005, 0.01)),
    ),
    min_size=1,
    max_size=6,
)


@given(drawn=trades_drawn)
def test_costs_are_those_of_the_same_trades_made_again(drawn: list[dict[str, Any]], tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.getbasetemp()
    found = block(folder, *in_a_row(*drawn))
    for times in (0, 1, 2, 3):
        again = [{**one, "commission": one["commission"] * times, "slippage": one["slippage"] * times} for one in drawn]
        expected = 1_000.0 + sum(one.pnl for one in in_a_row(*again))
        assert found["costs"][f"{times}x"]["final_equity"] == pytest.approx(expected, abs=1e-9, rel=1e-12)


def test_one_time_the_costs_is_the_run_itself(tmp_path: Path) -> None:
    found = block(tmp_path, *in_a_row({**RATES, "exit": 111.1, "quantity": 0.3}, {**RATES, "side": Side.SHORT}))
    assert found["costs"]["1x"]["final_equity"] == pytest.approx(found["pessimistic"]["final_equity"], abs=1e-9)


def test_break_even_is_the_cost_a_side_that_eats_the_profit(tmp_path: Path) -> None:
    made = in_a_row({"exit": 103.0, **RATES}, {"exit": 99.0, **RATES})
    found = block(tmp_path, *made)
    turnover = 100.0 + 103.0 + 100.0 + 99.0
    assert found["break_even_bps"] == pytest.approx(1e4 * 2.0 / turnover)
    charged = in_a_row(*({"exit": one.exit, "commission": found["break_even_bps"] / 1e4} for one in made))
    assert sum(one.pnl for one in charged) == pytest.approx(0.0, abs=1e-9)
    assert found["actual_bps"] == pytest.approx(15.0, rel=1e-3)


def test_a_position_still_open_pays_its_entry_alone(tmp_path: Path) -> None:
    held = Made(exit=None, **RATES)
    found = block(tmp_path, held, balance=1_000.0)
    saved = found["costs"]["0x"]["final_equity"] - found["costs"]["1x"]["final_equity"]
    assert saved == pytest.approx(100.0 * 0.0005 + 100.0 * 1.0005 * 0.001)


def test_trades_above_one_percent_of_their_candle(tmp_path: Path) -> None:
    sizes: list[dict[str, Any]] = [{"candle_volume": volume} for volume in (100.0, 99.0, 1e6, None)]
    found = block(tmp_path, *in_a_row(*sizes))
    assert (found["over_1pct_of_volume"], found["volume_known"]) == (1, 3)


def test_without_a_trade(tmp_path: Path) -> None:
    found = block(tmp_path)
    assert (found["break_even_bps"], found["actual_bps"]) == (None, None)
    assert {result["final_equity"] for result in found["costs"].values()} == {1_000.0}
    assert found["optimistic"] == found["pessimistic"] == {"final_equity": 1_000.0, "total_return_pct": 0.0}
