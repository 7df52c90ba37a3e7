"""The way of a stop is made again over the candles: it is the one that the ledger went, in every mode of filling."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from app.candles.cache import CandleCache
from app.models.orders import Position, Reason
from app.report.stop_paths import ManagedMarks, managed_marks
from app.runs.candle_source import candles_of
from app.runs.run_on_disk import RunOnDisk, read_run
from app.trading.ledger import Ledger
from tests.candle_columns import MINUTE_MS
from tests.proof_runs import rows_of, trades_of
from tests.report_runs import edit_json, made_run, managed_config, managed_run

Moves = Mapping[int, Sequence[tuple[int, float]]]


def marks_of(run: RunOnDisk, settings: Any = None) -> ManagedMarks | None:
    candles = candles_of(run, [CandleCache(run.folder.with_name(f"{run.folder.name}_cache"))])
    assert not candles.problems
    return managed_marks(run.trades, candles.by_symbol, settings or run.settings, MINUTE_MS)


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch) -> Moves:
    """What the ledger itself did to stops, by trade: the close of the slice, and the stop from then on."""
    seen: dict[int, list[tuple[int, float]]] = defaultdict(list)
    move_stop = Ledger.move_stop

    def watched(self: Ledger, position: Position, stop: float, moved_by: Reason) -> Position:
        seen[position.trade_id].append((self.account.time_ms, stop))
        return move_stop(self, position, stop, moved_by)

    monkeypatch.setattr(Ledger, "move_stop", watched)
    return seen


@pytest.mark.parametrize(
    "trading",
    [
        {}, {"fill": "close"}, {"limit_fill": "touch", "slippage_rate": 0.0}, {"fill": "close", "slippage_rate": 0.0},
        {"on_stop": "keep"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("tick", [None, 0.5])
def test_it_is_the_way_that_the_ledger_went(
    tmp_path: Path, moves: Moves, trading: dict[str, Any], tick: float | None
) -> None:
    config = managed_config(**trading)
    if tick is not None:
        config["live"]["instruments"] = {symbol: {"price_tick": tick} for symbol in config["live"]["symbols"]}
    run = read_run(managed_run(tmp_path, config))
    marks = marks_of(run)
    assert marks is not None
    strategies = [run.trades.entry.strategy.names[code] for code in run.trades.entry.strategy.codes]
    several = 0
    for place, trade_id in enumerate(run.trades.entry.trade_id.tolist()):
        steps, went = marks.stops[place] or [], moves.get(trade_id, [])
        if strategies[place] == "atr":
            # The signal's ATR is in no file: the way is one that ends where the log says.
            assert not went or steps[-1][1] == pytest.approx(went[-1][1], rel=1e-9)
            continue
        assert steps == went, trade_id
        several += len(steps) > 2
    assert several > 2, "stops that moved often are among them"
    last = [steps[-1][1] if steps else None for steps in marks.stops]
    for place in range(len(run.trades)):
        if run.trades.is_closed[place] and last[place] is not None:
            assert last[place] == pytest.approx(run.trades.exit.stop[place], rel=1e-9)


@pytest.mark.parametrize("trading", [{}, {"slippage_rate": 0.0}, {"fill": "close"}, {"limit_fill": "touch"}])
def test_after_a_limit_the_close_of_its_own_candle_counts(
    tmp_path: Path, moves: Moves, trading: dict[str, Any]
) -> None:
    config = managed_config(**trading)
    config["live"]["strategies"] = [
        {**own, "name": "tests.limiting:Limiting", "params": {}} for own in config["live"]["strategies"][:2]
    ]
    run = read_run(managed_run(tmp_path, config))
    marks = marks_of(run)
    assert marks is not None
    for place, trade_id in enumerate(run.trades.entry.trade_id.tolist()):
        assert (marks.stops[place] or []) == moves.get(trade_id, []), trade_id
    met = run.trades.entries_inside(run.settings["trading_mode"]["slippage_rate"], at_close=False)
    if trading.get("slippage_rate") != 0.0:
        assert 5 < met.sum() < len(run.trades), "limits that were met in their candle, and at its open"
    assert sum(steps is not None for steps in marks.stops) > 10


def test_legs_are_marked_inside_the_candle_that_filled_them(tmp_path: Path) -> None:
    folder = managed_run(tmp_path)
    run = read_run(folder)
    marks = marks_of(run)
    assert marks is not None
    rows = [row for row in rows_of(trades_of(folder)) if row["reason"] == "partial_target"]
    found = [leg for legs in marks.legs for leg in legs or ()]
    assert len(found) == len(rows) > 5
    by_trade = sorted(rows, key=lambda row: int(row["trade_id"]))
    assert [leg[1] for leg in found] == [float(row["price"]) for row in by_trade]
    assert [leg[2] for leg in found] == [float(row["realized_pnl"]) for row in by_trade]
    candles = candles_of(run, [CandleCache(tmp_path / "managed_cache")]).by_symbol
    for place, legs in enumerate(marks.legs):
        columns = candles[run.trades.entry.symbol.names[run.trades.entry.symbol.codes[place]]].whole()
        for at_ms, price, _ in legs or ():
            own = int(columns.open_time_ms.searchsorted(at_ms, side="right")) - 1
            assert columns.low[own] <= price <= columns.high[own]


def test_exits_of_a_signal_are_in_no_file_so_the_way_is_the_one_from_row_to_row(tmp_path: Path) -> None:
    folder = managed_run(tmp_path)

    def forget(made: dict[str, Any]) -> None:
        for strategy in made["settings"]["live"]["strategies"]:
            del strategy["exits"]

    edit_json(folder / "manifest.json", forget)
    run = read_run(folder)
    marks = marks_of(run)
    assert marks is not None
    moved = [place for place, steps in enumerate(marks.stops) if steps]
    assert moved
    for place in moved:
        steps = marks.stops[place]
        assert steps is not None
        assert steps[-1] == (run.trades.exit.time_ms[place], run.trades.exit.stop[place])


def test_an_edited_manifest_is_no_reason_to_show_nothing(tmp_path: Path) -> None:
    folder = managed_run(tmp_path)
    edit_json(
        folder / "manifest.json",
        lambda made: made["settings"]["live"]["strategies"][0].update(exits={"trailing": {"distance_r": "far"}}),
    )
    marks = marks_of(read_run(folder))
    assert marks is not None
    assert any(marks.stops)


def test_a_run_without_managed_exits_reads_no_candle(tmp_path: Path) -> None:
    run = read_run(made_run(tmp_path))

    def fails(month: str) -> Any:
        raise AssertionError(month)

    found = candles_of(run, [CandleCache(tmp_path / "run_cache")]).by_symbol
    unread = {
        symbol: type(own)(own.months, own.first_ms, own.last_ms, own.least, fails) for symbol, own in found.items()
    }
    assert unread
    assert managed_marks(run.trades, unread, run.settings, MINUTE_MS) is None


def test_a_stop_that_moved_very_often_is_thinned_but_keeps_its_ends(
    tmp_path: Path, moves: Moves, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.report.stop_paths._STEPS_MAX", 2)
    run = read_run(managed_run(tmp_path))
    marks = marks_of(run)
    assert marks is not None
    for place, trade_id in enumerate(run.trades.entry.trade_id.tolist()):
        steps = marks.stops[place]
        if steps and len(moves[trade_id]) > 2 and marks.legs[place]:
            assert steps == [moves[trade_id][0], moves[trade_id][-1]]
            return
    raise AssertionError("no stop moved often")
