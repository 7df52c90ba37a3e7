"""A run of several strategies with managed exits, wherever it is looked at: page, console, program, two runs."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.candles.cache import CandleCache
from app.errors import DataError
from app.report import sections
from app.report.console import render_report
from app.report.making import page, page_title, strategy_lines
from app.report.versus import strategy_rows, trade_differences
from app.research.monte_carlo import ledger_of
from app.runs.candle_source import candles_of
from app.runs.manifest import sha256_of
from app.runs.reader import Run
from app.runs.run_on_disk import RunOnDisk, read_run
from app.runs.run_results import load_run
from app.times import iso_ms
from tests.proof_runs import END_MS, START_MS, rows_of, trades_of
from tests.report_runs import edit_json, made_run, managed_run

IDS = ["trail", "even", "atr"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return managed_run(tmp_path_factory.mktemp("several"))


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_run(tmp_path_factory.mktemp("single"))


def results_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return content


def page_of(folder: Path) -> str:
    run = read_run(folder)
    return "".join(page(run, candles_of(run, [CandleCache(folder.with_name(f"{folder.name}_cache"))])))


def test_the_strategies_add_up_to_the_whole(folder: Path) -> None:
    results, rows = results_of(folder), rows_of(trades_of(folder))
    assert list(results["per_strategy"]) == IDS
    for name, own in results["per_strategy"].items():
        closes = [row for row in rows if row["strategy"] == name and row["action"] == "CLOSE"]
        assert own["total_trades"] == len({row["trade_id"] for row in closes}) > 0
        assert own["realized_pnl"] == pytest.approx(sum(float(row["realized_pnl"]) for row in closes))
    whole = results["performance"]
    for key in ("realized_pnl", "total_trades", "winning_trades"):
        assert sum(own[key] for own in results["per_strategy"].values()) == pytest.approx(whole[key])
    assert results["partial_targets"]["total_trades"] == sum(row["reason"] == "partial_target" for row in rows) > 0
    assert {"trailing_stop", "break_even", "time_exit"} <= set(results["exits"])
    assert "partial_target" not in results["exits"]
    assert sum(own["total_trades"] for own in results["exits"].values()) == whole["total_trades"]
    assert results["stop_and_target_in_one_candle"] == sum(row["both_levels"] == "1" for row in rows)


def test_a_run_of_one_strategy_says_nothing_of_several(single: Path) -> None:
    assert not {"per_strategy", "strategy_correlation", "partial_targets"} & set(results_of(single))
    assert "legs_dropped" not in results_of(single)["funnel"]
    text = page_of(single)
    for mark in ('id="strategies"', 'id="f-strategy"', "a moved stop", "Correlation of the"):
        assert mark not in text
    assert "strategies" not in json.loads(text.split('id="data">')[1].split("</script>")[0])
    assert "Strategy" not in render_report(results_of(single), single)


def test_the_days_of_a_program_are_those_behind_the_correlation(folder: Path, single: Path) -> None:
    run = load_run(folder)
    days = run.strategy_days
    assert list(days.columns) == IDS
    assert [int(time.timestamp() * 1000) for time in days.index] == [(START_MS // 86_400_000 + 1) * 86_400_000, END_MS]
    for name in IDS:
        assert days[name].sum() == pytest.approx(run["per_strategy"][name]["realized_pnl"])
    expected = np.corrcoef(days.to_numpy().T)
    for place, one in enumerate(IDS):
        assert list(run["strategy_correlation"][one].values()) == pytest.approx(expected[place].tolist())
    assert load_run(single).strategy_days["main"].sum() == pytest.approx(
        results_of(single)["performance"]["realized_pnl"]
    )


def test_a_program_has_a_row_a_strategy(folder: Path, single: Path) -> None:
    run = load_run(folder)
    frame = run.per_strategy
    assert frame.index.tolist() == IDS
    assert frame.loc["even", "total_trades"] == run["per_strategy"]["even"]["total_trades"]
    assert run.fills["strategy"].isin(IDS).all()
    assert set(run.closed_trades["strategy"]) == set(IDS)
    assert run.closed_trades["legs"].sum() == run["partial_targets"]["total_trades"]
    own = load_run(single).per_strategy
    assert own.index.tolist() == ["main"]
    assert own.loc["main", "realized_pnl"] == results_of(single)["performance"]["realized_pnl"]
    assert set(own.columns) == set(frame.columns)


def test_monte_carlo_draws_trades_and_not_rows(folder: Path) -> None:
    ledger, rows = ledger_of(Run.open(folder)), rows_of(trades_of(folder))
    by_trade: dict[str, float] = {}
    for row in rows:
        by_trade[row["trade_id"]] = by_trade.get(row["trade_id"], 0.0) + float(row["realized_pnl"])
    assert sorted(ledger.pnl.tolist()) == pytest.approx(sorted(by_trade.values()))
    assert len(ledger.pnl) < sum(row["action"] == "CLOSE" for row in rows)


def test_a_log_whose_trades_are_all_open_has_nothing_to_draw_from(folder: Path, tmp_path: Path) -> None:
    # What was realised by legs of positions that were kept is no closed trade.
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    log = trades_of(copy)
    lines = log.read_text().splitlines(keepends=True)
    first_leg = next(line for line in lines if ",partial_target," in line)
    trade_id = rows_of(log)[lines.index(first_leg) - 1]["trade_id"]
    opened = lines[1 + next(place for place, row in enumerate(rows_of(log)) if row["trade_id"] == trade_id)]
    log.write_text("".join([lines[0], opened, first_leg]))
    edit_json(copy / "manifest.json", lambda made: made["outputs_sha256"].update({"trades": sha256_of(log)}))
    with pytest.raises(DataError, match="no closed trade"):
        ledger_of(Run.open(copy))


def test_the_page_has_a_table_a_chart_and_a_map(folder: Path) -> None:
    run, text = read_run(folder), page_of(folder)
    assert page_title(run) == "trail, even, atr · AAA/X, BBB/X · 1m"
    for mark in (
        'id="strategies"', 'id="f-strategy"', "a moved stop", 'data-key="per_strategy.trail.realized_pnl"',
        "Correlation of the strategies' daily results", "Partial targets are legs",
        'data-key="partial_targets.realized_pnl"', "live.strategies.trail.exits.trailing.distance_r",
    ):  # fmt: skip
        assert mark in text
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    totals = [results_of(folder)["per_strategy"][name]["realized_pnl"] for name in IDS]
    assert data["strategies"]["names"] == IDS
    assert [values[-1] for values in data["strategies"]["values"]] == pytest.approx(totals, abs=1e-4)


def test_a_long_run_of_many_strategies_is_thinned_and_keeps_its_last_day(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.report.making._CONTRIBUTIONS_MAX", 10)
    run = read_run(folder)
    results = {**run.results, "period": {"start": iso_ms(START_MS), "end": iso_ms(START_MS + 9 * 86_400_000)}}
    long = RunOnDisk(run.folder, results, run.manifest, run.trades, run.equity, ())
    lines = strategy_lines(long, IDS)
    assert len(lines["times_ms"]) == 4
    assert lines["times_ms"][-1] == START_MS + 9 * 86_400_000
    assert lines["values"][0][-1] == pytest.approx(
        results_of(folder)["per_strategy"]["trail"]["realized_pnl"], abs=1e-4
    )


def test_a_heat_map_has_a_colour_for_each_pair_that_is_known() -> None:
    cells = sections.correlations({"strategy_correlation": {"a": {"a": 1.0, "b": -0.25}, "b": {"a": -0.25, "b": None}}})
    assert cells[0] == (
        "a",
        [sections.MapCell("+1.00", "a and a: +1.0000", 1.0), sections.MapCell("-0.25", "a and b: -0.2500", -0.25)],
    )
    assert cells[1][1][1] == sections.MapCell("n/a", "b and b: n/a", 0.0)
    assert sections.correlations({}) == []


def test_the_funnel_names_what_expired_was_dropped_and_was_refused_by_a_protection() -> None:
    results = {
        "signals_generated": 9,
        "funnel": {
            "signals": {"LONG": 9}, "ignored": {}, "refused_by_risk": {},
            "refused_by_gate": {"cooldown": 1, "stop_guard": 2, "losing_streak": 3}, "orders_submitted": 3,
            "sized_by": {"risk_per_trade": 3}, "cancelled": {"expired": 2, "session_end": 0}, "entries_filled": 1,
            "unfilled_at_end": 0, "legs_dropped": 4,
        },
    }  # fmt: skip
    table = sections.funnel(results)
    assert table is not None
    rows = {row[0].text: (row[1].text, row[2].text) for row in table.rows}
    assert rows["Refused by gate"] == ("6", "cooldown 1, stop_guard 2, losing_streak 3")
    assert rows["Cancelled"] == ("2", "expired 2")
    assert rows["Legs dropped"] == ("4", "")


def test_the_console_has_the_strategies_the_legs_and_the_correlation(folder: Path) -> None:
    results = results_of(folder)
    results["funnel"]["legs_dropped"] = 3
    results["funnel"]["refused_by_gate"] = {"cooldown": 1}
    results["funnel"]["cancelled"] = {"expired": 2}
    lines = render_report(results, folder).splitlines()
    own = results["per_strategy"]["trail"]
    at = next(place for place, line in enumerate(lines) if line.startswith("Strategy"))
    assert [line.split()[0] for line in lines[at + 1 : at + 4]] == IDS
    assert f"{own['total_trades']:,}" in lines[at + 1] and f"{own['realized_pnl']:+,.2f}" in lines[at + 1]
    at = next(place for place, line in enumerate(lines) if line.startswith("Daily correlation"))
    assert lines[at].split()[2:] == IDS
    assert lines[at + 1].split()[:2] == ["trail", "+1.00"]
    joined = "\n".join(lines)
    assert re.search(rf"partial_target +{results['partial_targets']['total_trades']} +closed a part of", joined)
    for words in ("legs dropped", "cooldown 1", "expired 2"):
        assert words in joined


def test_two_runs_have_a_row_a_figure_of_each_strategy(folder: Path, single: Path) -> None:
    a, b = results_of(folder), json.loads(json.dumps(results_of(folder)))
    b["per_strategy"]["trail"]["realized_pnl"] += 5.0
    b["per_strategy"]["new"] = b["per_strategy"].pop("atr")
    rows = {row[0]: row[1:] for row in strategy_rows(a, b)}
    assert [name.split(":")[0] for name in rows][::5] == ["trail", "even", "atr", "new"]
    assert [cell.text for cell in rows["trail: Realized PnL"]][2] == "+5.00"
    assert [cell.text for cell in rows["new: Total trades"]][:1] == ["n/a"]
    assert list(strategy_rows(results_of(single), results_of(single))) == []


def test_fills_that_differ_name_their_strategy(folder: Path, single: Path) -> None:
    assert trade_differences(folder, folder).differing == 0
    listed = trade_differences(folder, single).listed
    assert {one.line.partition(" ")[2] for one in listed} == {"", *IDS}


def test_settings_of_a_list_are_named_by_their_id_or_number() -> None:
    rows = dict(
        sections.settings_rows(
            {"strategies": [{"id": "a", "x": 1}], "protections": [{"kind": "cooldown"}], "symbols": ["A"]}
        )
    )
    assert rows == {
        "strategies.a.id": "a", "strategies.a.x": "1", "protections.1.kind": "cooldown", "symbols": "['A']",
    }  # fmt: skip
