"""The signal log: one CSV row per LONG, SHORT and EXIT, in the order of the decisions, with what became of it.

`timestamp` is the close time of the slice decided on; the order's columns are empty where there is none. It is what
`compare` and `why` read, beside the trade log.
"""

from pathlib import Path

import msgspec

from app.models.orders import Decision, EntryOrder
from app.runs.row_log import RowLog, quoted
from app.times import iso_ms

_encode = msgspec.json.Encoder().encode
COLUMNS = (
    "timestamp", "symbol", "action", "outcome", "order_id", "quantity", "reference", "stop", "target", "sized_by",
    "tag",
)  # fmt: skip


class SignalLog(RowLog):
    """One row a signal."""

    def __init__(self, path: Path, kept_bytes: int | None = None) -> None:
        super().__init__(path, COLUMNS, kept_bytes)

    def write(self, decision: Decision) -> None:
        """Append one signal."""
        self._file.write(signal_row(decision))


def signal_row(decision: Decision) -> str:
    """One line of the signal log."""
    order = decision.order
    entry = ",,,,"
    if isinstance(order, EntryOrder):
        numbers = _encode((order.quantity, order.reference, order.stop, order.target))[1:-1].decode()
        entry = f"{numbers},{order.sized_by}"
    return (
        f"{iso_ms(decision.time_ms)},{quoted(decision.symbol)},{decision.action},{decision.outcome},"
        f"{'' if order is None else order.order_id},{entry},{quoted(decision.tag)}\n"
    )
