"""Pairs the signals, orders, fills and equity rows of two runs and finds where they first differ.

A signal has its partner by line and slice, a fill by the order it fills, so a fill at another time is still the same
fill; legs of a trade are paired among themselves. Logs are read side by side; kept is only what has no partner yet.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import zip_longest
from typing import TypeVar

from app.models.orders import GOES_ON, Line, Reason
from app.runs.reader import EquityRow, FillRow, Run, SignalRow, line_of

T = TypeVar("T")
_SIGNAL = ("action", "tag")
LEVEL_EXITS = (  # made before the slice is decided on; everything else after it, but an entry inside a candle
    Reason.STOP_LOSS, Reason.TAKE_PROFIT, Reason.PARTIAL_TARGET, Reason.BREAK_EVEN, Reason.TRAILING_STOP,
)  # fmt: skip


class Kind(StrEnum):
    """What differs."""

    SIGNAL = "signal"
    ORDER = "order"
    FILL = "fill"
    EQUITY = "equity"


@dataclass(frozen=True)
class Divergence:
    """One difference of two runs' outputs; `a` or `b` is None where it is there in one only.

    `rank` orders what happens at one time: exits inside the candle, equity, decisions, then fills of orders.
    """

    kind: Kind
    time_ms: int
    rank: int
    symbol: str
    a: Mapping[str, str] | None
    b: Mapping[str, str] | None

    @property
    def line(self) -> Line | None:
        """Whose signal, order or fill it is; None for an equity row."""
        row = self.a or self.b
        return None if row is None or not self.symbol else line_of(row)

    @property
    def fields(self) -> list[str]:
        """The columns that differ, all that are not empty where one has none."""
        a, b = self.a or {}, self.b or {}
        return [name for name in (a or b) if a.get(name, "") != b.get(name, "")]


@dataclass
class Outputs:
    """What the comparison of two runs' outputs came to."""

    signals: int = 0
    fills: int = 0
    equity_rows: int = 0
    differing: Counter[Kind] = field(default_factory=Counter)
    first: Divergence | None = None
    identical: dict[str, bool] = field(default_factory=dict)

    @property
    def are_same(self) -> bool:
        """Trade logs and signals byte for byte, every equity row."""
        return not self.differing and self.identical["trades"]

    def add(self, divergence: Divergence | None) -> None:
        """Count one and keep the first."""
        if divergence is None:
            return
        self.differing[divergence.kind] += 1
        if self.first is None or (divergence.time_ms, divergence.rank) < (self.first.time_ms, self.first.rank):
            self.first = divergence


def compare_outputs(a: Run, b: Run, on_fills: Callable[[FillRow, FillRow], None]) -> Outputs:
    """All of it; `on_fills` sees each pair of fills that differ, to judge it on its own."""
    outputs = Outputs(identical={key: _same_bytes(a, b, key) for key in ("trades", "signals", "equity")})
    for one, other in paired(a.signals(), b.signals(), _signal_key):
        outputs.signals += 1
        if one is None or other is None or one.row != other.row:
            outputs.add(_signal_divergence(one, other))
    for left, right in paired(a.fills(), b.fills(), fill_key):
        outputs.fills += 1
        if left is None or right is None or left.row != right.row:
            outputs.add(_fill_divergence(left, right))
            if left is not None and right is not None:
                on_fills(left, right)
    if outputs.identical["equity"]:
        outputs.equity_rows = sum(1 for _ in a.equity())
    else:
        for (row, partner), _ in by_time(a.equity(), b.equity(), lambda row: row[0]):
            outputs.equity_rows += 1
            if row != partner:
                outputs.add(_equity_divergence(row, partner))
    return outputs


def paired(a: Iterable[T], b: Iterable[T], key: Callable[[T], Hashable]) -> Iterator[tuple[T | None, T | None]]:
    """Each row with the other run's of the same key, in order where a key comes again; the lonely ones at the end."""
    waiting: tuple[defaultdict[Hashable, deque[T]], ...] = (defaultdict(deque), defaultdict(deque))
    for rows in zip_longest(a, b):
        for side, row in enumerate(rows):
            if row is None:
                continue
            partners = waiting[1 - side].get(key(row))
            if partners is None:
                waiting[side][key(row)].append(row)
                continue
            partner = partners.popleft()
            if not partners:
                del waiting[1 - side][key(row)]
            yield (row, partner) if side == 0 else (partner, row)
    for side, lonely in enumerate(waiting):
        for left_over in lonely.values():
            for row in left_over:
                yield (row, None) if side == 0 else (None, row)


def _same_bytes(a: Run, b: Run, key: str) -> bool:
    one, other = a.file(key), b.file(key)
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as left, other.open("rb") as right:
        while block := left.read(1 << 20):
            if block != right.read(1 << 20):
                return False
    return True


def _signal_key(signal: SignalRow) -> Hashable:
    return line_of(signal.row), signal.time_ms


def fill_key(fill: FillRow) -> Hashable:
    """A fill's partner in the other run is the one of the same line and entry, and a leg's partner is a leg."""
    return line_of(fill.row), fill.decided_ms, fill.row["action"], fill.row["reason"] in GOES_ON


def _signal_divergence(a: SignalRow | None, b: SignalRow | None) -> Divergence | None:
    present = a or b
    if present is None:
        return None
    same_signal = a is not None and b is not None and all(a.row[name] == b.row[name] for name in _SIGNAL)
    kind = Kind.ORDER if same_signal else Kind.SIGNAL
    rows = [None if one is None else one.row for one in (a, b)]
    return Divergence(kind, present.time_ms, 2, present.row["symbol"], *rows)


def _fill_divergence(a: FillRow | None, b: FillRow | None) -> Divergence | None:
    there = [fill for fill in (a, b) if fill is not None]
    if not there:
        return None
    earlier = min(there, key=lambda fill: fill.time_ms)
    rank = 0 if earlier.row["reason"] in LEVEL_EXITS or _is_inside(earlier) else 3
    rows = [None if one is None else one.row for one in (a, b)]
    return Divergence(Kind.FILL, earlier.time_ms, rank, earlier.row["symbol"], *rows)


def _is_inside(fill: FillRow) -> bool:
    """Whether a limit entry was filled inside its candle: without slippage, later than it was decided."""
    return fill.row["action"] == "OPEN" and float(fill.row["slippage"]) == 0.0 and fill.time_ms > fill.decided_ms


def _equity_divergence(a: EquityRow | None, b: EquityRow | None) -> Divergence | None:
    present = a or b
    if present is None:
        return None
    rows = [None if row is None else {"equity": repr(row[1]), "balance": repr(row[2])} for row in (a, b)]
    return Divergence(Kind.EQUITY, present[0], 1, "", *rows)


def by_time(
    a: Iterator[T], b: Iterator[T], time_of: Callable[[T], int]
) -> Iterator[tuple[tuple[T | None, T | None], bool]]:
    """Pairs of one time, both ascending, None where one has nothing of that time; and whether one has ended."""
    left, right = next(a, None), next(b, None)
    while left is not None or right is not None:
        first_ms = min(time_of(one) for one in (left, right) if one is not None)
        mine = left if left is not None and time_of(left) == first_ms else None
        theirs = right if right is not None and time_of(right) == first_ms else None
        yield (mine, theirs), left is None or right is None
        left = left if mine is None else next(a, None)
        right = right if theirs is None else next(b, None)
