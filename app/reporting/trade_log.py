"""The trade log: one CSV row per fill, in the order in which the fills were made, the same in every mode.

Numbers are written so that reading them back gives the same double. Rows go to disk as they come; nothing of the
log is kept in memory. Columns are RULES.md's, then Onetape's own.
"""

import csv
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TextIO

import msgspec

from app.models import Fill
from app.times import iso_ms

_encode = msgspec.json.Encoder().encode
COLUMNS = (
    "timestamp", "symbol", "action", "side", "price", "quantity", "commission", "slippage", "balance", "equity",
    "realized_pnl", "reason", "trade_id", "stop_loss", "take_profit", "order_id", "sized_by", "both_levels", "tag",
)  # fmt: skip


class TradeLog:
    """Writes one file; `close()` when the run is over."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO = path.open("w", encoding="utf-8", newline="")
        self._file.write(",".join(COLUMNS) + "\n")

    def write(self, fill: Fill) -> None:
        """Append one fill."""
        self._file.write(csv_row(fill))

    def close(self) -> None:
        """Everything to the kernel; idempotent."""
        self._file.close()


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
        )
    )
    money, stop, target = numbers[1:-1].decode().rsplit(",", 2)
    return (
        f"{iso_ms(fill.time_ms)},{_quoted(fill.symbol)},{'OPEN' if fill.opens else 'CLOSE'},"
        f"{'LONG' if fill.side > 0 else 'SHORT'},{money},{fill.reason},{fill.trade_id},"
        f"{stop},{target},{fill.order_id or ''},{fill.sized_by or ''},{int(fill.both_levels)},"
        f"{_quoted(fill.tag)}\n"
    )


@lru_cache(maxsize=1024)  # symbols and tags come again and again
def _quoted(text: str) -> str:
    # A tag is the user's own text: quoted as RFC 4180 has it where it could be taken for structure.
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def read_trade_log(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a trade log as text, in file order."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
