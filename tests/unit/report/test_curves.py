"""Lines of the page: thinned without losing a trough, and the metrics' own Sharpe."""

from collections.abc import Iterator

import numpy as np
import pytest

from app.report.curves import EquityLine, SharpeLine, curve_facts, equity_line
from app.runs.daily import EquitySeries
from app.runs.quotients import Floats, Ints
from app.runs.ratios import sharpe
from app.runs.run_on_disk import EquityCurve
from app.times import DAY_MS


def curve(values: "np.ndarray", step_ms: int = 60_000) -> EquityCurve:
    found = EquityCurve.of(EquitySeries(step_ms * (1 + np.arange(len(values))), values))
    assert found is not None
    return found


def line_of(found: EquityCurve, starting_balance: float) -> EquityLine:
    return equity_line(found, starting_balance, curve_facts(found, starting_balance, 0).rows)


def sharpe_line(found: EquityCurve, starting_balance: float, start_ms: int) -> SharpeLine:
    return curve_facts(found, starting_balance, start_ms).sharpe


@pytest.mark.parametrize("rows", [1, 100, 3_600, 3_601, 20_000])
@pytest.mark.parametrize("block", [7, 1_000])
def test_it_is_the_same_line_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch, rows: int, block: int) -> None:
    values = 1000.0 + np.cumsum(np.random.default_rng(rows).normal(size=rows))
    whole = curve(values)
    expected = line_of(whole, 1000.0)

    def in_blocks(own: EquitySeries) -> Iterator[tuple[Ints, Floats]]:
        for begin in range(0, rows, block):
            yield own.times_ms[begin : begin + block], own.equity[begin : begin + block]

    monkeypatch.setattr("app.runs.run_on_disk.equity_blocks", in_blocks)
    assert line_of(whole, 1000.0) == expected


def test_a_short_curve_is_drawn_whole() -> None:
    line = line_of(curve(np.array([90.0, 120.0, 60.0])), 100.0)
    assert line.equity == [90.0, 120.0, 60.0]
    assert line.drawdown_pct == [-10.0, 0.0, -50.0]


def test_a_long_curve_keeps_peak_trough_and_end() -> None:
    values = 1000.0 + np.cumsum(np.random.default_rng(5).normal(size=200_000))
    values[77_777], values[123_456] = 5_000.0, -200.0  # one row each; equity may go below zero
    line = line_of(curve(values), 1000.0)
    assert len(line.times_ms) < 4_000 and line.times_ms == sorted(set(line.times_ms))
    assert max(line.equity) == 5_000.0 and min(line.equity) == -200.0
    assert min(line.drawdown_pct) == -104.0
    assert line.equity[-1] == round(float(values[-1]), 4) and line.times_ms[-1] == 60_000 * 200_000


def test_a_trough_that_is_not_the_lowest_row_of_its_stretch_is_kept() -> None:
    values = np.linspace(100.0, 200_100.0, 200_000)  # it rises throughout, but for one row
    values[100_050] -= 30.0  # still above the first row of its stretch
    line = line_of(curve(values), 100.0)
    assert min(line.drawdown_pct) == round(100.0 * (values[100_050] / values[100_049] - 1.0), 4) < -0.02


def test_rolling_sharpe_is_that_of_the_metrics_over_thirty_days() -> None:
    marks = 100.0 * np.cumprod(1.0 + np.random.default_rng(2).normal(0, 0.01, 45))
    line = sharpe_line(curve(marks, DAY_MS), 100.0, 0)
    returns = np.diff(np.concatenate(([100.0], marks))) / np.concatenate(([100.0], marks[:-1]))
    assert line.times_ms == [DAY_MS * day for day in range(30, 46)]
    expected = sharpe(returns[5:35])
    assert expected is not None and line.values[5] == round(expected, 4)


def test_no_sharpe_for_a_short_run_or_a_ruined_one() -> None:
    assert sharpe_line(curve(np.full(29, 100.0) + np.arange(29), DAY_MS), 100.0, 0).values == []
    ruined = np.concatenate((np.linspace(100, -5, 40), np.full(10, 5.0)))
    assert sharpe_line(curve(ruined, DAY_MS), 100.0, 0).values == []
    assert sharpe_line(curve(np.full(60, 100.0), DAY_MS), 100.0, 0).values == []
