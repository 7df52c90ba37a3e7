"""The stitched account: rows of the windows, ids that count on, one curve, and metrics over all of it."""

from pathlib import Path

import numpy as np
import pytest
from arro3.io import read_parquet

from app.candles.cache import CandleCache
from app.research.stitching import stitch
from app.research.walk_forward import Best, walk_windows
from app.research.windows import Window
from app.runs.trade_table import read_fills, trades_of
from app.times import parse_time_ms
from tests.made_trades import read_trade_log
from tests.walks import CACHE, best_of, walk


def some(window: Window) -> Best:
    """The second window does not trade."""
    return Best(None, None, 1, {}) if window.number == 2 else best_of(f"strategy.params.ema_fast={7 + window.number}")


@pytest.fixture(scope="module")
def stitched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict], dict]:  # type: ignore[type-arg]
    folder = tmp_path_factory.mktemp("walks") / "walk"
    own = walk()
    blocks = walk_windows(own, some, folder)
    return folder, blocks, stitch(blocks, folder, "walk_forward_x", own.settings, CandleCache(CACHE))


def test_rows_are_those_of_the_windows_with_ids_that_count_on(stitched: tuple) -> None:  # type: ignore[type-arg]
    folder, blocks, found = stitched
    rows = list(read_trade_log(folder / found["files"]["trades"]))
    windows = [list(read_trade_log(folder / blocks[i]["files"]["trades"])) for i in (0, 2)]
    assert len(rows) == sum(map(len, windows)) > 0
    ids = ("trade_id", "order_id")
    plain = [{key: value for key, value in row.items() if key not in ids} for row in rows]
    assert plain == [{k: v for k, v in row.items() if k not in ids} for own in windows for row in own]
    trades = trades_of(read_fills(folder / found["files"]["trades"]), folder)
    assert len(trades) == found["performance"]["total_trades"] == len(rows) / 2
    assert sorted(set(trades.entry.trade_id.tolist())) == list(range(1, len(trades) + 1))
    orders = [int(row["order_id"]) for row in rows if row["action"] == "OPEN"]
    assert orders == sorted(set(orders))


def test_the_curve_is_one_and_a_window_without_trades_is_one_row(stitched: tuple) -> None:  # type: ignore[type-arg]
    folder, blocks, found = stitched
    table = read_parquet(folder / found["files"]["equity"]).read_all()
    times = table["timestamp_ms"].to_numpy()
    equity, balance = table["equity"].to_numpy(), table["balance"].to_numpy()
    assert np.all(np.diff(times) > 0)
    assert len(times) == 240 + 1 + 240
    assert times[240] == parse_time_ms(blocks[1]["out_of_sample"]["end"])
    assert times[-1] == parse_time_ms(blocks[2]["out_of_sample"]["end"])
    for i, row in ((0, 239), (1, 240), (2, 480)):
        assert equity[row] == balance[row] == blocks[i]["out_of_sample"]["final_balance"]


def test_the_metrics_are_those_of_the_whole(stitched: tuple) -> None:  # type: ignore[type-arg]
    folder, blocks, found = stitched
    performance = found["performance"]
    equity = read_parquet(folder / found["files"]["equity"]).read_all()["equity"].to_numpy()
    curve = np.concatenate(([10_000.0], equity))
    drawdown = 100.0 * float(np.max(1.0 - curve / np.maximum.accumulate(curve)))
    assert performance["max_drawdown_pct"] == pytest.approx(drawdown)
    growth = np.prod([1.0 + block["out_of_sample"]["return_pct"] / 100.0 for block in blocks])
    assert performance["total_return_pct"] == pytest.approx(100.0 * (growth - 1.0))
    assert performance["final_balance"] == pytest.approx(10_000.0 + performance["realized_pnl"])
    assert performance["days"] == 30.0
    assert performance["sharpe"] is not None
    assert performance["winning_trades"] + performance["losing_trades"] == performance["total_trades"]
    columns = CandleCache(CACHE).read("BTC/USDT", "1h", "2023-03")
    later = CandleCache(CACHE).read("BTC/USDT", "1h", "2023-04")
    first = columns.open[columns.open_time_ms == parse_time_ms("2023-03-22")]
    last = later.close[later.open_time_ms == parse_time_ms("2023-04-20T23:00")]
    assert found["buy_and_hold"]["return_pct"] == pytest.approx(100.0 * (float(last[0]) / float(first[0]) - 1.0))
