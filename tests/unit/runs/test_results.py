"""results.json: its keys and units, and null for what there is not."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.models.orders import Reason, Side
from app.runs.equity import EquityLog
from app.runs.recorder import RunRecorder
from app.runs.results import RunFacts, Shortfall, build_results
from app.runs.run_folder import to_json
from app.runs.trade_log import TradeLog
from app.runtime.funnel import Funnel
from tests.made import BTC, ETH, MINUTE_MS, candle, fill, slice_of


def results(folder: Path, minutes: int = 4, **facts: Any) -> dict[str, Any]:
    recorder = RunRecorder((BTC, ETH), TradeLog(folder / "t.csv"), EquityLog(folder / "e.parquet", 10_000.0))
    for minute in range(minutes):
        recorder.rows.slices.append(slice_of(candle(at=minute)))
        recorder.rows.equities.append(10_000.0 + (0, 1_000, -1_200, 250)[minute])
        recorder.rows.balances.append(10_000.0)
    if minutes:
        recorder.on_fill(fill(opens=True, commission=1.0, slippage=0.25))
        recorder.on_fill(fill(realized_pnl=250.0, commission=1.0, side=Side.SHORT))
        recorder.on_fill(fill(realized_pnl=0.0, reason=Reason.STOP_LOSS, both_levels=True))
    recorder.finish()
    defaults: dict[str, Any] = {
        "status": "finished",
        "note": "a test",
        "exchange": "binance",
        "symbols": (BTC, ETH),
        "timeframe": "1m",
        "start_ms": 0,
        "end_ms": 10 * MINUTE_MS,
        "warmup_candles": 3,
        "shortfalls": (),
        "trips": (),
        "files": {"trades": "t.csv"},
    }
    made = RunFacts(**{**defaults, **facts})
    final = 10_250.0 if minutes else 10_000.0
    return build_results(made, recorder, Funnel(Counter(), Counter()), 10_000.0, final, final)


def test_the_numbers_of_a_small_run(tmp_path: Path) -> None:
    content = results(tmp_path)
    assert content["period"] == {"start": "1970-01-01T00:00:00.000Z", "end": "1970-01-01T00:04:00.000Z"}
    assert content["requested"]["end"] == "1970-01-01T00:10:00.000Z"
    assert content["candles_processed"] == {"total": 4, "per_symbol": {BTC: 4, ETH: 0}}
    performance = content["performance"]
    assert {name: performance[name] for name in list(performance)[:11]} == {
        "starting_balance": 10_000.0,
        "final_balance": 10_250.0,
        "final_equity": 10_250.0,
        "total_return_pct": pytest.approx(2.5),
        "peak_equity": 11_000.0,
        "max_drawdown_pct": pytest.approx(20.0),
        "total_trades": 2,
        "winning_trades": 1,
        "losing_trades": 1,
        "win_rate": 50.0,
        "realized_pnl": 250.0,
    }
    costs = content["costs"]
    assert {name: costs[name] for name in list(costs)[:3]} == {"commission": 2.0, "slippage": 0.25, "total": 2.25}
    assert (content["long"]["total_trades"], content["short"]["total_trades"]) == (1, 1)
    assert content["stop_and_target_in_one_candle"] == 1
    assert list(content["exits"]) == ["stop_loss", "take_profit"]
    assert content["kill_switch"] is None
    assert content["missing_candles"] == 0


def test_metrics_stand_beside_the_totals_of_each_group(tmp_path: Path) -> None:
    content = results(tmp_path, marks={BTC: 150.0, ETH: 9.0})
    assert content["performance"]["expectancy"] == 125.0
    assert content["performance"]["sharpe"] is None
    assert content["short"]["expectancy"] == 250.0
    assert content["exits"]["stop_loss"]["expectancy"] == 0.0
    assert content["per_symbol"][ETH]["expectancy"] is None
    assert content["per_symbol"][BTC]["candles"] == 4
    assert content["buy_and_hold"]["per_symbol"] == {BTC: pytest.approx(50.0)}  # no candle of the other
    assert content["uncertainty"]["both_levels"] == content["stop_and_target_in_one_candle"]
    assert content["to_halt"] is None
    assert content["per_tag"][""]["total_trades"] == content["performance"]["total_trades"]
    assert json.loads(to_json(content)) == content


def test_the_metrics_to_the_halt_begin_with_the_first_trip(tmp_path: Path) -> None:
    halt = results(tmp_path, trips=[(2 * MINUTE_MS, "drawdown"), (3 * MINUTE_MS, "again")])["to_halt"]
    assert (halt["time"], halt["final_equity"]) == ("1970-01-01T00:02:00.000Z", 11_000.0)


def test_a_run_of_nothing_divides_by_nothing(tmp_path: Path) -> None:
    content = results(tmp_path, minutes=0, trips=[(5, "early")])
    assert content["period"] == {"start": None, "end": None}
    assert content["performance"]["win_rate"] is None
    assert content["performance"]["total_return_pct"] == 0.0
    assert content["kill_switch"] is None
    assert json.loads(to_json(content)) == content


def test_a_tripped_switch_says_when_why_and_how_much_was_left(tmp_path: Path) -> None:
    content = results(tmp_path, trips=[(MINUTE_MS, "drawdown 12.00%"), (2 * MINUTE_MS, "again")])
    assert content["kill_switch"] == {
        "time": "1970-01-01T00:01:00.000Z",
        "why": "drawdown 12.00%",
        "untraded_pct": 75.0,
        "trips": 2,
    }


def test_shortfalls_are_added_up_and_listed(tmp_path: Path) -> None:
    lacking = [
        Shortfall(BTC, 6, 1, 0, 3 * MINUTE_MS, 240, 240),
        Shortfall(ETH, 10, 0, None, None, 0, 240),
    ]
    content = results(tmp_path, shortfalls=lacking)
    assert content["missing_candles"] == 16
    assert content["shortfalls"][1] == {
        "symbol": ETH,
        "missing_candles": 10,
        "gaps": 0,
        "first_open": None,
        "last_open": None,
        "warmup_candles": 0,
        "warmup_wanted": 240,
    }
