"""The plan of a run: which candles its events held, what was short of it, and files that are described alike."""

from pathlib import Path

import pytest

from app.errors import OutputError
from app.models.events import EndOfData, Kill, LateCandle
from app.runs.run_folder import RunFolder
from app.session.plan import EventCoverage, versions
from tests.live_sessions import live, market
from tests.made import BTC, ETH, MINUTE_MS, candle, slice_of


def test_coverage_counts_the_candles_of_slices_and_their_gaps() -> None:
    coverage = EventCoverage((BTC, ETH), "1m")
    for event in (
        slice_of(candle(at=0), warmup=True),
        slice_of(candle(at=1), candle(at=1, symbol=ETH)),
        slice_of(candle(at=2)),
        LateCandle(candle(at=0), warmup=True),
        LateCandle(candle(at=3)),
        slice_of(candle(at=5), candle(at=5, symbol=ETH)),
        Kill("x"),
        EndOfData(),
    ):
        coverage.note(event)
    own, other = coverage.series[BTC], coverage.series[ETH]
    assert (own.warmup_candles, own.candles, own.gaps, own.late_candles) == (2, 3, 1, 1)
    assert (own.first_open_ms, own.last_open_ms) == (MINUTE_MS, 5 * MINUTE_MS)
    assert (other.warmup_candles, other.candles, other.gaps) == (0, 2, 1)
    assert list(coverage.series) == [BTC, ETH]


async def test_results_and_manifest_name_what_was_short(tmp_path: Path) -> None:
    made = live(tmp_path)
    await made.run(*market())
    results = made.results
    assert (results["mode"], results["status"], results["timeframe"]) == ("paper", "finished", "1m")
    candles = made.view.coverage.series
    assert results["candles_processed"]["total"] == sum(own.candles for own in candles.values())
    missing = {one["symbol"]: one["missing_candles"] for one in results["shortfalls"]}
    # What came late is not missing.
    assert sum(own.late_candles for own in candles.values()) == 1
    there = {symbol: own.candles + own.late_candles for symbol, own in candles.items()}
    assert missing == {symbol: 40 - count for symbol, count in there.items() if count < 40}
    assert sum(missing.values()) == results["missing_candles"] > 0
    manifest = made.plan.manifest(made.folder)
    assert set(manifest["outputs_sha256"]) == {"trades", "equity", "signals"}
    assert versions().items() <= manifest["versions"].items()
    assert manifest == made.plan.manifest(made.folder)


async def test_what_was_never_replayed_after_a_stop_is_not_missing(tmp_path: Path) -> None:
    made = live(tmp_path)
    for event in market()[:12]:
        await made.recorded.handle(event)
    made.recorded.recorder.finish()
    series = list(made.view.coverage.series.values())
    stopped = made.plan.results("stopped", "", series, made.recorded.runtime, made.recorded.recorder, made.folder)
    finished = made.plan.results("finished", "", series, made.recorded.runtime, made.recorded.recorder, made.folder)
    assert finished["missing_candles"] - stopped["missing_candles"] == 2 * (40 - 7)
    assert stopped["note"] == "a test"
    made.close()


def test_a_folder_that_cannot_be_written_is_told_and_nothing_stays_open(tmp_path: Path) -> None:
    made = live(tmp_path / "run")
    made.close()
    blocked = RunFolder(tmp_path / "blocked", "x")
    blocked.folder.mkdir()
    blocked.trades.mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        made.plan.recorder(blocked)
