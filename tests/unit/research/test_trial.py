"""A trial is the command line's run: the same results, the same trade log, any period, inside a running loop."""

import gc
import hashlib
from pathlib import Path

import numpy as np
import pytest

from app.candles.cache import CandleCache
from app.errors import DataError
from app.research.loaded_candles import LoadedCandles
from app.research.trial import run_trial
from app.settings.profile import load_settings
from app.times import parse_time_ms
from tests.searches import CACHE, CONFIG, END_MS, START_MS, runner, settings

MORE = ["strategy.params.ema_fast=5", "risk.reward_risk_ratio=1.2", "safety.max_drawdown=0.01"]


def loaded() -> LoadedCandles:
    own = settings()
    return LoadedCandles.load(CandleCache(CACHE), own.live.symbols, own.live.timeframe, START_MS, END_MS)


@pytest.mark.parametrize("overrides", [[], MORE, ["startup_candles=auto", "strategy.timeframe=4h"]])
def test_it_is_the_run_of_the_command_line(tmp_path: Path, overrides: list[str]) -> None:
    trial = run_trial(loaded(), settings(*overrides), START_MS, END_MS)
    written = runner(overrides=overrides, out=tmp_path / "run").run()
    assert trial.results == dict(written)
    log = (written.folder / written["files"]["trades"]).read_bytes()
    assert trial.trades_sha256 == hashlib.sha256(log).hexdigest()
    assert trial.results["performance"]["total_trades"] == len(trial.trades) > 0
    assert trial.halted == (overrides == MORE)
    equity = written.equity
    assert trial.rows.equity.tolist() == equity.equity.tolist()
    assert trial.balances.tolist() == equity.balance.tolist()
    returns = trial.daily.returns
    assert returns is not None
    assert len(returns) == 59
    grown = np.prod(1.0 + returns) * 10_000.0
    assert grown == pytest.approx(written["performance"]["final_equity"])


def test_what_ran_before_over_the_same_candles_changes_nothing() -> None:
    candles, own = loaded(), settings()
    first = run_trial(candles, own, START_MS, END_MS)
    run_trial(candles, settings(*MORE), START_MS, END_MS)
    shorter = run_trial(candles, own, START_MS, parse_time_ms("2023-02-01"))
    assert shorter.results == run_trial(loaded(), own, START_MS, parse_time_ms("2023-02-01")).results
    again = run_trial(candles, own, START_MS, END_MS)
    assert (first.results, first.trades_sha256) == (again.results, again.trades_sha256)


def test_a_trial_that_the_operator_ends_is_no_result(tmp_path: Path) -> None:
    file = tmp_path / "ends.py"
    file.write_text(
        "import os, signal\nfrom app.strategies.base import FLAT, Strategy\n"
        "class Ends(Strategy):\n"
        "    async def on_candle(self, candle, view):\n"
        "        if self.first:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "        self.first = False\n"
        "        return FLAT\n"
        "    first = True\n"
    )
    with pytest.raises(KeyboardInterrupt):
        run_trial(loaded(), load_settings(settings(), strategy=str(file)), START_MS, END_MS)


@pytest.mark.filterwarnings("error")
def test_a_stop_before_the_loop_has_begun_warns_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    unraisable: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", unraisable.append)

    def stopped(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("asyncio.run", stopped)
    with pytest.raises(KeyboardInterrupt):
        run_trial(loaded(), settings(), START_MS, END_MS)
    gc.collect()
    assert unraisable == []


async def test_inside_a_running_loop() -> None:
    assert run_trial(loaded(), settings(), START_MS, END_MS).results["status"] == "finished"


def test_an_error_in_a_running_loop_arrives_too() -> None:
    candles = LoadedCandles(settings().live.timeframe, {symbol: {} for symbol in settings().live.symbols})
    with pytest.raises(DataError, match="no candle of BTC/USDT 1h from 2023-01-01 to 2023-03-01 was loaded"):
        run_trial(candles, settings(), START_MS, END_MS)


def test_another_starting_balance_is_a_setting() -> None:
    poor = load_settings(settings(), ["starting_balance=500"])
    trial = run_trial(loaded(), poor, START_MS, END_MS)
    assert trial.results["performance"]["starting_balance"] == 500.0
    assert trial.daily.marks[0] == 500.0
    assert load_settings(CONFIG).trading_mode.starting_balance != 500.0
