"""Ratios: vectors worked out by hand, thirty days, and None wherever a ratio has nothing to stand on."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.runs import ratios
from app.runs.daily import EquityPath
from app.runs.ratios import monthly, risk_ratios
from app.times import DAY_MS

GOLDEN = json.loads((Path(__file__).parents[2] / "golden/metrics/five_days.json").read_text())
ANNUAL = ("cagr_pct", "sharpe", "sortino", "calmar", "volatility_pct")
OF_A_DISTRIBUTION = ("omega", "var_95_pct", "cvar_95_pct", "skew", "kurtosis")


def path_of(*marks: float, max_drawdown: float = 0.0, start_ms: int = 0) -> EquityPath:
    times = np.arange(len(marks), dtype=np.int64) * DAY_MS + start_ms
    return EquityPath(times, np.array(marks, np.float64), max_drawdown, 0, 0)


def walk(days: int, seed: int = 1) -> EquityPath:
    growth = 1.0 + np.random.default_rng(seed).normal(0.001, 0.02, days)
    return path_of(1_000.0, *(1_000.0 * np.cumprod(growth)), max_drawdown=0.1)


@pytest.mark.parametrize("name", GOLDEN["expected"])
def test_by_hand(name: str) -> None:
    path = path_of(*GOLDEN["marks"])
    formula: Callable[[object], float] = getattr(ratios, name)
    found = formula(path.marks if name == "ulcer_index" else path.returns)
    assert found == pytest.approx(GOLDEN["expected"][name][0], rel=1e-12)


def test_growth_is_on_years_of_365_and_a_quarter_days() -> None:
    doubled = path_of(100.0, *([200.0] * 1461))  # four years
    assert ratios.cagr(doubled) == pytest.approx(2.0**0.25 - 1.0)
    halved = risk_ratios(path_of(100.0, *([50.0] * 1461), max_drawdown=0.5))
    assert halved["cagr_pct"] == pytest.approx(100.0 * (0.5**0.25 - 1.0))
    assert halved["calmar"] == pytest.approx((0.5**0.25 - 1.0) / 0.5)


def test_percent_and_signs() -> None:
    own, path = risk_ratios(walk(400)), walk(400)
    assert path.returns is not None
    assert own["var_95_pct"] == pytest.approx(-100.0 * np.quantile(path.returns, 0.05))
    assert (own["cvar_95_pct"] or 0.0) > (own["var_95_pct"] or 0.0) > 0.0
    assert own["best_day_pct"] == pytest.approx(100.0 * path.returns.max())
    assert own["worst_day_pct"] == pytest.approx(100.0 * path.returns.min())


def test_the_worst_twentieth_of_twenty_days_is_one_day() -> None:
    returns = np.linspace(-0.20, 0.18, 20)
    assert ratios.conditional_value_at_risk(returns) == pytest.approx(0.20)
    assert ratios.conditional_value_at_risk(np.append(returns, 0.5)) == pytest.approx(0.19)


def test_fewer_than_thirty_days_have_no_year() -> None:
    short, enough = risk_ratios(walk(29)), risk_ratios(walk(30))
    assert short["days"] == 29.0
    assert [name for name in (*ANNUAL, *OF_A_DISTRIBUTION) if short[name] is not None] == []
    assert [name for name in (*ANNUAL, *OF_A_DISTRIBUTION) if enough[name] is None] == []
    assert short["ulcer_index"] is not None
    assert short["best_day_pct"] is not None


def test_flat_equity_has_no_ratio_and_no_warning() -> None:
    own = risk_ratios(path_of(*([100.0] * 40)))
    assert own["cagr_pct"] == 0.0
    assert own["volatility_pct"] == 0.0
    assert [own[name] for name in ("sharpe", "sortino", "calmar", "omega", "skew", "kurtosis")] == [None] * 6


def test_steady_growth_has_no_spread() -> None:
    steady = risk_ratios(path_of(*(100.0 * 1.01**day for day in range(40))))
    assert (steady["sharpe"], steady["skew"], steady["volatility_pct"]) == (None, None, 0.0)
    assert steady["sortino"] is None
    assert steady["omega"] is None


@pytest.mark.parametrize("end", [0.0, -20.0])
def test_nothing_left_is_null_where_it_must_be(end: float) -> None:
    own = risk_ratios(path_of(*([100.0] * 35), end, max_drawdown=1.2))
    undefined = (*ANNUAL, *OF_A_DISTRIBUTION, "best_day_pct", "worst_day_pct")
    assert [name for name in undefined if own[name] is not None] == []
    assert own["ulcer_index"] is not None


def test_a_run_of_one_mark() -> None:
    own = risk_ratios(path_of(100.0))
    assert own.pop("days") == 0.0
    assert own.pop("longest_drawdown_days") == 0.0
    assert set(own.values()) == {None}


def test_months_are_those_of_the_calendar() -> None:
    start_ms = 1_743_292_800_000  # 2025-03-30
    assert monthly(path_of(100.0, 101.0, 110.0, 99.0, start_ms=start_ms)) == [
        {"month": "2025-03", "return_pct": pytest.approx(10.0), "pnl": 10.0},  # the mark of 04-01 00:00 is March's
        {"month": "2025-04", "return_pct": pytest.approx(-10.0), "pnl": -11.0},
    ]
    assert monthly(path_of(100.0)) == []


def test_months_after_ruin_have_no_return() -> None:
    table = monthly(path_of(100.0, *([0.0] * 40)))
    assert [(row["month"], row["return_pct"]) for row in table] == [("1970-01", -100.0), ("1970-02", None)]
