"""Preparing a search: checked before anything runs, its identity, its command line, and the proof of its best."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.errors import ConfigError, DataError
from app.research.search import Search, SearchOptions, prepare_search
from app.research.study_file import first_difference
from app.session.backtest import ConfigBacktestRunner
from tests.searches import CACHE, InlineWorkers, runner, settings

PARAMS = ("ema_fast=5:20:5", "ema_slow=15:40:5")


def prepared(own: ConfigBacktestRunner | None = None, **changes: Any) -> Search:
    fields = {"params": PARAMS, "method": "random", "objective": "return", "trials": 12, **changes}
    return prepare_search(own or runner(), SearchOptions(**fields))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"method": "brute"}, "--method brute: known are grid, random, bayes, genetic"),
        ({"method": "grid"}, "the grid has 24 points, --trials 12 runs fewer"),
        ({"method": "grid", "params": ("rsi_long_min=40:60",), "trials": None}, "needs a step"),
        ({"objective": "sharp"}, "unknown sharp; did you mean sharpe"),
        ({"params": ()}, "nothing to search"),
    ],
)
def test_bad_input(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        prepared(**changes)


def test_trials_and_batches() -> None:
    assert prepared(method="grid", trials=None).plan.trials == 24
    assert prepared(method="grid", trials=24).plan.trials == 24
    assert prepared(trials=None).plan.trials == 100
    assert (prepared(method="bayes").plan.batch, prepared(batch=3).plan.batch) == (8, 3)


def test_what_makes_it_another_study(tmp_path: Path) -> None:
    first = prepared()
    assert prepared(trials=50).identity == first.identity  # more trials of the same study
    others: dict[str, dict[str, Any]] = {
        "param": {"params": PARAMS[:1]},
        "method": {"method": "bayes"},
        "objective": {"objective": "expectancy"},
        "min_trades": {"min_trades": 5},
        "seed": {"seed": 2},
        "batch": {"batch": 5},
    }
    for name, changes in others.items():
        told = first_difference(first.identity, prepared(**changes).identity)
        assert told is not None
        assert told.startswith(f"{name} was "), name
    told = first_difference(first.identity, prepared(runner(overrides=["risk.reward_risk_ratio=3"])).identity)
    assert told == "config.risk.reward_risk_ratio was 2.0 and is 3.0"
    told = first_difference(first.identity, prepared(runner(end="2023-02-28")).identity)
    assert told is not None
    assert told.startswith("period.end was")
    assert prepared().key == first.key != prepared(seed=2).key


def test_the_warm_up_that_hangs_on_parameters_reads_every_month_before() -> None:
    fixed, auto = prepared(), prepared(runner(overrides=["startup_candles=auto"]))
    assert len(auto.run_plan.months) > len(fixed.run_plan.months)
    assert auto.workbench.start_ms < fixed.workbench.start_ms


def test_the_best_is_run_again_with_files(tmp_path: Path) -> None:
    found = prepared().run(InlineWorkers(), tmp_path / "study")
    best = found.study.best
    assert best is not None
    content = json.loads((tmp_path / "study/study.json").read_text())
    results = json.loads((tmp_path / f"study/best-{best.number}/results.json").read_text())
    assert results["performance"] == content["best"]["performance"]
    assert (tmp_path / "study/heat_map.html").read_text().startswith("<!doctype html>")
    again = InlineWorkers()
    prepared().run(again, tmp_path / "study")  # everything is known: the study is finished already
    assert again.asked == []
    assert json.loads((tmp_path / "study/study.json").read_text()) == content


def test_a_best_that_is_no_backtest_is_a_bug(tmp_path: Path) -> None:
    other = InlineWorkers()
    other.workbench.settings = settings("slippage_rate=0.001")
    with pytest.raises(RuntimeError, match=r"trial \d+ has another trade log than its backtest in"):
        prepared().run(other, tmp_path / "study")


def test_a_study_of_other_candles_is_refused(tmp_path: Path) -> None:
    prepared().run(InlineWorkers(), tmp_path / "study")
    shutil.copytree(CACHE, tmp_path / "cache")
    same = prepared(runner(cache=tmp_path / "cache"))
    same.run(InlineWorkers(), tmp_path / "study")
    candles = {name: dict(months) for name, months in same.identity["candles"].items()}
    candles["BTC/USDT 1h"]["2023-01"] = "0" * 64
    with pytest.raises(DataError, match=r"another study: candles.BTC/USDT 1h.2023-01 was"):
        dataclasses.replace(same, identity={**same.identity, "candles": candles}).run(
            InlineWorkers(), tmp_path / "study"
        )


def test_the_command_line_has_all_that_the_search_was_given() -> None:
    own = runner(symbols=["BTC/USDT"], interval="1h", strategy="ScalpingEMARSI", overrides=["slippage_rate=0.0001"])
    study = prepared(own)
    trial = dataclasses.make_dataclass("Best", ["overrides"])(("strategy.params.ema_fast=5",))
    words = study.command(trial).split()
    for option, value in {
        "--mode": "backtest", "--symbols": "BTC/USDT", "--interval": "1h", "--strategy": "ScalpingEMARSI",
        "--start": "2023-01-01", "--end": "2023-03-01",
    }.items():  # fmt: skip
        assert words[words.index(option) + 1] == value
    assert words[-4:] == ["--set", "slippage_rate=0.0001", "--set", "strategy.params.ema_fast=5"]
    assert "--offline" in words


def test_folders_are_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = prepared()
    monkeypatch.chdir(tmp_path)
    first = study.default_folder()
    assert first == Path("logs/searches/search_2023-01-01_2023-03-01") and first.is_dir()
    assert study.default_folder().name == "search_2023-01-01_2023-03-01-2"
