"""Backtests from a program: the mapping, the frames, the arguments, and inside a running event loop."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from arro3.io import read_parquet

from app import ConfigBacktestRunner, run_config_backtest, validate_all_configs
from app.errors import ConfigError, DataError, OutputError
from tests.made_trades import read_trade_log

ROOT = Path(__file__).resolve().parents[3]
CONFIG, CACHE = ROOT / "config/sample/live.yaml", ROOT / "data/sample"
RAISES = (
    "from app.strategies.base import FLAT, Strategy, long\n"
    "class Raises(Strategy):\n"
    "    async def on_candle(self, candle, view):\n"
    "        if view.position is not None:\n"
    "            {raises}\n"
    "        return long(atr=10_000.0)\n"
)


def run(out: Path, **options: Any) -> Any:
    return run_config_backtest("2023-03-20", "2023-04-03", config=CONFIG, cache=CACHE, out=out, **options)


def test_the_result_is_the_mapping_of_results_json(tmp_path: Path) -> None:
    results = run(tmp_path / "run")
    assert dict(results) == json.loads((tmp_path / "run/results.json").read_text())
    assert list(results) == list(dict(results))
    assert len(results) == len(dict(results))
    performance = results["performance"]
    assert performance["final_equity"] == performance["final_balance"]
    assert 0 <= performance["win_rate"] <= 100
    assert repr(results).startswith(f"<BacktestResults {performance['total_return_pct']:+.2f} %, ")
    assert results["candles_processed"]["total"] == 14 * 24 - results["missing_candles"]
    assert sorted(path.name for path in results.folder.iterdir()) == [
        "config_backtest_2023-03-20_2023-04-03.csv",
        "equity.parquet",
        "manifest.json",
        "results.json",
        "signals.csv",
    ]


def test_trades_and_equity_as_frames(tmp_path: Path) -> None:
    results = run(tmp_path / "run")
    trades, equity = results.trades, results.equity
    rows = list(read_trade_log(results.folder / results["files"]["trades"]))
    assert len(trades) == len(rows) > 10
    assert str(trades.timestamp.dtype).endswith("UTC]")
    assert trades.price.tolist() == [float(row["price"]) for row in rows]
    closed = trades[trades.action == "CLOSE"]
    assert len(closed) == results["performance"]["total_trades"]
    assert closed.realized_pnl.sum() == pytest.approx(results["performance"]["realized_pnl"])
    assert list(equity.columns) == ["equity", "balance"]
    assert len(equity) == results["candles_processed"]["total"]
    assert equity.index[0] == pd.Timestamp("2023-03-20T01:00Z")
    assert equity.index[-1] == pd.Timestamp(results["period"]["end"])
    assert equity.equity.iloc[-1] == results["performance"]["final_equity"]
    assert equity.equity.max() <= results["performance"]["peak_equity"]


async def test_inside_a_running_loop_as_in_a_notebook(tmp_path: Path) -> None:
    asyncio.get_running_loop()
    in_thread = run(tmp_path / "a")
    runner = ConfigBacktestRunner(CONFIG, "2023-03-20", "2023-04-03", cache=CACHE, out=tmp_path / "b")
    awaited = await runner.run_async()
    assert dict(in_thread) == dict(awaited)
    with pytest.raises(OutputError, match="holds a finished run"):
        run(tmp_path / "a")


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = run(tmp_path / "a").folder, run(tmp_path / "b").folder
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name


def test_times_may_be_milliseconds_and_a_profile_a_mapping_or_settings(tmp_path: Path) -> None:
    by_text = run(tmp_path / "a")
    bounds: dict[str, Any] = {"start": 1_679_270_400_000, "end": 1_680_480_000_000}
    settings = validate_all_configs(ROOT / "config/sample")
    by_settings = run_config_backtest(**bounds, config=settings, cache=str(CACHE), out=str(tmp_path / "b"))
    by_mapping = run_config_backtest(**bounds, config=settings.model_dump(), cache=CACHE, out=tmp_path / "c")
    assert dict(by_text) == dict(by_settings) == dict(by_mapping)


def test_arguments_stand_above_the_profile(tmp_path: Path) -> None:
    results = run(tmp_path / "a", overrides=["strategy.params.volume_factor=1e9", "starting_balance=500"])
    assert results["signals_generated"] == 0
    assert results["performance"]["final_balance"] == 500
    with pytest.raises(DataError, match="no candle of ETH/USDT 1h"):
        run(tmp_path / "b", symbols=["ETH/USDT"])
    with pytest.raises(DataError, match="no candle of BTC/USDT 30m"):
        run(tmp_path / "b", interval="30m")
    with pytest.raises(ConfigError, match="'soon' is not a date"):
        run_config_backtest("soon", config=CONFIG, cache=CACHE)
    assert not (tmp_path / "b").exists(), "what cannot run leaves nothing behind"


def test_without_out_the_run_goes_to_the_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for suffix in ("", "-2"):
        results = run_config_backtest("2023-04-01T06:00", "2023-04-02", config=CONFIG, cache=CACHE)
        assert results.folder == Path(f"logs/backtests/config_backtest_2023-04-01T0600_2023-04-02{suffix}")


def test_a_warm_up_that_is_not_there_is_reported_and_no_error(tmp_path: Path) -> None:
    begin = "2017-08-17T04:00"
    results = run_config_backtest(begin, "2017-08-20", config=CONFIG, cache=CACHE, out=tmp_path / "run")
    assert results["warmup_candles"] == 0
    assert results["shortfalls"][0]["warmup_wanted"] == 240


def test_a_strategy_that_raises_ends_all_trading_and_the_files_are_complete(tmp_path: Path) -> None:
    (tmp_path / "raises.py").write_text(RAISES.format(raises="raise ValueError('boom')"))
    with pytest.raises(ValueError, match="boom"):
        run(tmp_path / "run", strategy=str(tmp_path / "raises.py"))
    results = json.loads((tmp_path / "run/results.json").read_text())
    rows = list(read_trade_log(tmp_path / "run" / results["files"]["trades"]))
    assert results["status"] == "failed"
    assert [(row["action"], row["reason"]) for row in rows] == [("OPEN", "signal")]
    equity = read_parquet(tmp_path / "run" / results["files"]["equity"]).read_all()
    performance = results["performance"]
    assert performance["final_balance"] == equity["balance"].to_pylist()[-1] == performance["starting_balance"]
    assert performance["final_equity"] == equity["equity"].to_pylist()[-1] != performance["final_balance"]
    assert (performance["total_trades"], results["funnel"]["unfilled_at_end"]) == (0, 0)


def test_a_strategy_that_exits_the_process_is_a_failure_too(tmp_path: Path) -> None:
    (tmp_path / "exits.py").write_text(RAISES.format(raises="raise SystemExit(0)"))
    with pytest.raises(RuntimeError, match=r"the strategy called sys\.exit\(\)"):
        run(tmp_path / "run", strategy=str(tmp_path / "exits.py"))
    assert json.loads((tmp_path / "run/results.json").read_text())["status"] == "failed"


async def test_a_failure_in_the_thread_comes_out_of_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no candle"):
        run(tmp_path / "run", symbols=["ETH/USDT"])
