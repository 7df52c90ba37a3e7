"""Research over a list of strategies with managed exits, limits and protections: every number is the backtest's."""

import hashlib
import json
import pickle
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.candles.cache import CandleCache
from app.candles.month_file import CandleColumns
from app.candles.resample import resample
from app.cli.main import main
from app.errors import ConfigError
from app.research.assumptions import find_assumptions
from app.research.loaded_candles import LoadedCandles
from app.research.monte_carlo import METHODS, Asked, monte_carlo
from app.research.parameters import Parameter, parse_parameters
from app.research.search import Search, SearchOptions, prepare_search
from app.research.study import why_infeasible
from app.research.trial import Task, run_trial
from app.research.walk_forward import InSampleSearch, prepare_walk, walk_windows
from app.research.windows import WindowRule
from app.research.workbench import Workbench
from app.research.workers import LocalWorkers
from app.runs.reader import Run
from app.session.backtest import ConfigBacktestRunner
from app.session.candle_supply import Supply
from app.settings.profile import Settings, load_settings
from app.strategies.loader import check_settings
from app.times import DAY_MS, parse_time_ms
from tests.searches import CACHE, END, END_MS, START, START_MS, InlineWorkers
from tests.several import profile, write_profile

PARAMS = ("strategies.trend.exits.trailing.distance_r=0.5:1.5:0.5", "strategies.dip.params.fast=3,8,25")


def settings(folder: Path, *overrides: str) -> Settings:
    return Supply(CandleCache(CACHE), offline=True).complete(load_settings(profile(folder), overrides))


def runner(folder: Path, **options: Any) -> ConfigBacktestRunner:
    fields = {"config": write_profile(folder), "cache": CACHE, "start": START, "end": END, "offline": True, **options}
    return ConfigBacktestRunner(**fields)


def parse(folder: Path, *texts: str, config: Any = None) -> tuple[Parameter, ...]:
    own = settings(folder) if config is None else load_settings(config)
    return parse_parameters(texts, own, check_settings(own))


# A trial.


@pytest.mark.parametrize(
    "overrides",
    [[], ["fill=close", "limit_fill=touch"], ["strategies.trend.exits.time.candles=3", "startup_candles=auto"]],
)
def test_a_trial_is_the_backtest_byte_for_byte(tmp_path: Path, overrides: list[str]) -> None:
    candles = LoadedCandles.load(CandleCache(CACHE), ["BTC/USDT"], "1h", START_MS - 60 * DAY_MS, END_MS)
    trial = run_trial(candles, settings(tmp_path, *overrides), START_MS, END_MS)
    written = runner(tmp_path, overrides=overrides, out=tmp_path / "run").run()
    assert trial.results == dict(written)
    log = (written.folder / written["files"]["trades"]).read_bytes()
    assert trial.trades_sha256 == hashlib.sha256(log).hexdigest()
    assert trial.rows.equity.tolist() == written.equity.equity.tolist()
    assert trial.balances.tolist() == written.equity.balance.tolist()
    reasons = set(written.fills.reason)
    assert reasons >= {"signal", "stop_loss", "partial_target", "break_even", "trailing_stop", "time_exit"}
    assert set(written.fills.strategy) == {"trend", "dip", "slow"}
    refused = written["funnel"]["refused_by_gate"]
    assert refused["cooldown"] > 0
    assert len(trial.trades) == written["performance"]["total_trades"]


# Parameters.


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("strategies.trend.params.ema_fast=5:7", "strategies.trend.params.ema_fast", ["5", "6", "7"]),
        ("live.strategies.dip.params.fast=3,8", "strategies.dip.params.fast", ["3", "8"]),
        ("strategies.trend.exits.trailing.distance_r=0.5:2:0.5", "strategies.trend.exits.trailing.distance_r",
         ["0.5", "1", "1.5", "2"]),
        ("strategies.trend.exits.break_even.at_r=0,1", "strategies.trend.exits.break_even.at_r", ["0", "1"]),
        ("strategies.trend.exits.partial.1.at_r=0.6:1.8:0.6", "strategies.trend.exits.partial.1.at_r",
         ["0.6", "1.2", "1.8"]),
        ("strategies.slow.exits.time.candles=10:12", "strategies.slow.exits.time.candles", ["10", "11", "12"]),
        ("strategies.trend.risk.reward_risk_ratio=1.5:3:0.5", "strategies.trend.risk.reward_risk_ratio",
         ["1.5", "2", "2.5", "3"]),
        ("strategies.dip.allocation=0.1:0.5:0.2", "strategies.dip.allocation", ["0.1", "0.3", "0.5"]),
        ("protections.0.candles=1:3", "protections.0.candles", ["1", "2", "3"]),
        ("trading.protections.1.stops=2,3", "protections.1.stops", ["2", "3"]),
        ("trading_mode.protections.0.scope=line,account", "protections.0.scope", ["line", "account"]),
        ("risk.max_position_pct=0.1:0.5:0.2", "risk.max_position_pct", ["0.1", "0.3", "0.5"]),
    ],
)  # fmt: skip
def test_keys_of_a_list(tmp_path: Path, text: str, key: str, values: list[str]) -> None:
    (parameter,) = parse(tmp_path, text)
    assert parameter.key == key
    assert [parameter.text(place) for place in range(parameter.count or 0)] == values


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("strategies.trnd.params.ema_fast=5:7", "unknown key strategies.trnd.params.ema_fast; did you mean "
                                                "strategies.trend.params.ema_fast?"),
        ("strategies.trend.params.ema_fst=5:7", "did you mean strategies.trend.params.ema_fast?"),
        ("strategies.trend.exits.trailing.distanc_r=1:2", "did you mean strategies.trend.exits.trailing.distance_r?"),
        ("ema_fast=5:7", "the config has a list of strategies; write strategies.trend.params.ema_fast"),
        ("fast=5:7", "write strategies.dip.params.fast or strategies.slow.params.fast"),
        ("exits.time.candles=5:7", "write strategies.trend.exits.time.candles or strategies.dip.exits.time.candles or "
                                   "strategies.slow.exits.time.candles"),
        ("strategies.trend.exits.time.candles=1.5:7", "is a whole number"),
        ("strategies.trend.exits.time.candles=0:7", "exits.time.candles: it must be a whole number of at least 1"),
        ("strategies.trend.exits.partial.0.fraction=0.5:1", "partial.0.fraction: it must be a number above 0 and "
                                                            "below 1 \\(it is 1\\)"),
        ("strategies.trend.exits.partial.2.at_r=1:2", "unknown key strategies.trend.exits.partial.2.at_r"),
        ("strategies.trend.allocation=0.5:1.5", "it must be at most 1 \\(it is 1.5\\)"),
        ("strategies.trend.risk.risk_per_trade=0.01:2", "it must be at most 1 \\(it is 2\\)"),
        ("strategies.dip.params.fast=2,x", "strategy.params.fast: 'x' is not a whole number"),
        ("strategies.trend.name=A,B", "unknown key strategies.trend.name"),
        ("protections.7.candles=1:3", "unknown key protections.7.candles; did you mean protections.0.candles?"),
        ("protections.0.candles=0:3", "protections.0.candles: it must be at least 1 \\(it is 0\\)"),
        ("protections.0.stops=1:3", "unknown key protections.0.stops"),
    ],
)  # fmt: skip
def test_keys_that_a_list_has_not(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=f"^--param {text}: .*{told}"):
        parse(tmp_path, text)


def test_keys_of_the_short_form_and_of_a_list_of_one(tmp_path: Path) -> None:
    live = {"exchange": "x", "symbols": ["A/B"], "timeframe": "1m"}
    short = {"live": {**live, "strategy": {"name": "ScalpingEMARSI"}}}
    texts = ("exits.trailing.distance_r=0.5:2:0.5", "strategy.exits.time.candles=5:9", "strategy.allocation=0.5,1",
             "strategy.risk.risk_per_trade=0.01,0.02", "ema_fast=5:9")  # fmt: skip
    keys = [parameter.key for parameter in parse(tmp_path, *texts, config=short)]
    assert keys == [
        "strategy.exits.trailing.distance_r", "strategy.exits.time.candles", "strategy.allocation",
        "strategy.risk.risk_per_trade", "strategy.params.ema_fast",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match=r"strategy.exits.time.candles is searched already"):
        parse(tmp_path, "exits.time.candles=5:9", "strategy.exits.time.candles=5:9", config=short)
    one = {"live": {**live, "strategies": [{"id": "only", "name": "ScalpingEMARSI"}]}}
    keys = [parameter.key for parameter in parse(tmp_path, "ema_fast=5:9", "exits.time.candles=5:9", config=one)]
    assert keys == ["strategies.only.params.ema_fast", "strategies.only.exits.time.candles"]


def test_each_strategys_constraints_are_held_against_its_own_parameters(tmp_path: Path) -> None:
    own = settings(tmp_path)
    strategies = check_settings(own)

    def why(*overrides: str) -> str | None:
        return why_infeasible(own, strategies, overrides)

    assert why("strategies.dip.params.fast=25", "strategies.dip.params.slow=30") is None
    assert why("strategies.dip.params.fast=25") == "dip: fast < slow"
    assert why("strategies.slow.params.fast=25") is None  # its own slow is 30
    assert why("strategies.slow.params.fast=30") == "slow: fast < slow"
    assert why("strategies.trend.params.ema_fast=21") == "trend: ema_fast < ema_slow"
    assert why("strategies.trend.allocation=0.6") == "allocations of at most 1 together"
    assert (
        why("strategies.trend.exits.partial.0.at_r=1.2") == "strategies.trend.exits.partial.1.at_r fits the other keys"
    )
    for together in ("strategies.trend.exits.partial.0.at_r=1",
                     "strategies.trend.exits.partial.1.at_r=2", "strategies.trend.exits.partial.1.fraction=0.7",
                     "strategies.trend.exits.trailing.distance_pct=0.01"):  # fmt: skip
        assert why(together) is not None, together


# A study.


def prepared(folder: Path, **changes: Any) -> Search:
    fields = {"params": PARAMS, "method": "grid", "objective": "return", **changes}
    return prepare_search(runner(folder), SearchOptions(**fields))


def test_a_study_whatever_its_workers_and_stopped_between(tmp_path: Path) -> None:
    search = prepared(tmp_path)
    with_processes = LocalWorkers(search.workbench, 2)
    try:
        found = search.run(with_processes, tmp_path / "processes")
    finally:
        with_processes.close()
    assert found.study.infeasible == {"dip: fast < slow": 3}
    assert len(found.study.trials) == 6
    best = found.study.best
    assert best is not None
    stopped = tmp_path / "stopped"
    inline = InlineWorkers(search.workbench)

    def stop(done: int, of: int, leader: Any) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepared(tmp_path).run(inline, stopped, stop)
    asked = len(inline.asked)
    prepared(tmp_path).run(inline, stopped)
    assert asked == 3
    assert [task.overrides for task in inline.asked[asked:]].count(inline.asked[0].overrides) == 0
    content = (tmp_path / "processes/study.json").read_bytes()
    assert (stopped / "study.json").read_bytes() == content
    words = shlex.split(json.loads(content)["best"]["command"] if "command" in json.loads(content)["best"]
                        else search.command(best))  # fmt: skip
    assert main([*words[3:], "--out", str(tmp_path / "alone"), "--no-report"]) == 0
    (log,) = (tmp_path / "alone").glob("config_backtest_*.csv")
    assert hashlib.sha256(log.read_bytes()).hexdigest() == best.outcome.trades_sha256
    assert found.neighbourhood is not None
    assert len(found.neighbourhood.neighbours) >= 2


def test_another_list_is_another_study(tmp_path: Path) -> None:
    first = prepared(tmp_path)
    assert prepared(tmp_path).identity == first.identity
    (tmp_path / "other/dip.py").write_text((tmp_path / "other/dip.py").read_text() + "# changed\n")
    changed = prepare_search(
        ConfigBacktestRunner(tmp_path / "live.yaml", START, END, cache=CACHE, offline=True),
        SearchOptions(PARAMS, "grid", "return"),
    )
    assert changed.identity["strategy_sha256"] != first.identity["strategy_sha256"]


def test_every_strategys_file_travels(tmp_path: Path) -> None:
    here = Workbench(settings(tmp_path), START_MS - 31 * DAY_MS, END_MS, cache=CACHE)
    task = Task(1, ("strategies.dip.params.fast=8", "strategies.slow.params.slow=25"), START_MS, END_MS)
    there = pickle.dumps(here.packed(with_candles=True))
    answer = here.answer(task)
    for file in tmp_path.rglob("*.py"):
        file.unlink()
    moved = pickle.loads(there).unpacked(tmp_path / "there", None)
    assert moved.answer(task) == answer
    files = sorted(str(path.relative_to(tmp_path / "there")) for path in (tmp_path / "there").rglob("*.py"))
    assert files == ["strategy/1/dip.py", "strategy/2/dip.py"]


# What else asks the runtime.


def test_a_walk_forward(tmp_path: Path) -> None:
    rule = WindowRule(30 * DAY_MS, 10 * DAY_MS, 0, anchored=False)
    options = SearchOptions((*PARAMS, "strategies.trend.allocation=0.1,0.5,0.9"), "random", "return", trials=4)
    walk, search = prepare_walk(runner(tmp_path), options, rule)
    blocks = walk_windows(walk, InSampleSearch(search, InlineWorkers(search.workbench)), tmp_path / "walk")
    assert len(blocks) == 2
    balance = 10_000.0
    for block in blocks:
        out = block["out_of_sample"]
        assert (out["starting_balance"], out["trades"] > 0) == (balance, True)
        words = shlex.split(block["command"])[3:]
        assert main([*words, "--out", str(tmp_path / f"alone{block['number']}"), "--no-report"]) == 0
        (log,) = (tmp_path / f"alone{block['number']}").glob("config_backtest_*.csv")
        assert hashlib.sha256(log.read_bytes()).hexdigest() == block["trades_sha256"]
        balance = out["final_balance"]


def test_monte_carlo(tmp_path: Path) -> None:
    runner(tmp_path, out=tmp_path / "run").run()
    run = Run.open(tmp_path / "run")
    found = monte_carlo(run, Asked(runs=3), [CandleCache(CACHE)], 1)
    assert tuple(found["methods"]) == METHODS
    assert all("not_possible" not in answer for answer in found["methods"].values()), found["methods"]
    assert json.dumps(monte_carlo(run, Asked(runs=3), [CandleCache(CACHE)], 2)) == json.dumps(found)
    assert found["methods"]["candles"]["trades"]["observed"] == run.results["performance"]["total_trades"]


def test_assumptions_on_finer_candles_wait_as_long_as_before(tmp_path: Path) -> None:
    sample, made = CandleCache(CACHE), CandleCache(tmp_path / "cache")
    span = parse_time_ms("2022-11-01"), END_MS
    months = [sample.read("BTC/USDT", "1h", month) for month in sample.months_between("BTC/USDT", "1h", *span)]
    columns = CandleColumns(*(np.concatenate(parts) for parts in zip(*months, strict=True)))
    made.merge("BTC/USDT", "1h", columns)
    made.merge("BTC/USDT", "4h", resample(columns, "1h", "4h"))
    # Only time takes a market entry out again, so its trades begin and end at the same moments on both.
    alone = "strategies=[{id: trend, name: ScalpingEMARSI, exits: {time: {candles: 12}}}]"
    overrides = [alone, "risk.atr_stop_multiplier=40", "protections=[{kind: cooldown, candles: 4}]"]
    found = find_assumptions(runner(tmp_path, cache=made.root, interval="4h", overrides=overrides), finer="1h")
    assert found.strategy_timeframe == "4h"
    coarse, fine = found.doubts
    assert coarse.pessimistic.total_trades == fine.pessimistic.total_trades >= 4
    assert coarse.pessimistic.final_equity == fine.pessimistic.final_equity
    # A limit that never fills expires after as many hours.
    never = ["strategies.dip.params.below=15", "strategies.slow.params.below=15"]
    dip = [f"strategies.{one}.timeframe=4h" for one in ("trend", "dip", "slow")]
    own: dict[str, Any] = {
        "config": tmp_path / "live.yaml",
        "cache": made.root,
        "start": START,
        "end": END,
        "offline": True,
    }
    on_4h = ConfigBacktestRunner(**own, interval="4h", overrides=never, out=tmp_path / "4h").run()
    on_1h = ConfigBacktestRunner(
        **own, interval="1h", overrides=[*never, *dip, "startup_candles=960"], counted_in="4h", out=tmp_path / "1h"
    ).run()
    assert on_4h["funnel"]["cancelled"]["expired"] == on_1h["funnel"]["cancelled"]["expired"] > 20
    assert find_assumptions(runner(tmp_path)).strategy_timeframe == "trend 1h, dip 1h, slow 4h"
