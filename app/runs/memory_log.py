"""Logs of a run that leaves no files: the same rows as the files would hold, kept in memory for one trial.

The digest of the trade log is that of the bytes that the file would have, and the metrics come from the same numbers.
Memory grows with the run (24 bytes a slice, a fill a few hundred).
"""

import hashlib
from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.models.orders import Fill
from app.runs.daily import EquitySeries
from app.runs.equity import EquityLog
from app.runs.fill_columns import COLUMNS, Fills, csv_row, fills_of
from app.runs.quotients import Floats
from app.runs.trade_log import TradeLog


class MemoryTradeLog(TradeLog):
    """One fill after the other, and the SHA-256 of the file that they would make."""

    def __init__(self) -> None:
        self.path = Path("trades")
        self.fills: list[Fill] = []
        self._table: Fills | None = None
        self._digest = hashlib.sha256((",".join(COLUMNS) + "\n").encode())

    def write(self, fill: Fill) -> None:
        """Keep one fill."""
        self.fills.append(fill)
        self._digest.update(csv_row(fill).encode())

    def sha256(self) -> str:
        """Of the rows so far, header included."""
        return self._digest.hexdigest()

    def source(self) -> Fills:
        """What the metrics read; the same table as long as no fill comes."""
        if self._table is None or len(self._table.price) != len(self.fills):
            self._table = fills_of(self.fills)
        return self._table

    def flush(self) -> None:
        """Nothing to hand on."""

    def close(self) -> None:
        """Nothing to release."""

    def written_bytes(self) -> int:
        """No file, no bytes."""
        return 0


class MemoryEquityLog(EquityLog):
    """The equity rows as arrays; peak and maximum drawdown as the file's log has them."""

    def __init__(self, starting_balance: float) -> None:
        self.path = Path("equity")
        self.peak = starting_balance
        self.max_drawdown = 0.0
        self.rows = 0
        self._times, self._equity_column, self._balance_column = array("q"), array("d"), array("d")

    def append(self, times_ms: Sequence[int], equities: Sequence[float], balances: Sequence[float]) -> None:
        """Rows of equal number; times strictly rising."""
        self._times.extend(times_ms)
        self._equity_column.extend(equities)
        self._balance_column.extend(balances)
        self.rows += len(times_ms)

    def finish(self) -> None:
        """Peak and drawdown are exact from here on."""
        equity = self.source().equity
        if len(equity):
            peaks = np.maximum(np.maximum.accumulate(equity), self.peak)
            self.max_drawdown = float(np.max(1.0 - equity / peaks))
            self.peak = float(peaks[-1])

    def source(self) -> EquitySeries:
        """What the metrics read."""
        return EquitySeries(np.array(self._times, np.int64), np.array(self._equity_column, np.float64))

    def balances(self) -> Floats:
        """One a row."""
        return np.array(self._balance_column, np.float64)

    def close(self) -> None:
        """Nothing to release."""
