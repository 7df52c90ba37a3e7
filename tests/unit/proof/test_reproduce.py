"""A run once more: the outputs decide, and of the hashes that differ the first is named."""

import asyncio
from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.errors import DataError, StrategyError
from app.models.events import Event, LateCandle, MarkedSlice
from app.models.market import Slice
from app.proof.reproduce import Reproduction, reproduce
from app.runs.reader import Run
from tests.parity.market import fill_cache
from tests.proof_runs import START_MS, changed, dearer, edit, edit_row, market, replay, session, slices_of, trades_of


def again(run: Path, cache: Path | None = None) -> Reproduction:
    return asyncio.run(reproduce(Run.open(run), CandleCache(cache or run.with_name("run_cache"))))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return replay(tmp_path, "run", market())


def first(result: Reproduction) -> str | None:
    return None if result.first_difference is None else result.first_difference.name


def test_the_same(run: Path) -> None:
    result = again(run)
    assert (result.is_same, first(result), result.notes) == (True, None, [])


def test_a_replay_with_settings_of_its_own(tmp_path: Path) -> None:
    run = replay(tmp_path, "run", market(), "startup_candles=auto", "fill=close", "strategy.timeframe=5m")
    assert again(run).is_same


def test_a_session_is_replayed_from_its_tape(tmp_path: Path) -> None:
    slices = slices_of(tmp_path / "c", market())
    late = slices[200].candles[0]
    events: list[Event] = [*slices[:200], Slice(slices[200].close_time_ms, slices[200].candles[1:], False)]
    events += [LateCandle(late), MarkedSlice(slices[201].close_time_ms, slices[201].candles, False, True)]
    run = session(tmp_path / "live", [*(e for e in events if not isinstance(e, Slice) or e.candles), *slices[202:]])
    result = again(run, tmp_path / "nowhere")
    assert (result.is_same, first(result)) == (True, None)


def test_a_candle_that_changed(tmp_path: Path, run: Path) -> None:
    other = fill_cache(tmp_path / "other", changed(market(), "AAA/X", 100, dearer)).root
    result = again(run, other)
    assert (result.is_same, first(result)) == (False, "data_sha256")
    assert result.notes == ["other candles of AAA/X 1m: 2025-03"]


def test_a_month_that_has_grown_after_the_run_is_told_and_changes_nothing(tmp_path: Path) -> None:
    run = replay(tmp_path, "run", market(), end_ms=START_MS + 100 * 60_000)
    grown = fill_cache(tmp_path / "grown", {symbol: rows[:-1] for symbol, rows in market().items()}).root
    result = again(run, grown)
    assert (result.is_same, first(result)) == (True, "data_sha256")


@pytest.mark.parametrize("key", ["settings_sha256", "strategy_sha256", "code_sha256"])
def test_what_went_in_is_told_before_what_came_out(run: Path, key: str) -> None:
    edit(run / "manifest.json", lambda content: content.update({key: "0"}))
    result = again(run)
    assert (result.is_same, first(result)) == (True, key)


def test_outputs_that_are_others(run: Path) -> None:
    edit(run / "manifest.json", lambda content: content["outputs_sha256"].update(equity="0"))
    result = again(run)
    assert (result.is_same, first(result)) == (False, "outputs_sha256.equity")


def test_a_file_that_was_edited_since_is_told(run: Path) -> None:
    edit_row(trades_of(run), 1, lambda row: row.update(price="1.0"))
    result = again(run)
    assert result.is_same, "the hash of the manifest is the run's"
    assert result.notes == [f"{trades_of(run)} is not the file that the run wrote"]


def test_versions_are_told(run: Path) -> None:
    edit(run / "manifest.json", lambda content: content["versions"].update(numpy="1.0"))
    assert any(note.startswith("version of numpy: 1.0, now ") for note in again(run).notes)


def test_what_cannot_be_run(tmp_path: Path, run: Path) -> None:
    with pytest.raises(
        DataError, match=r"run cannot be run again: the cache .*nowhere has no AAA/X 1m of 2025-03; --cache"
    ):
        again(run, tmp_path / "nowhere")
    edit(run / "manifest.json", lambda content: content["settings"]["live"]["strategy"].update(name="gone.py:Gone"))
    with pytest.raises(StrategyError, match=r"run cannot be run again: strategy file gone\.py does not exist"):
        again(run)
    edit(run / "manifest.json", lambda content: content.update(code_sha256="0"))
    with pytest.raises(StrategyError, match=r"\(it was made by other code, Onetape 0"):
        again(run)
    edit(run / "manifest.json", lambda content: content.update(data={}))
    with pytest.raises(DataError, match="it has no tape and names neither one nor candles"):
        again(run)
