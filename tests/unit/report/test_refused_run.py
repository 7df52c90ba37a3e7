"""Refused entries of a run folder: the walk with its leaps gives what meeting every candle gives."""

from pathlib import Path
from typing import Any

import pytest

from app.candles.cache import CandleCache
from app.errors import ConfigError
from app.models.market import Candle
from app.models.orders import Line
from app.report.making import make_report
from app.report.refused_entries import RefusedEntries, RefusedTotals
from app.report.refused_run import refused_totals
from app.runs.candle_source import SymbolCandles, candles_of
from app.runs.reader import Run
from app.runs.refused_log import refused_entries
from app.runs.run_on_disk import RunOnDisk, read_run
from app.session.backtest import ConfigBacktestRunner
from app.settings.profile import load_settings
from tests.parity.both import SEEDED
from tests.parity.market import fill_cache, made_up
from tests.proof_runs import START_MS, SYMBOLS

MINUTE_MS = 60_000
COUNT = 45 * 1_440  # into a second month


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunOnDisk, CandleCache]:
    folder = tmp_path_factory.mktemp("refused")
    fill_cache(folder / "cache", made_up(4, SYMBOLS, START_MS, COUNT), "1m")
    config = {
        "live": {"exchange": "test", "symbols": list(SYMBOLS), "timeframe": "1m", "startup_candles": 0,
                 "strategy": {"name": SEEDED, "params": {"seed": 3}}},
        "risk": {"max_position_pct": 0.5},
        "trading_mode": {"safety": {"max_drawdown": None, "max_open_positions": 1, "max_exposure": 0.6},
                         "protections": [{"kind": "cooldown", "candles": 40}]},
    }  # fmt: skip
    ConfigBacktestRunner(config=config, cache=folder / "cache", out=folder / "run", offline=True,
                         start=START_MS, end=START_MS + COUNT * MINUTE_MS).run()  # fmt: skip
    return read_run(folder / "run"), CandleCache(folder / "cache")


def by_hand(run: RunOnDisk, candles: dict[str, SymbolCandles], most: int = 100_000) -> list[RefusedTotals]:
    """Every entry, EXIT and candle in the order of time."""
    refused = RefusedEntries(load_settings(run.settings), most)
    with (run.folder / "refused.jsonl").open("rb") as file:
        entries = list(refused_entries(file))
    exits = [one for one in Run.open(run.folder).signals() if one.row["action"] == "EXIT"]
    steps: list[tuple[int, int, Any]] = [(one.time_ms, 0, one) for one in entries]
    steps += [(one.time_ms, 1, Line(one.row["strategy"], one.row["symbol"])) for one in exits]
    for symbol, own in candles.items():
        columns = own.whole()
        rows = zip(columns.open_time_ms.tolist(), *(column.tolist() for column in columns.floats()), strict=True)
        steps += [(row[0], 2, Candle(symbol, "1m", *row)) for row in rows]
    marks: dict[str, float] = {}
    for time_ms, kind, one in sorted(steps, key=lambda step: step[:2]):
        if kind == 0:
            refused.add(one, marks.get(one.symbol))
        elif kind == 1:
            refused.on_exit(one, time_ms)
        else:
            refused.on_candle(one)
            marks[one.symbol] = one.close
    return refused.totals()


def test_the_leaps_change_nothing(made: tuple[RunOnDisk, CandleCache]) -> None:
    run, cache = made
    candles = dict(candles_of(run, [cache]).by_symbol)
    found = refused_totals(run.folder, run.settings, candles, most=100_000)
    wanted = by_hand(run, candles)
    assert [(one.limit, one.entries, one.filled, one.winners, one.open, one.left_out) for one in found] == [
        (one.limit, one.entries, one.filled, one.winners, one.open, one.left_out) for one in wanted
    ]
    for own, other in zip(found, wanted, strict=True):
        assert (own.pnl, own.r) == pytest.approx((other.pnl, other.r))
    funnel = run.results["funnel"]
    by_limit = {one.limit: one.entries for one in found}
    assert by_limit["cooldown"] == funnel["refused_by_gate"]["cooldown"] > 100
    assert by_limit["max_open_positions"] == funnel["refused_by_gate"]["max_open_positions"] > 10


def test_more_than_are_run_and_symbols_without_candles_are_counted(made: tuple[RunOnDisk, CandleCache]) -> None:
    run, cache = made
    candles = dict(candles_of(run, [cache]).by_symbol)
    lines = (run.folder / "refused.jsonl").read_bytes().count(b"\n")
    found = refused_totals(run.folder, run.settings, candles, most=10)
    assert sum(one.left_out for one in found) == lines - 10
    assert sum(one.entries for one in found) <= 10
    without = refused_totals(run.folder, run.settings, {})
    assert (sum(one.left_out for one in without), sum(one.entries for one in without)) == (lines, 0)


def test_the_page_has_them_and_one_of_settings_that_cannot_be_read_does_without(
    made: tuple[RunOnDisk, CandleCache], tmp_path: Path
) -> None:
    run, cache = made
    page = make_report(run.folder, [cache], out=tmp_path / "page.html").read_text()
    totals = refused_totals(run.folder, run.settings, candles_of(run, [cache]).by_symbol)
    [cooldown] = [one for one in totals if one.limit == "cooldown"]
    row = page.split("What the limits cost")[1].split('<th scope="row">Cooldown</th>')[1].split("</tr>")[0]
    assert f">{cooldown.entries:,}<" in row
    assert f"{cooldown.pnl:+,.2f}" in row or f"{cooldown.pnl:,.2f}" in row
    month = make_report(run.folder, [cache], out=tmp_path / "m.html", month="2025-04").read_text()
    assert "What the limits cost" not in month
    with pytest.raises(ConfigError):
        refused_totals(run.folder, {**run.settings, "live": {"nothing": 1}}, {})


def test_nothing_was_refused(tmp_path: Path) -> None:
    assert refused_totals(tmp_path, {}, {}) == []
