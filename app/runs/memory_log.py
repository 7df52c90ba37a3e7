"""Logs of a run that leaves no files: the same rows as the files would hold, kept in memory for one trial.

The rule: the digest of the trade log is that of the bytes that the file would have, and the metrics come from the
same numbers. Memory grows with the run (24 bytes a slice, a fill a few hundred); files are for runs that are kept.
"""

import hashlib
import math
from array import array
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from app.models.orders import Fill
from app.runs.daily import EquityRows
from app.runs.equity import EquityLog
from app.runs.quotients import Bools, Floats, Ints
from app.runs.trade_log import COLUMNS, TradeLog, csv_row
from app.runs.trade_table import Fills, Labels


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

    def source(self) -> EquityRows:
        """What the metrics read."""
        return EquityRows(np.array(self._times, np.int64), np.array(self._equity_column, np.float64))

    def balances(self) -> Floats:
        """One a row."""
        return np.array(self._balance_column, np.float64)

    def close(self) -> None:
        """Nothing to release."""


def fills_of(fills: Sequence[Fill]) -> Fills:
    """The table that `read_fills` would read from the log of these fills."""

    def numbers(take: Callable[[Fill], float | None]) -> Floats:
        values = (math.nan if (number := take(fill)) is None else number for fill in fills)
        return np.fromiter(values, np.float64, len(fills))

    def flags(take: Callable[[Fill], bool]) -> Bools:
        return np.fromiter(map(take, fills), np.bool_, len(fills))

    def integers(take: Callable[[Fill], int]) -> Ints:
        return np.fromiter(map(take, fills), np.int64, len(fills))

    return Fills(
        time_ms=integers(lambda fill: fill.time_ms),
        opens=flags(lambda fill: fill.opens),
        sign=numbers(lambda fill: float(fill.side)),
        symbol=_labels(fill.symbol for fill in fills),
        reason=_labels(fill.reason.value for fill in fills),
        tag=_labels(fill.tag for fill in fills),
        trade_id=integers(lambda fill: fill.trade_id),
        price=numbers(lambda fill: fill.price),
        quantity=numbers(lambda fill: fill.quantity),
        commission=numbers(lambda fill: fill.commission),
        slippage=numbers(lambda fill: fill.slippage),
        realized_pnl=numbers(lambda fill: fill.realized_pnl),
        stop=numbers(lambda fill: fill.stop),
        target=numbers(lambda fill: fill.target),
        candle_volume=numbers(lambda fill: fill.candle_volume),
        both_levels=flags(lambda fill: fill.both_levels),
        target_touched=flags(lambda fill: fill.target_touched),
        mae=numbers(lambda fill: fill.mae),
        mfe=numbers(lambda fill: fill.mfe),
    )


def _labels(texts: Iterable[str]) -> Labels:
    seen: dict[str, int] = {}
    codes = [seen.setdefault(text, len(seen)) for text in texts]
    return Labels(np.array(codes, np.int64), list(seen))
