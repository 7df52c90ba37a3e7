"""Candles of a run: of its tape, of the cache by their hash, or said to be gone."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.models.events import Event, LateCandle
from app.models.market import Slice
from app.runs.candle_source import candles_of
from app.runs.run_on_disk import NO_TRADES, read_run
from tests.proof_runs import START_MS, SYMBOLS, market, session, slices_of
from tests.report_runs import made_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_run(tmp_path_factory.mktemp("runs"))


def test_of_the_cache_without_the_warm_up(run: Path) -> None:
    known = read_run(run)
    found = candles_of(known, [CandleCache(run.with_name("run_cache"))])
    assert found.problems == () and list(found.by_symbol) == SYMBOLS
    counted = {symbol: len(own.whole().open_time_ms) for symbol, own in found.by_symbol.items()}
    assert counted == known.results["candles_processed"]["per_symbol"]
    for own in found.by_symbol.values():
        times = own.whole().open_time_ms
        assert times[0] == own.first_ms >= START_MS and times[-1] == own.last_ms and own.least <= len(times)


def test_gone_from_the_cache(run: Path, tmp_path: Path) -> None:
    found = candles_of(read_run(run), [CandleCache(tmp_path)])
    assert found.by_symbol == {} and "month files are no longer in" in found.problems[0]


def test_without_a_manifest(run: Path) -> None:
    known = read_run(run)
    assert "no manifest names the files" in candles_of(replace(known, manifest={}), []).problems[0]
    assert "which symbols" in candles_of(replace(known, manifest={}, results={}, trades=NO_TRADES), []).problems[0]


def test_of_the_tape_with_what_came_late(tmp_path: Path) -> None:
    slices = slices_of(tmp_path / "cache", market())
    last = next(one for one in reversed(slices) if len(one.candles) == 2)
    slices = slices[: slices.index(last) + 1]
    late = LateCandle(last.candles[1])
    events: list[Event] = [*slices[:-1], Slice(last.close_time_ms, last.candles[:1], warmup=False), late]
    found = candles_of(read_run(session(tmp_path / "session", events)), [])
    streamed = [sum(one.symbol == name for s in slices if not s.warmup for one in s.candles) for name in SYMBOLS]
    assert [len(own.whole().open_time_ms) for own in found.by_symbol.values()] == streamed
    assert found.by_symbol[SYMBOLS[1]].whole().close[-1] == last.candles[1].close


def test_a_damaged_tape_is_said(tmp_path: Path) -> None:
    run = session(tmp_path / "session", slices_of(tmp_path / "cache", market()))
    tape = next((run / "tape").iterdir())
    data = bytearray(tape.read_bytes())
    data[len(data) // 2] ^= 1
    tape.write_bytes(data)
    assert "The candles cannot be shown" in candles_of(read_run(run), []).problems[0]
