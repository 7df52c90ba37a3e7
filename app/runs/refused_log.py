"""RUN/refused.jsonl: entries that a limit refused, whole, so that it can be told what each would have done by itself.

A line each in the order of the decisions; the file is there if there was one. A strategy that asks on every candle of a
halted year fills it to 10 MB; what comes after that is counted in the funnel alone.
"""

import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from app.errors import DataError
from app.models.exits import Exits
from app.models.orders import MAIN, Action, Decision, Refusal, Signal
from app.trading.account import SliceRows

BYTES_MAX = 10_000_000
ROOM = "max_exposure"
_OF_SIZE = frozenset((Refusal.NO_QUANTITY, Refusal.MIN_QUANTITY, Refusal.MIN_NOTIONAL))
_OTHERS = frozenset((
    Refusal.POSITION_OPEN, Refusal.ORDER_PENDING, Refusal.NOTHING_TO_EXIT, Refusal.EXIT_PENDING, Refusal.NO_MARK,
    Refusal.LIMIT_PRICE, Refusal.STOP_DISTANCE, Refusal.TARGET_SIDE,
))  # fmt: skip
LIMITS = frozenset(Refusal) - _OTHERS  # what an entry of sense can be refused for


class RefusedEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """`time_ms` is the close of the slice decided on, `equity` the account's at its end, `why` the limit; the rest is
    the strategy's signal, with the exits that it or the config gave.
    """

    time_ms: int
    symbol: str
    why: str
    equity: float
    action: Action
    strategy: str = MAIN
    atr: float | None = None
    stop: float | None = None
    target: float | None = None
    size_factor: float = 1.0
    tag: str = ""
    limit: float | None = None
    valid_candles: int = 1
    exits: Exits | None = None

    @property
    def signal(self) -> Signal:
        """As the strategy gave it."""
        return Signal(
            self.action, self.atr, self.stop, self.target, self.size_factor, self.tag, self.limit, self.valid_candles,
            self.exits,
        )  # fmt: skip

    @property
    def limit_name(self) -> str:
        """What refused it: of one that no quantity was left for, the room under `max_exposure`."""
        return ROOM if self.why in _OF_SIZE else self.why


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(RefusedEntry).decode


class RefusedLog:
    """Writes the file, which is made with the first line. `kept_bytes` of one that is there stay."""

    def __init__(self, path: Path, kept_bytes: int | None = None) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._bytes = kept_bytes or 0
        size = path.stat().st_size if path.exists() else 0
        if size < self._bytes:
            raise DataError(f"{path} is shorter ({size:,} bytes) than when its rows were written ({kept_bytes:,})")
        if self._bytes:
            os.truncate(path, self._bytes)
        else:
            path.unlink(missing_ok=True)

    def write(self, decision: Decision, rows: SliceRows) -> None:
        """Append an entry that a limit refused; anything else is none of its business."""
        signal = decision.signal
        if decision.outcome not in LIMITS or signal is None or self._bytes >= BYTES_MAX:
            return
        place = bisect_left(rows.slices, decision.time_ms, key=lambda one: one.close_time_ms)
        entry = RefusedEntry(
            decision.time_ms, decision.symbol, decision.outcome, rows.equities[min(place, len(rows.equities) - 1)],
            signal.action, decision.strategy, signal.atr, signal.stop, signal.target, signal.size_factor, signal.tag,
            signal.limit, signal.valid_candles, signal.exits if isinstance(signal.exits, Exits) else None,
        )  # fmt: skip
        line = _encode(entry) + b"\n"
        if self._file is None:
            self._file = self.path.open("ab")
        self._file.write(line)
        self._bytes += len(line)

    def flush(self) -> None:
        """Everything to the kernel."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Everything to the kernel; idempotent."""
        if self._file is not None:
            self._file.close()

    @property
    def written_bytes(self) -> int:
        """How long the file is after a flush."""
        return self._bytes


def refused_entries(lines: Iterable[bytes]) -> Iterator[RefusedEntry]:
    """Of whole lines; one that cannot be read ends them."""
    for line in lines:
        try:
            yield _decode(line)
        except msgspec.MsgspecError:
            return
