"""Statistics of trades: a vector worked out by hand, groups without either side, streaks, holding and excursions."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models.orders import Side
from app.runs.trade_stats import excursions, exposed_ms, group_statistics, kelly_pct, streaks, trade_statistics
from tests.made_trades import HOUR_MS, Made, earning, read

GOLDEN = json.loads((Path(__file__).parents[2] / "golden/metrics/eight_trades.json").read_text())


def test_by_hand(tmp_path: Path) -> None:
    _, trades = read(tmp_path, *earning(*GOLDEN["pnl"]))
    found = trade_statistics(trades)
    expected = {name: pytest.approx(value, rel=1e-12) for name, (value, _) in GOLDEN["expected"].items()}
    assert {name: found[name] for name in expected} == expected


def test_without_a_trade_everything_is_null_or_zero(tmp_path: Path) -> None:
    _, trades = read(tmp_path)
    found = trade_statistics(trades)
    zero = ("gross_profit", "gross_loss", "longest_winning_streak", "longest_losing_streak")
    assert {name for name, value in found.items() if value is not None} == set(zero)
    assert [str(found[name]) for name in zero] == ["0.0", "0.0", "0", "0"]


def test_one_trade_has_no_spread_and_no_odds(tmp_path: Path) -> None:
    _, trades = read(tmp_path, *earning(10.0))
    found = trade_statistics(trades)
    assert (found["sqn"], found["kelly_pct"], found["profit_factor"], found["payoff_ratio"]) == (None,) * 4
    assert (found["expectancy"], found["expectancy_r"], found["average_loss"]) == (10.0, 1.0, None)
    assert str(found["gross_loss"]) == "0.0"


def test_losses_only(tmp_path: Path) -> None:
    _, trades = read(tmp_path, *earning(-10.0, -5.0))
    found = group_statistics(trades)
    assert (found["profit_factor"], found["payoff_ratio"], found["average_win"]) == (0.0, None, None)
    assert kelly_pct(trades.pnl) is None


def test_trades_of_no_profit_and_no_loss(tmp_path: Path) -> None:
    _, trades = read(tmp_path, *earning(0.0, 0.0))
    found = trade_statistics(trades)
    assert (found["profit_factor"], found["kelly_pct"], found["average_loss"], found["sqn"]) == (None, None, 0.0, None)


def test_sqn_counts_at_most_a_hundred_trades(tmp_path: Path) -> None:
    _, few = read(tmp_path, *earning(*([10.0, -5.0] * 50)))
    _, many = read(tmp_path, *earning(*([10.0, -5.0] * 200)))
    spread = 0.75
    assert trade_statistics(few)["sqn"] == pytest.approx(10 * 0.25 / (spread * (100 / 99) ** 0.5))
    assert trade_statistics(many)["sqn"] == pytest.approx(10 * 0.25 / (spread * (400 / 399) ** 0.5))


def test_a_trade_that_filled_beyond_its_stop_has_no_r(tmp_path: Path) -> None:
    gap = Made(entry=80.0, exit=70.0, opened_ms=HOUR_MS, closed_ms=2 * HOUR_MS)
    _, trades = read(tmp_path, Made(exit=115.0), gap)
    found = trade_statistics(trades)
    assert (found["expectancy"], found["expectancy_r"]) == (2.5, 1.5)


def test_holding(tmp_path: Path) -> None:
    _, trades = read(tmp_path, Made(closed_ms=1_000), Made(opened_ms=500, closed_ms=500 + HOUR_MS))
    found = trade_statistics(trades)
    assert (found["average_holding_s"], found["longest_holding_s"]) == (1_800.5, 3_600.0)


@given(st.lists(st.booleans()))
def test_streaks_as_a_loop_counts_them(won: list[bool]) -> None:
    longest = {True: 0, False: 0}
    length = 0
    for i, one in enumerate(won):
        length = length + 1 if i and won[i - 1] == one else 1
        longest[one] = max(longest[one], length)
    assert streaks(np.array(won, np.bool_)) == (longest[True], longest[False])


def test_time_in_positions_counts_an_hour_of_two_positions_once(tmp_path: Path) -> None:
    _, trades = read(
        tmp_path,
        Made(opened_ms=0, closed_ms=10),
        Made(opened_ms=2, closed_ms=4),
        Made(opened_ms=8, closed_ms=15),
        Made(opened_ms=20, closed_ms=30),
    )
    none = np.array([], np.int64)
    assert exposed_ms(trades, none, 100) == 25
    assert exposed_ms(trades, np.array([28, 50], np.int64), 60) == 55
    assert exposed_ms(read(tmp_path)[1], none, 100) == 0


def test_excursions_in_currency_and_in_r(tmp_path: Path) -> None:
    _, trades = read(
        tmp_path,
        Made(mae=10.0, mfe=30.0),
        Made(mae=4.0, mfe=8.0, stop=98.0, opened_ms=1),
        Made(mae=1.0, mfe=2.0, side=Side.LONG, entry=80.0, opened_ms=2),  # beyond its stop: no R
    )
    found = excursions(trades)
    assert found["trades"] == 3
    assert found["mae"] == {"p10": 1.6, "p25": 2.5, "p50": 4.0, "p75": 7.0, "p90": 8.8, "max": 10.0}
    assert isinstance(found["mae_r"], dict)
    assert (found["mae_r"]["p50"], found["mae_r"]["max"]) == (1.5, 2.0)
    assert found["edge_ratio"] == pytest.approx((3.0 + 4.0) / (1.0 + 2.0))


def test_excursions_of_nothing(tmp_path: Path) -> None:
    found = excursions(read(tmp_path)[1])
    assert (found["trades"], found["edge_ratio"]) == (0, None)
    unscathed = excursions(read(tmp_path, Made(mae=0.0))[1])
    assert unscathed["edge_ratio"] is None
