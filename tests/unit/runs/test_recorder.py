"""RunRecorder: counts what it saw, keeps the newest row until it is final, and writes each fill once."""

from pathlib import Path

import pytest
from arro3.io import read_parquet

from app.errors import OutputError
from app.models.market import Slice
from app.runs.equity import EquityLog
from app.runs.recorder import RunRecorder
from app.runs.trade_log import TradeLog
from tests.made import BTC, ETH, MINUTE_MS, candle, fill, slice_of
from tests.made_trades import read_trade_log

Told = list[tuple[int, int]]


def recorder(folder: Path, told: Told | None = None) -> RunRecorder:
    logs = TradeLog(folder / "log.csv"), EquityLog(folder / "equity.parquet", 10_000.0)
    return RunRecorder((BTC, ETH), *logs, None if told is None else lambda at, count: told.append((at, count)))


def observe(made: RunRecorder, slice_: Slice, equity: float) -> None:
    made.rows.slices.append(slice_)
    made.rows.equities.append(equity)
    made.rows.balances.append(10_000.0)


def equities(folder: Path) -> list[float]:
    values: list[float] = read_parquet(folder / "equity.parquet").read_all()["equity"].to_numpy().tolist()
    return values


def test_candles_are_counted_by_symbol_also_where_one_is_absent(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    observe(made, slice_of(candle(at=0), candle(at=0, symbol=ETH)), 1.0)
    observe(made, slice_of(candle(at=1, symbol=ETH)), 2.0)
    observe(made, slice_of(candle(at=5)), 3.0)
    made.finish()
    assert made.candles == {BTC: 2, ETH: 2}
    assert (made.first_open_ms, made.last_close_ms) == (0, 6 * MINUTE_MS)
    assert equities(tmp_path) == [1.0, 2.0, 3.0]


def test_the_newest_row_can_change_until_the_end(tmp_path: Path) -> None:
    told: Told = []
    made = recorder(tmp_path, told)
    for minute in range(1_000):
        observe(made, slice_of(candle(at=minute)), float(minute))
    made.flush_if_full()
    assert len(made.rows.slices) == len(made.rows.equities) == len(made.rows.balances) == 1
    assert told == [(999 * MINUTE_MS, 999)]
    made.rows.equities[-1] = -7.0
    made.flush_if_full()
    made.finish()
    assert equities(tmp_path) == [*map(float, range(999)), -7.0]
    assert made.candles[BTC] == 1_000


def test_fills_go_to_the_log_and_the_totals_in_their_order(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    for number in (1, 2, 3):
        made.on_fill(fill(trade_id=number))
    made.finish()
    assert [row["trade_id"] for row in read_trade_log(tmp_path / "log.csv")] == ["1", "2", "3"]
    assert made.tally.total.trades == 3


def test_a_run_without_a_slice_has_empty_files(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    made.finish()
    assert (made.first_open_ms, made.last_close_ms, made.candles) == (None, None, {BTC: 0, ETH: 0})
    assert read_parquet(tmp_path / "equity.parquet").read_all().num_rows == 0


def test_giving_up_is_silent_and_may_be_said_twice(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    made.on_fill(fill())
    made.close()
    made.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["equity.arrows", "log.csv"]


def test_a_full_disk_is_an_output_error_and_a_fill_is_not_tried_twice(tmp_path: Path) -> None:
    (tmp_path / "log.csv").symlink_to("/dev/full")
    made = recorder(tmp_path)
    for number in range(200):  # more than one buffer
        made.on_fill(fill(trade_id=number))
    with pytest.raises(OutputError, match=f"cannot write {tmp_path}: the disk is full"):
        made.finish()
    made.finish()  # told once; what is there stays as it is
    made.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["equity.arrows", "log.csv"]


def test_the_first_open_of_each_symbol_is_kept(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    for minute in range(3):
        begun = [candle(at=minute, open=50.0 + minute, symbol=ETH)] if minute else []
        observe(made, slice_of(candle(at=minute, open=100.0 + minute), *begun), 1.0)
    made.finish()
    assert made.first_opens == {BTC: 100.0, ETH: 51.0}
