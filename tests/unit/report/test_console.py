"""The report on the console: the lines a user knows, in their order, from results alone."""

import copy
from pathlib import Path
from typing import Any

import pytest

from app.report.console import render_report
from app.session.backtest import run_config_backtest

ROOT = Path(__file__).resolve().parents[3]
HEADLINES = [
    "Period", "Candles processed", "Signals generated", "Orders submitted", "Starting balance", "Final balance",
    "Final equity", "Realized PnL", "Total return", "Total trades", "Winning trades", "Losing trades", "Win rate",
    "Peak equity", "Max drawdown", "Trade log saved",
]  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("console") / "run"
    config, cache = ROOT / "config/sample/live.yaml", ROOT / "data/sample"
    return dict(run_config_backtest("2023-03-20", "2023-04-10", config=config, cache=cache, out=out))


def lines(results: dict[str, Any], elapsed_s: float | None = None) -> list[str]:
    return render_report(results, Path("runs/x"), elapsed_s).splitlines()


def test_the_lines_of_the_old_system_in_their_order(results: dict[str, Any]) -> None:
    shown = lines(results)
    labels = [line.partition(":")[0] for line in shown]
    where = [labels.index(headline) for headline in HEADLINES]
    assert where == list(range(where[0], where[0] + len(HEADLINES)))
    performance = results["performance"]
    assert f"Final equity:         {performance['final_equity']:,.2f}" in shown
    assert f"Total return:         {performance['total_return_pct']:+.2f} %" in shown
    assert f"Win rate:             {performance['win_rate']:.2f} %" in shown
    assert f"Trade log saved:      runs/x/{results['files']['trades']}" in shown
    assert "Period:               2023-03-20 to 2023-04-10 UTC, 1h" in shown


def test_the_first_line_says_where_the_period_came_from_and_how_fast_it_went(results: dict[str, Any]) -> None:
    total = results["candles_processed"]["total"]
    assert lines(results)[0] == f"Onetape backtest: {results['note']}"
    assert lines(results, 0.5)[0].endswith(f"; {total * 2:,} candles/s")


def test_a_tripped_kill_switch_is_the_second_line(results: dict[str, Any]) -> None:
    tripped = copy.deepcopy(results)
    tripped["kill_switch"] = {"time": "2023-04-01T00:00:00.000Z", "why": "a reason", "untraded_pct": 43.21, "trips": 1}
    tripped["status"] = "stopped"
    assert lines(tripped)[1:3] == [
        "KILL SWITCH tripped 2023-04-01: a reason; 43.2 % of the period went untraded",
        "STOPPED by the operator before the end of the period",
    ]


def test_the_funnel_adds_up(results: dict[str, Any]) -> None:
    shown = lines(results)
    funnel = shown[shown.index("Signal funnel") :]
    counts = {line[2:24].strip(): int(line[24:34].replace(",", "")) for line in funnel[1:9]}
    assert counts["signals"] == (
        counts["ignored"] + counts["refused by risk"] + counts["refused by the gate"] + counts["orders submitted"]
    )
    assert counts["orders submitted"] == (
        counts["cancelled"] + counts["unfilled at the end"] + counts["entries filled"]
    )


def test_exits_costs_and_shorts(results: dict[str, Any]) -> None:
    text = "\n".join(lines(results))
    assert "Exits by reason\n  stop_loss" in text
    assert "trades with both levels in one candle, counted as stopped" in text
    assert "a spot exchange could not place these" in text
    longs = copy.deepcopy(results)
    longs["short"]["total_trades"] = 0
    assert "spot exchange" not in "\n".join(lines(longs))


def test_a_table_of_symbols_only_where_there_are_several(results: dict[str, Any]) -> None:
    assert not any(line.startswith("Symbol") for line in lines(results))
    two = copy.deepcopy(results)
    two["per_symbol"]["ETH/USDT"] = {**two["per_symbol"]["BTC/USDT"], "win_rate": None, "candles": 7}
    table = lines(two)[-4 if two["shortfalls"] else -3 :]
    assert any(line.split()[:2] == ["ETH/USDT", "7"] and "n/a" in line for line in table)


def test_missing_candles_are_told(results: dict[str, Any]) -> None:
    short = copy.deepcopy(results)
    short["shortfalls"] = [
        {
            "symbol": "BTC/USDT", "missing_candles": 12, "gaps": 2, "first_open": "2023-03-20T00:00:00.000Z",
            "last_open": "2023-04-09T23:00:00.000Z", "warmup_candles": 100, "warmup_wanted": 240,
        }
    ]  # fmt: skip
    assert lines(short)[-1] == (
        "  BTC/USDT: 12 missing: 2 gaps between the first candle, 2023-03-20, and the last, 2023-04-09 23:00; "
        "warm-up 100 of 240"
    )


def test_what_is_undefined_is_na(results: dict[str, Any]) -> None:
    empty = copy.deepcopy(results)
    empty["performance"]["win_rate"] = None
    empty["exits"] = {}
    shown = lines(empty)
    assert "Win rate:             n/a" in shown
    assert "Exits by reason" not in shown
