"""What a run was fed: candles by the hash of its manifest, wherever they lie, and never something near them."""

from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.candles.manifest_candles import ManifestCandles
from app.errors import DataError
from app.models.events import EndOfData
from app.models.market import Slice
from app.runs.reader import Run
from app.runs.run_inputs import inputs_of, named, settings_of, warmup_of
from tests.proof_runs import SYMBOLS, WARMUP, changed, dearer, edit, market, replay, session, slices_of


def cache_of(run: Path) -> CandleCache:
    return CandleCache(run.with_name(f"{run.name}_cache"))


def test_the_candles_that_the_run_read(tmp_path: Path) -> None:
    run = replay(tmp_path, "run", market())
    inputs = inputs_of(Run.open(run), [cache_of(run)])
    assert inputs.are_known
    assert list(inputs.events()) == slices_of(tmp_path / "c", market())
    assert [event for burst in inputs.bursts() for event in burst] == list(inputs.events())


def test_a_month_is_taken_from_whichever_cache_has_its_hash(tmp_path: Path) -> None:
    run = replay(tmp_path, "run", market())
    others = [replay(tmp_path, symbol[0], changed(market(), symbol, 9, dearer)) for symbol in SYMBOLS]
    caches = [cache_of(other) for other in others]  # each has one symbol as it was, and one changed
    inputs = inputs_of(Run.open(run), caches)
    assert inputs.candles is not None
    assert inputs.candles.lost == []
    assert list(inputs.events()) == slices_of(tmp_path / "c", market())
    alone = inputs_of(Run.open(run), caches[:1]).candles
    assert alone is not None
    assert {symbol for symbol, _, _ in alone.lost} == {"AAA/X"}


def test_a_damaged_month_is_lost(tmp_path: Path) -> None:
    run = replay(tmp_path, "run", market())
    path = next(cache_of(run).root.rglob("2025-03.parquet"))
    path.write_bytes(path.read_bytes()[:-20])
    candles = inputs_of(Run.open(run), [cache_of(run)]).candles
    assert candles is not None
    assert [(timeframe, month) for _, timeframe, month in candles.lost] == [("1m", "2025-03")]


def test_hidden_months_are_not_read(tmp_path: Path) -> None:
    run = replay(tmp_path, "run", market())
    candles = ManifestCandles(Run.open(run).manifest["data"], [cache_of(run)])
    assert candles.months("AAA/X", "1m") == ["2025-03"]
    candles.hide([("AAA/X", "1m", month) for month in candles.months("AAA/X", "1m")])
    assert candles.months("AAA/X", "1m") == []
    assert candles.any_months
    candles.hide([("BBB/X", "1m", month) for month in candles.months("BBB/X", "1m")])
    assert not candles.any_months


def test_a_tape_is_what_a_session_was_fed(tmp_path: Path) -> None:
    slices = slices_of(tmp_path / "c", market())[:100]
    inputs = inputs_of(Run.open(session(tmp_path / "live", slices)), [CandleCache(tmp_path / "none")])
    events = list(inputs.events())
    assert events[:-1] == slices
    assert isinstance(events[-1], EndOfData)
    assert all(isinstance(event, Slice) for event in events[:-1])
    assert inputs.are_known


def test_a_run_that_names_neither_is_not_known(tmp_path: Path) -> None:
    run = replay(tmp_path, "run", market())
    edit(run / "manifest.json", lambda content: content.update(data={}))
    assert not inputs_of(Run.open(run), [cache_of(run)]).are_known


@pytest.mark.parametrize(("override", "warmup"), [("startup_candles=70", 70), ("startup_candles=auto", 295)])
def test_the_warm_up(tmp_path: Path, override: str, warmup: int) -> None:
    run = Run.open(replay(tmp_path, "run", market(), override))
    assert warmup_of(run) == warmup
    assert settings_of(run).live.symbols == tuple(SYMBOLS)
    assert WARMUP not in (70, 295)


def test_month_files_in_words() -> None:
    series = [("A/B", "1m", f"2025-0{month}") for month in range(1, 7)]
    assert named(series[:2]) == "A/B 1m 2025-01, A/B 1m 2025-02"
    assert named(series) == "A/B 1m 2025-01, A/B 1m 2025-02, A/B 1m 2025-03 and 3 more"


def test_a_damaged_tape_is_no_input(tmp_path: Path) -> None:
    run = session(tmp_path / "live", slices_of(tmp_path / "c", market())[:100])
    path = next((run / "tape").glob("*.jsonl"))
    content = path.read_bytes()
    path.write_bytes(content[:2000] + b"x" + content[2001:])
    with pytest.raises(DataError, match="is damaged"):
        list(inputs_of(Run.open(run), [CandleCache(tmp_path / "none")]).events())
