"""Logs in memory: what the files would hold, row for row, byte for byte."""

import hashlib
import math
from dataclasses import fields
from pathlib import Path

import numpy as np

from app.models.orders import Reason, Side
from app.runs.equity import EquityLog
from app.runs.fill_columns import Labels
from app.runs.memory_log import MemoryEquityLog, MemoryTradeLog
from app.runs.trade_log import TradeLog
from app.runs.trade_table import read_fills
from tests.made import fill

FILLS = [
    fill(opens=True, trade_id=1, reason=Reason.SIGNAL, order_id=1, tag='a "b", c', candle_volume=None),
    fill(opens=True, trade_id=2, reason=Reason.SIGNAL, symbol="ETH/USDT", side=Side.SHORT, order_id=2),
    fill(trade_id=1, mae=1.5, mfe=0.25, both_levels=True, candle_volume=3.0),
    fill(trade_id=2, symbol="ETH/USDT", side=Side.SHORT, reason=Reason.KILL_SWITCH, target_touched=True),
]


def test_fills_as_the_log_would_have_them(tmp_path: Path) -> None:
    file, memory = TradeLog(tmp_path / "log.csv"), MemoryTradeLog()
    for one in FILLS:
        file.write(one)
        memory.write(one)
    file.close()
    memory.flush()
    memory.close()
    assert memory.sha256() == hashlib.sha256((tmp_path / "log.csv").read_bytes()).hexdigest()
    expected, found = read_fills(tmp_path / "log.csv"), memory.source()
    for column in fields(expected):
        ours, theirs = getattr(found, column.name), getattr(expected, column.name)
        if isinstance(theirs, Labels):
            assert (ours.codes.tolist(), list(ours.names)) == (theirs.codes.tolist(), list(theirs.names)), column.name
        elif column.name != "cut":
            assert ours.dtype == theirs.dtype, column.name
            np.testing.assert_array_equal(ours, theirs, err_msg=column.name)
    assert math.isnan(found.mae[0])
    memory.write(FILLS[0])
    assert len(memory.source().price) == 5
    assert MemoryTradeLog().source().price.size == 0


def test_equity_rows_with_peak_and_drawdown(tmp_path: Path) -> None:
    file, memory = EquityLog(tmp_path / "equity.parquet", 100.0), MemoryEquityLog(100.0)
    for log in (file, memory):
        log.append([1, 2], [90.0, 120.0], [100.0, 110.0])
        log.append([3], [60.0], [105.0])
        log.finish()
        log.close()
    assert (memory.peak, memory.max_drawdown, memory.rows) == (file.peak, file.max_drawdown, 3) == (120.0, 0.5, 3)
    assert memory.source().times_ms.tolist() == [1, 2, 3]
    assert memory.source().equity.tolist() == [90.0, 120.0, 60.0]
    assert memory.balances().tolist() == [100.0, 110.0, 105.0]
    empty = MemoryEquityLog(100.0)
    empty.finish()
    assert (empty.peak, empty.max_drawdown) == (100.0, 0.0)
