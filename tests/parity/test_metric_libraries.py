"""The metrics against quantstats and empyrical wherever they define the same: 1e-9 on several vectors.

Where they define something else, docs/metrics.md says how; the factor between the two is held here.
"""

import math
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from app.runs import ratios
from app.runs.daily import EquityPath, EquityScan, equity_blocks
from app.runs.quotients import Floats
from app.runs.trade_stats import kelly_pct, trade_statistics
from app.runs.trade_table import Trades, read_fills, trades_of
from app.session.backtest import run_config_backtest
from app.settings.shipped import SAMPLE_CACHE, SAMPLE_CONFIG
from app.times import DAY_MS, parse_time_ms
from tests.made_trades import earning, read

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what other packages say while they are imported is not ours to mend
    empyrical: Any = import_module("empyrical")
    qs: Any = import_module("quantstats.stats")

YEAR = {"annualization": 365}


def exactly(value: float) -> object:
    return pytest.approx(value, rel=1e-9, abs=1e-9)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[EquityPath, Trades]:
    """Two years of the shipped sample."""
    folder = tmp_path_factory.mktemp("libraries") / "run"
    results = run_config_backtest("2020-06-01", "2022-06-01", config=SAMPLE_CONFIG, cache=SAMPLE_CACHE, out=folder)
    scan = EquityScan(10_000.0, parse_time_ms(results["period"]["start"]))
    for block in equity_blocks(folder / "equity.parquet"):
        scan.add(*block)
    path = folder / results["files"]["trades"]
    return scan.path(), trades_of(read_fills(path), path)


def made_path(returns: Floats) -> EquityPath:
    marks = 1_000.0 * np.concatenate(([1.0], np.cumprod(1.0 + returns)))
    return EquityPath(np.arange(len(marks), dtype=np.int64) * DAY_MS, marks, 0.0, 0, 0)


def drawn(seed: int) -> EquityPath:
    random = np.random.default_rng(seed)
    return made_path(random.standard_t(4, 700) * 0.01 + random.choice((-0.001, 0.001)))


VECTORS: dict[str, Callable[[], EquityPath]] = {
    **{f"walk {seed}": lambda seed=seed: drawn(seed) for seed in range(4)},  # type: ignore[misc]
    "losses only": lambda: made_path(-np.random.default_rng(9).uniform(0.001, 0.02, 60)),
    "mostly flat": lambda: made_path(np.where(np.arange(90) % 30 == 0, 0.03, 0.0) - (np.arange(90) == 45) * 0.02),
    "thirty days": lambda: made_path(np.random.default_rng(10).normal(0.0, 0.03, 30)),
}


@pytest.fixture(params=["run", *VECTORS])
def path(request: pytest.FixtureRequest, run: tuple[EquityPath, Trades]) -> EquityPath:
    return run[0] if request.param == "run" else VECTORS[request.param]()


def test_what_both_libraries_or_one_define_alike(path: EquityPath) -> None:
    returns = path.returns
    assert returns is not None
    series = pd.Series(returns, index=pd.date_range("2024-01-01", periods=len(returns), freq="D"))
    assert ratios.sharpe(returns) == exactly(empyrical.sharpe_ratio(series, 0.0, **YEAR))
    assert ratios.sharpe(returns) == exactly(qs.sharpe(series, rf=0.0, periods=365))
    assert ratios.sortino(returns) == exactly(empyrical.sortino_ratio(series, 0.0, **YEAR))
    assert ratios.sortino(returns) == exactly(qs.sortino(series, rf=0.0, periods=365))
    assert ratios.volatility(returns) == exactly(empyrical.annual_volatility(series, **YEAR))
    assert ratios.volatility(returns) == exactly(qs.volatility(series, periods=365))
    assert ratios.omega(returns) == exactly(empyrical.omega_ratio(series, 0.0, 0.0, 365))
    assert ratios.value_at_risk(returns) == exactly(-empyrical.value_at_risk(series))
    assert ratios.conditional_value_at_risk(returns) == exactly(-empyrical.conditional_value_at_risk(series))
    assert ratios.skew(returns) == exactly(qs.skew(series))
    assert ratios.kurtosis(returns) == exactly(qs.kurtosis(series))


def test_where_the_definition_differs_by_a_known_factor(path: EquityPath) -> None:
    returns = path.returns
    assert returns is not None
    series = pd.Series(returns, index=pd.date_range("2024-01-01", periods=len(returns), freq="D"))
    # quantstats divides the squares by N - 1 and forgets the first peak, the starting balance.
    below = 1.0 - path.marks[1:] / np.maximum.accumulate(path.marks)[1:]
    assert ratios.ulcer_index(path.marks) == exactly(100.0 * math.sqrt(np.mean(below**2)))
    with_start = pd.Series(np.concatenate(([0.0], returns)), index=pd.date_range("2024-01-01", periods=len(path.marks)))
    assert ratios.ulcer_index(path.marks) == exactly(100.0 * float(qs.ulcer_index(with_start)))
    # empyrical counts a year as 365 returns, not 365.25 days between the first and the last mark.
    grown = path.marks[-1] / path.marks[0]
    assert empyrical.cagr(series, **YEAR) == exactly(grown ** (365 / len(returns)) - 1.0)
    assert ratios.cagr(path) == exactly(grown ** (365.25 / path.days) - 1.0)


PNLS = {
    "mixed": [20.0, -10.0, -10.0, -5.0, 30.0, 10.0, -15.0],
    "drawn": np.random.default_rng(3).normal(1.0, 20.0, 250).tolist(),
}


@pytest.mark.parametrize("name", ["run", *PNLS])
def test_trades_as_quantstats_counts_returns(name: str, run: tuple[EquityPath, Trades], tmp_path: Path) -> None:
    # Its functions of returns are the same functions of anything that is won and lost.
    trades = run[1] if name == "run" else read(tmp_path, *earning(*PNLS[name]))[1]
    series = pd.Series(trades.pnl, index=pd.date_range("2024-01-01", periods=len(trades), freq="D"))
    own = trade_statistics(trades)
    assert own["profit_factor"] == exactly(qs.profit_factor(series, prepare_returns=False))
    assert own["payoff_ratio"] == exactly(qs.payoff_ratio(series, prepare_returns=False))
    assert own["average_win"] == exactly(qs.avg_win(series, prepare_returns=False))
    assert own["average_loss"] == exactly(-qs.avg_loss(series, prepare_returns=False))
    assert kelly_pct(trades.pnl) == exactly(100.0 * qs.kelly_criterion(series, prepare_returns=False))
    assert own["longest_winning_streak"] == qs.consecutive_wins(series, prepare_returns=False)
    assert own["longest_losing_streak"] == qs.consecutive_losses(series, prepare_returns=False)
