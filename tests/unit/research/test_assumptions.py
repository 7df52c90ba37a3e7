"""The answers of one backtest: real runs that differ in one thing, and finer candles that leave less open."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.candles.cache import CandleCache
from app.candles.month_file import CandleColumns
from app.candles.resample import resample
from app.errors import ConfigError, DataError
from app.research.assumptions import Assumptions, find_assumptions
from app.session.backtest import ConfigBacktestRunner
from app.settings.shipped import SAMPLE_CACHE, SAMPLE_CONFIG
from app.times import parse_time_ms

TIGHT = ("risk.atr_stop_multiplier=0.5", "risk.reward_risk_ratio=1.0", "safety.max_drawdown=null")
YEAR = {"start": "2022-01-01", "end": "2023-01-01"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two years of the shipped sample, and the 4h candles that they make."""
    sample, made = CandleCache(SAMPLE_CACHE), CandleCache(tmp_path_factory.mktemp("assumptions"))
    months = sample.months_between("BTC/USDT", "1h", *(parse_time_ms(day) for day in ("2021-01-01", "2023-01-01")))
    columns = CandleColumns(*(np.concatenate(parts) for parts in zip(*read(sample, months), strict=True)))
    made.merge("BTC/USDT", "1h", columns)
    made.merge("BTC/USDT", "4h", resample(columns, "1h", "4h"))
    return made.root


def read(cache: CandleCache, months: list[str]) -> list[CandleColumns]:
    return [cache.read("BTC/USDT", "1h", month) for month in months]


def runner(cache: Path, *overrides: str, **changes: Any) -> ConfigBacktestRunner:
    own: dict[str, Any] = {"config": SAMPLE_CONFIG, "cache": cache, "interval": "4h", "offline": True, **YEAR}
    return ConfigBacktestRunner(**{**own, **changes}, overrides=(*TIGHT, *overrides))


@pytest.fixture(scope="module")
def found(cache: Path) -> Assumptions:
    return find_assumptions(runner(cache), finer="1h")


def test_finer_candles_leave_less_open(found: Assumptions) -> None:
    coarse, fine = found.doubts
    assert (coarse.timeframe, fine.timeframe, found.strategy_timeframe) == ("4h", "1h", "4h")
    assert coarse.pessimistic.both_levels > fine.pessimistic.both_levels
    assert 0.0 <= fine.width_pct < coarse.width_pct
    low, high = coarse.pessimistic.final_equity, coarse.optimistic.final_equity
    assert low <= fine.pessimistic.final_equity <= fine.optimistic.final_equity <= high


def test_the_strategy_sees_the_same_candles_on_both(found: Assumptions) -> None:
    # What it trades may part only where an exit came at another moment.
    coarse, fine = found.doubts
    assert coarse.pessimistic.total_trades > 40
    assert abs(coarse.pessimistic.total_trades - fine.pessimistic.total_trades) <= coarse.pessimistic.both_levels


def test_each_answer_is_the_run_that_a_user_could_make(found: Assumptions, cache: Path, tmp_path: Path) -> None:
    plain = runner(cache, out=tmp_path / "plain").run()
    assert found.configured.final_equity == plain["performance"]["final_equity"]
    assert found.doubts[0].pessimistic.final_equity == plain["performance"]["final_equity"]
    dear = ("trading_mode.commission_rate=0.002", "trading_mode.slippage_rate=0.001")
    twice = runner(cache, *dear, out=tmp_path / "twice").run()
    assert found.costs[2].final_equity == twice["performance"]["final_equity"]
    finer = runner(cache, "strategy.timeframe=4h", "startup_candles=960", interval="1h", out=tmp_path / "finer").run()
    assert found.doubts[1].pessimistic.final_equity == finer["performance"]["final_equity"]
    assert found.doubts[1].pessimistic.total_trades == finer["performance"]["total_trades"]


def test_costs_rise(found: Assumptions) -> None:
    assert [answer.name for answer in found.costs] == ["costs 0x", "costs 1x", "costs 2x", "costs 3x"]
    results = [answer.final_equity for answer in found.costs]
    assert results == sorted(results, reverse=True)
    assert {**asdict(found.costs[1]), "name": ""} == {**asdict(found.configured), "name": ""}


def test_a_touch_that_fills_has_a_pessimistic_run_of_its_own(cache: Path) -> None:
    half = {"start": "2022-01-01", "end": "2022-03-01"}
    told: list[str] = []
    touch = find_assumptions(runner(cache, "limit_fill=touch", **half), tell=told.append)
    assert told[1:3] == ["pessimistic 4h", "optimistic 4h"]
    through = find_assumptions(runner(cache, **half))
    asked = {**asdict(touch.doubts[0].pessimistic), "targets_touched": 0}
    assert asked == {**asdict(through.doubts[0].pessimistic), "targets_touched": 0}
    assert touch.doubts[0].optimistic == through.doubts[0].optimistic


def test_a_warm_up_keeps_its_length(cache: Path) -> None:
    # 40 candles of 1h would be 10 of 4h, fewer than the strategy declares.
    month = {"start": "2022-01-01", "end": "2022-02-01"}
    assert len(find_assumptions(runner(cache, "startup_candles=40", **month), finer="1h").doubts) == 2


def test_all_answers_are_about_the_period_of_the_first(cache: Path, tmp_path: Path) -> None:
    both = CandleCache(tmp_path / "cache")
    january = CandleCache(cache).read("BTC/USDT", "1h", "2022-01")
    both.merge("BTC/USDT", "1h", january)
    shorter = CandleColumns._make(column[: 24 * 20] for column in january)
    both.merge("BTC/USDT", "4h", resample(shorter, "1h", "4h"))
    open_end = {"start": "2022-01-10", "end": None}  # to the end of the cache, which is another one for 1h
    short = "startup_candles=40"
    found = find_assumptions(runner(both.root, short, **open_end), finer="1h")
    assert found.end == "2022-01-21T00:00:00.000Z"
    same = {"start": found.start, "end": found.end, "interval": "1h", "out": tmp_path / "run"}
    told = runner(both.root, "strategy.timeframe=4h", "startup_candles=160", **same).run()
    assert told["performance"]["total_trades"] > 0
    assert found.doubts[1].pessimistic.total_trades == told["performance"]["total_trades"]
    assert found.doubts[1].pessimistic.final_equity == told["performance"]["final_equity"]


def test_a_makers_rate_is_multiplied_too(cache: Path, tmp_path: Path) -> None:
    half = {"start": "2022-01-01", "end": "2022-03-01"}
    three = find_assumptions(runner(cache, "maker_commission_rate=0.0001", **half)).costs[3]
    dear = ("commission_rate=0.003", "slippage_rate=0.0015", "maker_commission_rate=0.0003")
    own = runner(cache, *dear, **half, out=tmp_path / "run").run()
    assert three.final_equity == pytest.approx(own["performance"]["final_equity"], abs=1e-9)


def test_the_runs_leave_nothing_behind(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    told: list[str] = []
    find_assumptions(runner(cache, start="2022-01-01", end="2022-01-05"), tell=told.append)
    assert list(tmp_path.iterdir()) == []
    assert told == ["as configured", "optimistic 4h", "costs 0x", "costs 2x", "costs 3x"]


@pytest.mark.parametrize("finer", ["4h", "1d", "3m", "8h"])
def test_finer_must_be_finer(cache: Path, finer: str) -> None:
    if finer == "3m":  # it divides 4h: only the cache can refuse it
        with pytest.raises(DataError, match=r"has no 3m candle of BTC/USDT from 2022-01-01 to 2023-01-01; get them"):
            find_assumptions(runner(cache), finer)
        return
    with pytest.raises(ConfigError, match=rf"--finer {finer}: name a timeframe that divides the session's, 4h"):
        find_assumptions(runner(cache), finer)


def test_candles_that_lack_are_said_with_the_command_that_gets_them(cache: Path) -> None:
    with pytest.raises(DataError) as refusal:
        find_assumptions(runner(cache), "1m")
    words = "data fetch --symbols BTC/USDT --timeframe 1m --start 2022-01-01 --end 2023-01-01 --exchange binance"
    assert f"python -m app {words} --cache {cache}" in str(refusal.value)
