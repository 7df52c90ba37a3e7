"""The metrics as rows: figures from results alone, n/a where there is none, nothing for what a run lacks."""

import copy
from pathlib import Path
from typing import Any

import pytest

from app.report.console import render_report
from app.report.console_blocks import Row
from app.report.console_metrics import metric_tables
from app.session.backtest import run_config_backtest
from app.settings.shipped import SAMPLE_CACHE, SAMPLE_CONFIG

SAMPLE: dict[str, Any] = {"config": SAMPLE_CONFIG, "cache": SAMPLE_CACHE}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return dict(run_config_backtest("2023-01-01", "2023-07-01", out=tmp_path_factory.mktemp("c") / "run", **SAMPLE))


def rows(results: dict[str, Any]) -> dict[str, Row]:
    return {row.label: row for table in metric_tables(results) for row in table.rows}


def test_figures_are_those_of_the_results(results: dict[str, Any]) -> None:
    shown, own, doubt = rows(results), results["performance"], results["uncertainty"]
    assert shown["Sharpe"].value == f"{own['sharpe']:.2f}"
    assert f"Sortino {own['sortino']:.2f}" in shown["Sharpe"].detail
    assert shown["CAGR"].value == f"{own['cagr_pct']:.2f} %"
    assert shown["profit factor"].value == f"{own['profit_factor']:.2f}"
    assert shown["costs 2x"].value == f"{doubt['costs']['2x']['final_equity']:,.2f}"
    assert shown["costs 1x"].value == f"{own['final_equity']:,.2f}"
    assert shown["final equity at best"].value == f"{doubt['optimistic']['final_equity']:,.2f}"
    assert shown["break-even cost"].value == f"{doubt['break_even_bps']:.2f} bp"
    assert shown["buy and hold"].value == f"{results['buy_and_hold']['return_pct']:+.2f} %"
    assert [table.title for table in metric_tables(results)] == [
        "Risk and return", "Trades", "What the candles cannot tell",
    ]  # fmt: skip


def test_the_report_prints_each_row(results: dict[str, Any]) -> None:
    text = render_report(results, Path("runs/x"))
    for row in rows(results).values():
        assert f"  {row.label:<22}{row.value:>14}   {row.detail}".rstrip() in text


def test_seven_days_have_no_year(tmp_path: Path) -> None:
    week = dict(run_config_backtest("2023-01-01", "2023-01-08", out=tmp_path / "run", **SAMPLE))
    shown = rows(week)
    assert [shown[name].value for name in ("CAGR", "Sharpe", "VaR 95 % of a day")] == ["n/a (7 days)"] * 3
    assert "volatility n/a" in shown["CAGR"].detail
    assert week["performance"]["sharpe"] is None


def test_long_enough_but_undefined_is_n_a_alone(results: dict[str, Any]) -> None:
    flat = copy.deepcopy(results)
    flat["performance"]["sharpe"] = None
    assert rows(flat)["Sharpe"].value == "n/a"


def test_without_a_trade_there_is_nothing_to_doubt(tmp_path: Path) -> None:
    hour = dict(run_config_backtest("2023-01-01", "2023-01-01T01:00", out=tmp_path / "run", **SAMPLE))
    assert [table.title for table in metric_tables(hour)] == ["Risk and return"]
    assert "n/a (0 days)" in render_report(hour, Path("x"))


def test_a_halt_has_its_own_rows(tmp_path: Path) -> None:
    limit = ("safety.max_drawdown=0.004",)
    halted = dict(run_config_backtest("2023-03-01", "2023-04-10", out=tmp_path / "run", overrides=limit, **SAMPLE))
    shown = rows(halted)
    assert shown["return"].value == f"{halted['to_halt']['total_return_pct']:+.2f} %"
    assert shown["trades"].value == str(halted["to_halt"]["total_trades"])
    assert halted["to_halt"]["time"] == halted["kill_switch"]["time"]


def test_results_of_an_older_version_are_shown_without(results: dict[str, Any]) -> None:
    old = copy.deepcopy(results)
    for name in ("uncertainty", "to_halt", "excursions", "buy_and_hold"):
        del old[name]
    for name in ("cagr_pct", "sharpe"):
        del old["performance"][name]
    assert list(metric_tables(old)) == []
    assert "Trade log saved" in render_report(old, Path("x"))


def test_a_loss_before_costs_says_so(results: dict[str, Any]) -> None:
    losing = copy.deepcopy(results)
    losing["uncertainty"]["break_even_bps"] = -3.0
    assert rows(losing)["break-even cost"].detail.endswith("; it loses without any")
