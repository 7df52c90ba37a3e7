"""What the page shows of results.json: every figure as it stands there, n/a for what an older version did not write."""

from dataclasses import replace
from typing import Any

import pytest

from app.report import sections
from app.report.formats import at
from app.runs.run_on_disk import RunOnDisk, read_run
from tests.report_runs import made_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunOnDisk:
    return read_run(made_run(tmp_path_factory.mktemp("runs")))


def cells(results: Any) -> list[sections.Cell]:
    tables = [
        sections.costs(results), sections.candle_limits(results), sections.funnel(results),
        sections.groups(results, "long", "short", first="side"), sections.groups(results, "exits", first="reason"),
        sections.groups(results, "per_symbol", first="symbol"),
    ]  # fmt: skip
    found = [cell for table in tables if table for row in table.rows for cell in row]
    found += [tile.value for tile in sections.tiles(results)]
    return found + [cell for _, cell in sections.metrics(results)]


def test_every_figure_is_the_one_of_results_json(run: RunOnDisk) -> None:
    shown = [cell for cell in cells(run.results) if cell.key]
    assert len(shown) > 80
    for cell in shown:
        assert cell.raw == at(run.results, cell.key), cell.key
    assert {cell.key for cell in shown} >= {f"performance.{key}" for key in run.results["performance"]}


def test_no_tile_asks_for_a_figure_that_nobody_writes(run: RunOnDisk) -> None:
    for tile in sections.tiles(run.results):
        block, _, key = tile.value.key.rpartition(".")
        assert key in at(run.results, block), tile.value.key


def test_tiles_say_what_they_show(run: RunOnDisk) -> None:
    shown = {tile.label: tile.value.key.rpartition(".")[2] for tile in sections.tiles(run.results)}
    assert shown == {
        "Total return": "total_return_pct", "Final equity": "final_equity", "Max drawdown": "max_drawdown_pct",
        "Trades": "total_trades", "Win rate": "win_rate", "Profit factor": "profit_factor", "Sharpe": "sharpe",
        "CAGR": "cagr_pct", "Costs": "total", "In a position": "exposure_pct",
    }  # fmt: skip
    details = {tile.label: tile.detail for tile in sections.tiles(run.results)}
    assert details["Final equity"] == "from 10,000.00"
    sides = [run.results[side]["total_trades"] for side in ("long", "short")]
    assert details["Trades"] == f"{sides[0]} long, {sides[1]} short"


def test_an_older_version_gives_n_a() -> None:
    assert {cell.text for cell in cells({}) if cell.key} == {"n/a"}
    assert sections.heat_map({}) is None and sections.halt_table({}) is None
    assert sections.groups({}, "long", "short", first="side") is None
    assert "made by a version that did not" in sections.candle_sentences({})[0]


def test_the_funnel_adds_up(run: RunOnDisk) -> None:
    table = sections.funnel(run.results)
    assert table is not None
    numbers = [int(row[1].text.replace(",", "")) for row in table.rows]
    assert numbers[0] == run.results["signals_generated"] and numbers[0] >= sum(numbers[1:4]) + numbers[4]
    assert table.rows[0][2].text.startswith("LONG ")


def test_halts_and_shortfalls_come_first(run: RunOnDisk) -> None:
    halt = {"time": "2025-03-30T19:30:00.000Z", "why": "drawdown 10.25%", "untraded_pct": 71.5, "trips": 1}
    results = {**run.results, "kill_switch": halt, "status": "stopped", "feed": {"late_slices": 2}}
    told = sections.notices(replace(run, results=results, problems=["Odd."]))
    assert told[0].is_alarm and told[0].text.startswith(
        "The kill switch tripped at 2025-03-30 19:30: drawdown 10.25%. 71.50 % of the period went untraded."
    )
    texts = [notice.text for notice in told]
    assert texts[1] == "Odd." and "An operator stopped the run before the end of its period." in texts
    assert any("candles are missing" in text for text in texts) and texts[-1] == "Live feed: late slices 2."
    failed = sections.notices(replace(run, results={**results, "status": "failed"}))
    assert any(notice.is_alarm and "failed half-way" in notice.text for notice in failed)


def test_figures_until_the_halt_beside_those_over_all(run: RunOnDisk) -> None:
    before = {"time": "2025-03-30T19:30:00.000Z", "final_equity": 9_000.0, "unknown": 1.0}
    table = sections.halt_table({**run.results, "to_halt": before})
    assert table is not None and [row[0].text for row in table.rows] == ["Final equity"]
    assert table.rows[0][1].text == "9,000.00"


def test_months() -> None:
    rows = [
        {"month": "2024-12", "return_pct": -4.0, "pnl": -400.0},
        {"month": "2025-02", "return_pct": 2.0, "pnl": 192.0},
        {"month": "2025-03", "return_pct": None, "pnl": 0.0},
    ]
    table = sections.heat_map({"monthly": rows})
    assert table is not None and [year for year, _ in table] == ["2024", "2025"]
    assert table[0][1][11] == sections.MapCell("-4.0", "2024-12: -4.00 %, -400.00", -1.0)
    assert table[1][1][1].weight == 0.5 and table[1][1][2].text == "n/a" and table[1][1][0].text == ""


def test_settings_are_flat() -> None:
    rows = list(sections.settings_rows({"a": {"b": {"c": 1}, "d": {}}, "e": None}))
    assert rows == [("a.b.c", "1"), ("a.d", "{}"), ("e", "not set")]
