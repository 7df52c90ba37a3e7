"""Monte Carlo on a finished run: all methods as one mapping, the same bytes again, and every bad input in one line."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app import run_config_backtest
from app.candles.cache import CandleCache
from app.errors import ConfigError, DataError
from app.research.monte_carlo import METHODS, Asked, ledger_of, monte_carlo
from app.runs.reader import Run

ROOT = Path(__file__).resolve().parents[3]
CONFIG, CACHE = ROOT / "config/sample/live.yaml", ROOT / "data/sample"
SAMPLE = (CandleCache(CACHE),)
NEVER = "strategy.params.volume_factor=1e9"


def made(folder: Path, *overrides: str, end: str = "2023-04-15") -> Run:
    run_config_backtest("2023-03-01", end, config=CONFIG, cache=CACHE, out=folder, overrides=overrides, offline=True)
    return Run.open(folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made(tmp_path_factory.mktemp("runs") / "run")


def test_the_ledger_is_the_runs(run: Run) -> None:
    ledger, performance = ledger_of(run), run.results["performance"]
    assert len(ledger.pnl) == performance["total_trades"]
    assert ledger.starting_balance + ledger.pnl.sum() == pytest.approx(performance["final_balance"], abs=1e-6)
    assert ledger.daily_returns is not None
    assert len(ledger.daily_returns) == 45
    assert np.prod(1.0 + ledger.daily_returns) == pytest.approx(performance["final_equity"] / 10_000)


def test_all_methods_and_the_same_bytes_again(run: Run) -> None:
    told: list[tuple[str, int, int]] = []
    asked = Asked(runs=20, seed=3)
    found = monte_carlo(run, asked, SAMPLE, 1, lambda *progress: told.append(progress))
    assert tuple(found["methods"]) == METHODS
    assert json.dumps(monte_carlo(run, asked, SAMPLE, 2), allow_nan=False) == json.dumps(found, allow_nan=False)
    assert json.dumps(monte_carlo(run, Asked(runs=20, seed=4), SAMPLE, 1)) != json.dumps(found)
    assert told[:3] == [("shuffle", 20, 20), ("trades", 20, 20), ("days", 20, 20)]
    assert told[-1] == ("candles", 20, 20)
    for answer in found["methods"].values():
        assert answer["keeps"]
        assert answer["tells"]
        assert answer["cannot_tell"]
        assert answer["final_equity"]["observed"] == pytest.approx(found["final_equity"])
    assert found["run"]["outputs_sha256"] == run.manifest["outputs_sha256"]


def test_a_method_alone_draws_as_it_does_among_others(run: Run) -> None:
    together = monte_carlo(run, Asked(runs=30), SAMPLE)["methods"]
    for method in METHODS:
        assert monte_carlo(run, Asked([method], runs=30), SAMPLE)["methods"][method] == together[method]


def test_by_default_candles_are_asked_less_often() -> None:
    asked = Asked()
    assert [asked.question(method).runs for method in METHODS] == [1_000, 1_000, 1_000, 100]
    assert Asked(runs=7).question("candles").runs == 7


def test_a_method_that_cannot_answer_says_so_beside_the_others(run: Run, tmp_path: Path) -> None:
    nowhere = [CandleCache(tmp_path / "empty")]
    methods = monte_carlo(run, Asked(runs=5), nowhere)["methods"]
    assert "not in" in methods["candles"]["not_possible"]
    assert "final_equity" in methods["days"]
    with pytest.raises(DataError, match="name the cache with --cache"):
        monte_carlo(run, Asked(["candles"], runs=5), nowhere)


def test_a_run_without_trades(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no closed trade, so there is nothing to draw from"):
        monte_carlo(made(tmp_path / "run", NEVER), Asked(), SAMPLE)


def test_a_run_of_one_day(tmp_path: Path) -> None:
    run = made(tmp_path / "run", end="2023-03-02")
    with pytest.raises(DataError, match="it has 1 day, and 2 are needed"):
        monte_carlo(run, Asked(["days"], runs=5), SAMPLE)
    assert "1 day" in monte_carlo(run, Asked(runs=5), SAMPLE)["methods"]["days"]["not_possible"]


@pytest.mark.parametrize("key", ["trades", "equity"])
def test_a_damaged_file(run: Run, tmp_path: Path, key: str) -> None:
    shutil.copytree(run.folder, tmp_path / "run")
    damaged = Run.open(tmp_path / "run")
    damaged.file(key).write_bytes(damaged.file(key).read_bytes()[:-20])
    with pytest.raises(DataError, match="is damaged: it is not the file that its run wrote"):
        monte_carlo(damaged, Asked(), SAMPLE)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"methods": ["shufle"]}, "--method shufle: unknown; known are shuffle, trades, days, candles and all"),
        ({"runs": 0}, "--runs 0: at least one path is needed"),
        ({"seed": -1}, "--seed -1: write a whole number of at least 0"),
        ({"ruin": 1.0}, "--ruin 1: write a share of the starting balance between 0 and 1, like 0.5"),
        ({"ruin": float("nan")}, "--ruin nan: write a share"),
        ({"mean_block": 0.5}, "--block 0.5: a block has at least 1 trade, day or candle"),
    ],
)
def test_what_cannot_be_asked(run: Run, asked: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        monte_carlo(run, Asked(**asked), SAMPLE)
    assert str(refused.value).startswith(problem)
