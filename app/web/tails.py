"""Files of a run that are still being written, read from where the last look ended: CSV rows, and equity thinned out.

They only read, and hold no more than a page shows. A file that became shorter was written anew by a restart, with the
same rows: it is read again.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from app.models.orders import GOES_ON
from app.runs.daily import equity_blocks
from app.runs.equity import ROW, kept_path
from app.runs.run_folder import EQUITY
from app.times import DAY_MS, parse_time_ms

_POINTS = 2_000
_STEPS_MOST = 300  # of a stop


class RowTail:
    """The last rows of a CSV log as mappings; begins at most `tail_bytes` before its end."""

    def __init__(self, path: Path, tail_bytes: int = 400_000) -> None:
        self.path = path
        self._tail_bytes = tail_bytes
        self._offset = -1  # not begun
        self._columns: list[str] = []

    def read(self) -> tuple[bool, list[dict[str, str]]]:
        """Whether it began anew, and the rows since the last look."""
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, 2)
                is_anew = not 0 <= self._offset <= size
                if is_anew and not self._begin(file, size):
                    return False, []
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return False, []
        data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)
        rows = csv.reader(data.decode("utf-8", "replace").splitlines())
        return is_anew, [dict(zip(self._columns, row, strict=False)) for row in rows]

    def _begin(self, file: BinaryIO, size: int) -> bool:
        file.seek(0)
        head = file.readline()
        if not head.endswith(b"\n"):
            return False
        self._columns = head.decode().rstrip("\n").split(",")
        self._offset = len(head)
        if size - self._offset > self._tail_bytes:
            file.seek(size - self._tail_bytes)
            file.readline()  # the rest of a row
            self._offset = file.tell()
        return True


class EquityTail:
    """The equity of each slice of a session: at most 2,000 points over its whole time, and where today began.

    Every `stride`-th row is kept, and the stride doubles when there are too many.
    """

    def __init__(self, run: Path) -> None:
        self._path, self._finished = kept_path(run / EQUITY), run / EQUITY
        self._begin()

    def _begin(self) -> None:
        self.points: list[tuple[int, float]] = []  # close time, equity
        self.last: tuple[int, float] | None = None
        self.day_began: float | None = None  # the equity before the first slice of the last row's UTC day
        self._offset, self._stride, self._count = 0, 1, 0

    def read(self, most_rows: int = 100_000) -> None:
        """What was added since the last look. A finished session has all of its rows in one file."""
        try:
            with self._path.open("rb") as file:
                if file.seek(0, 2) < self._offset:
                    self._begin()
                file.seek(self._offset)
                data = file.read(most_rows * ROW.size)
        except FileNotFoundError:
            if self.last is None and self._finished.exists():
                for times_ms, equity in equity_blocks(self._finished):
                    for row in zip(times_ms.tolist(), equity.tolist(), strict=True):
                        self.add(*row)
            return
        data = data[: len(data) // ROW.size * ROW.size]
        self._offset += len(data)
        for time_ms, equity, _ in ROW.iter_unpack(data):
            self.add(time_ms, equity)

    def add(self, time_ms: int, equity: float) -> None:
        """One row."""
        # A slice that closes at midnight belongs to the day before.
        if self.last is None or (self.last[0] - 1) // DAY_MS != (time_ms - 1) // DAY_MS:
            self.day_began = equity if self.last is None else self.last[1]
        self.last = (time_ms, equity)
        if self._count % self._stride == 0:
            self.points.append(self.last)
            if len(self.points) >= _POINTS:
                self.points = self.points[::2]
                self._stride *= 2
        self._count += 1


class TradeRows:
    """Closed trades and open ones from the rows of a trade log: a trade is an OPEN and its CLOSE rows.

    `stops` are the steps of a stop that moved, `[ms, price]`: as it was seen while the trade was open, and as the rows
    of legs and exit have it.
    """

    def __init__(self, most: int = 500) -> None:
        self._most = most
        self._trades: dict[str, dict[str, Any]] = {}

    def add(self, row: dict[str, str]) -> None:
        """One fill."""
        trade = self._trades.get(row["trade_id"])
        if row["action"] == "OPEN":
            self._trades[row["trade_id"]] = _opened(row)
            while len(self._trades) > self._most:
                del self._trades[next(iter(self._trades))]
        elif trade is not None:
            _close(trade, row)

    def note_stops(self, positions: Sequence[Mapping[str, Any]], time_ms: int) -> None:
        """Where the stops of open positions are, by the status of a slice that closed then."""
        now = {(one["strategy"], one["symbol"]): one.get("stop") for one in positions}
        for trade in self._trades.values():
            if trade["exit_time"] is None:
                _step(trade, time_ms, now.get((trade["strategy"], trade["symbol"])))

    def newest(self) -> Iterator[dict[str, Any]]:
        """The latest entry first."""
        yield from reversed(self._trades.values())


def _opened(row: dict[str, str]) -> dict[str, Any]:
    return {
        "trade_id": int(row["trade_id"]), "symbol": row["symbol"], "strategy": row["strategy"], "side": row["side"],
        "quantity": float(row["quantity"]), "entry_time": row["timestamp"], "entry_price": float(row["price"]),
        "stop": _number(row.get("stop_loss", "")), "target": _number(row.get("take_profit", "")),
        "tag": row.get("tag", ""), "order_id": row.get("order_id", ""),
        "exit_time": None, "exit_price": None, "reason": None, "pnl": None, "stops": [], "legs": [],
    }  # fmt: skip


def _close(trade: dict[str, Any], row: dict[str, str]) -> None:
    time_ms, pnl = parse_time_ms(row["timestamp"]), float(row["realized_pnl"])
    trade["pnl"] = (trade["pnl"] or 0.0) + pnl
    _step(trade, time_ms, _number(row.get("stop_loss", "")))
    if row["reason"] in GOES_ON:
        trade["legs"].append([time_ms, float(row["price"]), pnl])
    else:
        trade |= {"exit_time": row["timestamp"], "exit_price": float(row["price"]), "reason": row["reason"]}


def _step(trade: dict[str, Any], time_ms: int, stop: float | None) -> None:
    steps = trade["stops"]
    if stop is not None and stop != (steps[-1][1] if steps else trade["stop"]) and len(steps) < _STEPS_MOST:
        steps.append([time_ms, stop])


def _number(text: str) -> float | None:
    return float(text) if text else None
