"""The trade log: one CSV row per fill, in the order in which the fills were made, the same in every mode.

Numbers are written so that reading them back gives the same double. Rows go to disk as they come; nothing of the
log is kept in memory. Columns are RULES.md's, then Onetape's own.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from app.models.orders import Fill
from app.runs.row_log import RowLog, quoted
from app.times import iso_ms

if TYPE_CHECKING:
    from app.runs.trade_table import Fills

_encode = msgspec.json.Encoder().encode
COLUMNS = (
    "timestamp", "symbol", "action", "side", "price", "quantity", "commission", "slippage", "balance", "equity",
    "realized_pnl", "reason", "trade_id", "stop_loss", "take_profit", "order_id", "sized_by", "both_levels", "tag",
    "candle_volume", "mae", "mfe", "target_touched",
)  # fmt: skip


class TradeLog(RowLog):
    """One row a fill."""

    def __init__(self, path: Path, kept_bytes: int | None = None) -> None:
        super().__init__(path, COLUMNS, kept_bytes)
        self._table: Fills | None = None

    def write(self, fill: Fill) -> None:
        """Append one fill."""
        self._file.write(csv_row(fill))

    def source(self) -> "Fills":
        """What the metrics read: the fills of the finished log, read back once for all who ask."""
        from app.runs.trade_table import read_fills

        if self._table is None:
            self._table = read_fills(self.path)
        return self._table


def csv_row(fill: Fill) -> str:
    """One line of the trade log, numbers as the shortest text that reads back as the same double."""
    # A JSON list without its brackets: msgspec prints a double fifteen times as fast as repr(), equally short.
    numbers = _encode(
        (
            fill.price,
            fill.quantity,
            fill.commission,
            fill.slippage,
            fill.balance,
            fill.equity,
            fill.realized_pnl,
            fill.stop,
            fill.target,
            fill.candle_volume,
            fill.mae,
            fill.mfe,
        )
    )
    money, stop, target, *seen = numbers[1:-1].decode().rsplit(",", 5)
    volume, mae, mfe = ("" if number == "null" else number for number in seen)
    return (
        f"{iso_ms(fill.time_ms)},{quoted(fill.symbol)},{'OPEN' if fill.opens else 'CLOSE'},"
        f"{'LONG' if fill.side > 0 else 'SHORT'},{money},{fill.reason},{fill.trade_id},"
        f"{stop},{target},{fill.order_id or ''},{fill.sized_by or ''},{int(fill.both_levels)},"
        f"{quoted(fill.tag)},{volume},{mae},{mfe},{int(fill.target_touched)}\n"
    )


def read_trade_log(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a trade log as text, in file order."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
