"""Monte Carlo on candles: the one runtime on made-up histories, any number of workers, and what may be gone."""

import json
import os
import shutil
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from app import run_config_backtest
from app.candles.cache import CandleCache
from app.errors import DataError
from app.research import candle_paths
from app.research.bootstrap import draws_of
from app.research.candle_paths import CANDLES, CandlePaths, PathOutcome, PathTask, candle_block
from app.research.resampled_candles import moves_of
from app.research.resampled_ledger import Question
from app.runs.reader import Run

ROOT = Path(__file__).resolve().parents[3]
CONFIG, CACHE = ROOT / "config/sample/live.yaml", ROOT / "data/sample"
SAMPLE = (CandleCache(CACHE),)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "run"
    run_config_backtest("2023-03-01", "2023-04-15", config=CONFIG, cache=CACHE, out=folder, offline=True)
    return Run.open(folder)


def block(run: Run, question: Question, workers: int = 1) -> dict[str, object]:
    return candle_block(run, SAMPLE, question, workers, lambda done: None)


def test_the_runs_own_figures_stand_beside_the_paths(run: Run) -> None:
    answer = block(run, Question(runs=8))
    performance = run.results["performance"]
    assert answer["final_equity"]["observed"] == performance["final_equity"]  # type: ignore[index]
    assert answer["max_drawdown_pct"]["observed"] == pytest.approx(performance["max_drawdown_pct"])  # type: ignore[index]
    assert answer["trades"]["observed"] == performance["total_trades"]  # type: ignore[index]
    assert answer["observations"] == 45 * 24 + 240  # the warm-up is drawn, too
    assert answer["final_equity"]["lowest"] < answer["final_equity"]["highest"]  # type: ignore[index]


def test_the_same_bytes_with_any_number_of_workers(run: Run) -> None:
    alone = json.dumps(block(run, Question(runs=7, seed=5)))
    assert json.dumps(block(run, Question(runs=7, seed=5), workers=2)) == alone
    assert json.dumps(block(run, Question(runs=7, seed=6))) != alone


def paths_of(run: Run) -> CandlePaths:
    series = candle_paths._candles_of(run, SAMPLE)
    return CandlePaths(moves_of(series), run.settings, *run.period_ms)


def test_a_path_is_a_backtest_of_the_made_up_candles(run: Run, tmp_path: Path) -> None:
    paths = paths_of(run)
    cache = CandleCache(tmp_path / "cache")
    for symbol, columns in paths.moves.history(draws_of(9, CANDLES.number, 4)).items():
        cache.merge(symbol, run.timeframe, columns)
    start, end = (run.manifest["period"][key] for key in ("start", "end"))
    alone = run_config_backtest(start, end, config=CONFIG, cache=cache.root, out=tmp_path / "run", offline=True)
    outcome = paths.answer(PathTask(4, 9))
    assert outcome.final_equity == alone["performance"]["final_equity"]
    assert outcome.trades == alone["performance"]["total_trades"] > 10
    assert outcome.max_drawdown == alone["performance"]["max_drawdown_pct"] / 100.0
    assert outcome.lowest == alone.equity.equity.min()


@dataclass(frozen=True)
class DyingPaths(CandlePaths):
    """The process that makes path 2 is killed: each time, or only until `mark` exists."""

    mark: str | None = None

    def answer(self, task: PathTask) -> PathOutcome:
        if task.number == 2 and (self.mark is None or not Path(self.mark).exists()):
            if self.mark is not None:
                Path(self.mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().answer(task)


def test_paths_of_a_worker_that_died_are_made_again(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = block(run, Question(runs=5))
    mark = tmp_path / "died"
    monkeypatch.setattr(candle_paths, "CandlePaths", partial(DyingPaths, mark=str(mark)))
    assert block(run, Question(runs=5), workers=2) == alone
    assert mark.exists()


def test_a_worker_that_always_dies_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candle_paths, "CandlePaths", DyingPaths)
    with pytest.raises(DataError, match="path 2 ended its worker 3 times"):
        block(run, Question(runs=3), workers=2)


def test_candles_that_are_gone_from_the_cache(run: Run, tmp_path: Path) -> None:
    shutil.copytree(CACHE, tmp_path / "cache")
    (month,) = (tmp_path / "cache").rglob("2023-03.parquet")
    month.unlink()
    with pytest.raises(
        DataError, match=r"candles of BTC/USDT 1h 2023-03 that the run read are not in .*cache any more"
    ):
        candle_block(run, [CandleCache(tmp_path / "cache")], Question(runs=1), 1, lambda done: None)


def test_a_run_that_cannot_be_repeated_has_no_paths(run: Run, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "run")
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    manifest["settings"]["risk"]["reward_risk_ratio"] = 3.0
    (tmp_path / "run/manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"run again it gives other trades.*app reproduce"):
        block(Run.open(tmp_path / "run"), Question(runs=1))


def test_ruin_is_looked_for_in_every_slice(run: Run) -> None:
    lowest = min(paths_of(run).answer(PathTask(number, 1)).lowest for number in range(4))
    above, below = (
        block(run, Question(runs=4, ruin=level)) for level in (lowest / 10_000 - 1e-6, lowest / 10_000 + 1e-6)
    )
    assert (above["ruin_probability_pct"], below["ruin_probability_pct"]) == (0.0, 25.0)


def test_a_session_on_an_exchange_has_no_candles_of_a_cache(run: Run, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "run")
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    (tmp_path / "run/manifest.json").write_text(
        json.dumps(manifest | {"tape": {"run": "x", "sha256": "y", "last_seq": None}})
    )
    with pytest.raises(DataError, match="came from an exchange, not from a cache"):
        block(Run.open(tmp_path / "run"), Question(runs=1))


def test_the_candles_are_those_of_the_warmup_and_the_run(run: Run) -> None:
    (series,) = candle_paths._candles_of(run, SAMPLE).values()
    start_ms, end_ms = run.period_ms
    assert series.open_time_ms[[0, -1]].tolist() == [start_ms - 240 * 3_600_000, end_ms - 3_600_000]
    assert np.all(np.diff(series.open_time_ms) > 0)


def test_two_symbols_with_gaps_go_through_the_runtime(tmp_path: Path) -> None:
    real = CandleCache(CACHE).read("BTC/USDT", "1h", "2023-03")
    cache = CandleCache(tmp_path / "cache")
    cache.merge("A/USDT", "1h", real)
    cache.merge("B/USDT", "1h", real.take(np.flatnonzero(np.arange(len(real.volume)) % 50 > 5)))
    profile = {
        "live": {
            "exchange": "none", "symbols": ["A/USDT", "B/USDT"], "timeframe": "1h", "startup_candles": 48,
            "strategy": {"name": "ScalpingEMARSI"},
        }
    }  # fmt: skip
    span = ("2023-03-03", "2023-03-31")
    run_config_backtest(*span, config=profile, cache=cache.root, out=tmp_path / "run", offline=True)
    run = Run.open(tmp_path / "run")
    alone = json.dumps(candle_block(run, [cache], Question(runs=3), 1, lambda done: None))
    assert json.dumps(candle_block(run, [cache], Question(runs=3), 2, lambda done: None)) == alone
    series = candle_paths._candles_of(run, [cache])
    paths = CandlePaths(moves_of(series), run.settings, *run.period_ms)
    made = CandleCache(tmp_path / "made")
    for symbol, columns in paths.moves.history(draws_of(1, CANDLES.number, 2)).items():
        made.merge(symbol, "1h", columns)
    again = run_config_backtest(*span, config=profile, cache=made.root, out=tmp_path / "again", offline=True)
    outcome = paths.answer(PathTask(2, 1))
    assert outcome.final_equity == again["performance"]["final_equity"]
    assert outcome.trades == again["performance"]["total_trades"] > 0
    assert min(own["total_trades"] for own in again["per_symbol"].values()) > 0
    assert again["missing_candles"] > 0
