"""Candles as a page carries them: coarse ones for the whole run, full detail by month, packed and within a budget.

Where not everything fits, the candles around trades come first, then whole months, the latest first; what was left
out is named. A month looks at its own candles and trades only, so the work is linear in the length of a run, and one
month of one symbol is in memory at a time, beside the chunks that the page gets. A chunk is six columns of zigzag
deltas as 32-bit integers, their bytes in four planes each, deflated, in base64: time, open - previous close,
close - open, high and low beyond the body, volume on a log scale.
"""

import base64
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from app.candles.month_file import CandleColumns, Int64Array, concatenated
from app.runs.candle_source import SymbolCandles
from app.runs.trade_read import TradeTable
from app.times import DAY_MS, TIMEFRAMES_MS, month_bounds_ms

COARSE_MAX = 2_000  # candles of a symbol at first sight; fewer where they would fill half of the page
_COARSE_LEAST = 100
_COARSE_BYTES = 10  # of one of them, on the page
AROUND_CANDLES = 60  # on each side of a trade
_STEPS_MS = (*TIMEFRAMES_MS.values(), *(days * DAY_MS for days in (2, 3, 7, 14, 28, 91, 364)))
_PRICE_MAX = 1 << 29
_DIGITS_MAX = 12
_OWN_CODES = 1_000  # candles from which on a code for each plane of bytes is worth its room
VOLUME_STEPS, VOLUME_OFFSET = 50, 2_000  # exp(1 / 50): 2 % from one step to the next, so at most 1 % off


Spans = tuple[Int64Array, Int64Array]  # begins and ends in ms, ascending, none touching another


class Chunk(NamedTuple):
    """Packed candles. `first_ms` is the first open time, `step_ms` the unit of the time column."""

    text: str
    candles: int
    first_ms: int
    step_ms: int


class MonthDetail(NamedTuple):
    """Candles of one month; `is_whole` is False where only those around trades are there."""

    month: str
    chunk: Chunk
    is_whole: bool


class SymbolDetail(NamedTuple):
    """What the page has of one symbol; prices are whole numbers of `10 ** -digits`. `candles` is how many there are."""

    symbol: str
    digits: int
    candles: int
    coarse: Chunk
    months: Sequence[MonthDetail]
    months_left_out: Sequence[str]


def pack_symbols(
    candles: Mapping[str, SymbolCandles], step_ms: int, trades: TradeTable, budget_bytes: int
) -> list[SymbolDetail]:
    """Everything that fits `budget_bytes` of text, the overviews among it."""
    coarse_max = max(_COARSE_LEAST, min(COARSE_MAX, budget_bytes // (2 * _COARSE_BYTES * len(candles))))
    scans = [_SymbolScan(symbol, own, step_ms, coarse_max) for symbol, own in candles.items()]
    left = budget_bytes - _COARSE_BYTES * sum(scan.coarse_expected for scan in scans)
    near = _near(candles, step_ms, trades)
    _choose(scans, near, step_ms, left)
    if any(scan.has_new_digits for scan in scans):
        # Earlier prices have more decimals than those packed before them: rare, an exchange keeps its tick for years.
        for scan in scans:
            scan.begin_again()
        _choose(scans, near, step_ms, left)
    return [scan.detail() for scan in scans]


class _SymbolScan:
    """One symbol on its way into the page: `look` reads a month, `chosen` are those that the page gets."""

    def __init__(self, symbol: str, candles: SymbolCandles, step_ms: int, coarse_max: int) -> None:
        self.symbol, self._step_ms, self.source = symbol, step_ms, candles
        self._coarse_max, self._coarse_steps = coarse_max, _overview_steps(candles, step_ms, coarse_max)
        self.coarse_expected = min(
            coarse_max, 1 + candles.last_ms // max(self._coarse_steps) - candles.first_ms // max(self._coarse_steps)
        )
        self._digits, self._top = 0, 0.0
        self.begin_again()

    def begin_again(self) -> None:
        """As if no month had been looked at, but for the decimals."""
        self.counts: dict[str, int] = {}  # candles of each month
        self.chosen: dict[str, MonthDetail] = {}
        self.has_new_digits = False
        self._coarse: dict[int, list[CandleColumns]] = {step: [] for step in self._coarse_steps}

    def look(self, month: str) -> CandleColumns:
        """Its candles; their number, their decimals and coarse ones of them are kept."""
        columns = self.source.read(month)
        self._top = max(self._top, float(columns.high.max()), -float(columns.low.min()))
        digits = price_digits(columns, self._digits, self._top)
        self.has_new_digits |= digits != self._digits and bool(self.counts)
        self._digits = digits
        self.counts[month] = len(columns.open_time_ms)
        for step, parts in self._coarse.items():
            parts.append(coarsen(columns, step))
        return columns

    def pack(self, columns: CandleColumns) -> Chunk:
        """Candles of one of its months."""
        return pack(columns, self._step_ms, self._digits)

    def detail(self) -> SymbolDetail:
        """What was chosen, months ascending."""
        coarse = {step: coarsen(concatenated(parts[::-1]), step) for step, parts in self._coarse.items()}
        fitting = [step for step, columns in coarse.items() if len(columns.open_time_ms) <= self._coarse_max]
        step = fitting[0] if fitting else max(coarse)
        return SymbolDetail(
            symbol=self.symbol,
            digits=self._digits,
            candles=sum(self.counts.values()),
            coarse=pack(coarse[step], step, self._digits),
            months=[self.chosen[month] for month in sorted(self.chosen)],
            months_left_out=[month for month in sorted(self.counts) if month not in self.chosen],
        )


def _choose(scans: Sequence[_SymbolScan], near: Mapping[str, Spans], step_ms: int, budget_bytes: int) -> None:
    """Each month is read once, the latest first; a second time where the whole of it may fit after a part of it."""
    by_symbol = {scan.symbol: scan for scan in scans}
    latest_first = sorted(((month, scan.symbol) for scan in scans for month in scan.source.months), reverse=True)
    expected = sum(scan.source.least for scan in scans)
    rest = _Rest(near, step_ms, budget_bytes)
    packed = taken = 0
    fits = True
    for number, (month, symbol) in enumerate(latest_first):
        scan = by_symbol[symbol]
        columns = scan.look(month)
        if fits:
            taken += rest.add_whole(scan, month, columns)
            packed += scan.counts[month]
            if rest.full or taken + max(expected - packed, 0) * taken / packed > budget_bytes:
                # Not everything will fit, by what a candle has taken so far: what is around trades comes first.
                fits = False
                rest.begin_again(scans, budget_bytes)
                for earlier, name in latest_first[:number]:
                    rest.add_near(by_symbol[name], earlier)
        if not fits:
            rest.add_near(scan, month, columns)
    if not fits:
        rest.full.clear()
        for month, symbol in latest_first:
            rest.add_whole(by_symbol[symbol], month)


class _Rest:
    """What is left of the budget. Of each symbol the latest month comes first, until one does not fit: it is full."""

    def __init__(self, near: Mapping[str, Spans], step_ms: int, budget_bytes: int) -> None:
        self._near, self._step_ms, self._left = near, step_ms, budget_bytes
        self._least_bytes = 0.0  # of a candle, in the chunk where they took least
        self.full: set[str] = set()

    def begin_again(self, scans: Sequence[_SymbolScan], budget_bytes: int) -> None:
        """Nothing is chosen any more."""
        self._left = budget_bytes
        self.full.clear()
        for scan in scans:
            scan.chosen.clear()

    def add_near(self, scan: _SymbolScan, month: str, columns: CandleColumns | None = None) -> None:
        """The candles around trades, if they fit."""
        if scan.symbol not in self._near or scan.symbol in self.full:
            return
        begins, ends = spans = _of_month(self._near[scan.symbol], month)
        wanted = min(scan.counts[month], int((ends - begins).sum()) // self._step_ms)
        if wanted and self._may_fit(scan, wanted):
            inside = _inside(scan.source.read(month) if columns is None else columns, spans)
            if len(inside.open_time_ms):
                self._take(scan, month, inside)

    def add_whole(self, scan: _SymbolScan, month: str, columns: CandleColumns | None = None) -> int:
        """The whole month, if it fits; how much of the budget it took."""
        have = scan.chosen.get(month)
        candles = 0 if have is None else have.chunk.candles
        if (
            scan.symbol in self.full
            or candles == scan.counts[month]
            or not self._may_fit(scan, scan.counts[month] - candles)
        ):
            return 0
        return self._take(scan, month, scan.source.read(month) if columns is None else columns)

    def _may_fit(self, scan: _SymbolScan, candles: int) -> bool:
        # What would not fit even if it packed twice as well as any so far is not read for it.
        if candles * self._least_bytes / 2.0 > self._left:
            self.full.add(scan.symbol)
        return scan.symbol not in self.full

    def _take(self, scan: _SymbolScan, month: str, columns: CandleColumns) -> int:
        chunk, have = scan.pack(columns), scan.chosen.get(month)
        bytes_each = len(chunk.text) / chunk.candles
        self._least_bytes = min(self._least_bytes, bytes_each) if self._least_bytes else bytes_each
        more = len(chunk.text) - (0 if have is None else len(have.chunk.text))
        if more > self._left:
            self.full.add(scan.symbol)
            return 0
        scan.chosen[month] = MonthDetail(month, chunk, is_whole=chunk.candles == scan.counts[month])
        self._left -= more
        return more


def coarsen(columns: CandleColumns, step_ms: int) -> CandleColumns:
    """Epoch-aligned buckets of the candles that exist, for the eye: volumes are plain sums."""
    buckets = columns.open_time_ms // step_ms
    starts = np.flatnonzero(np.concatenate(([True], buckets[1:] != buckets[:-1])))
    lasts = np.append(starts[1:], len(buckets)) - 1
    return CandleColumns(
        buckets[starts] * step_ms,
        columns.open[starts],
        np.maximum.reduceat(columns.high, starts),
        np.minimum.reduceat(columns.low, starts),
        columns.close[lasts],
        np.add.reduceat(columns.volume, starts),
    )


def price_digits(columns: CandleColumns, least: int = 0, highest: float = 0.0) -> int:
    """Decimals that hold every price exactly, `least` or more; as many as 30 bits hold where that is fewer.

    `highest` is a price that they must hold as well.
    """
    top = max(highest, *(float(np.abs(prices).max()) for prices in columns[1:5]))
    most = next((digits for digits in range(_DIGITS_MAX) if top * 10.0 ** (digits + 1) >= _PRICE_MAX), _DIGITS_MAX)
    digits = min(least, most)
    for prices in columns[1:5]:
        for part in (prices[:100], prices):  # the first few tell nearly always
            while digits < most and not np.array_equal(np.round(part, digits), part):
                digits += 1
    return digits


def pack(columns: CandleColumns, step_ms: int, digits: int) -> Chunk:
    """At least one candle."""
    opens, highs, lows, closes = ((prices * 10.0**digits).round().astype(np.int32) for prices in columns[1:5])
    times_ms = columns.open_time_ms
    with np.errstate(divide="ignore"):
        volumes = np.log(columns.volume)
    deltas = (
        np.diff(times_ms, prepend=times_ms[:1]) // step_ms,
        opens - np.append(np.int32(0), closes[:-1]),
        closes - opens,
        highs - np.maximum(opens, closes),
        np.minimum(opens, closes) - lows,
        np.where(columns.volume > 0.0, (volumes * VOLUME_STEPS + VOLUME_OFFSET).round().clip(1, 1 << 20), 0),
    )
    # The bytes are noise but for long runs of zeros: looking for other repetitions takes four times as long and
    # saves nothing. A plane that is flushed gets a code of its own: a tenth smaller, and faster.
    deflate = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    packed = []
    for plane in chain.from_iterable(map(_planes, deltas)):
        packed.append(deflate.compress(plane))
        if len(opens) >= _OWN_CODES:
            packed.append(deflate.flush(zlib.Z_FULL_FLUSH))
    packed.append(deflate.flush())
    return Chunk(base64.b64encode(b"".join(packed)).decode(), len(opens), int(times_ms[0]), step_ms)


def _planes(deltas: "np.ndarray") -> Iterator[bytes]:
    zigzag = deltas.astype("<i4", copy=False)
    zigzag = (zigzag << 1) ^ (zigzag >> 31)
    most, places = int(zigzag.view("<u4").max()), zigzag.view(np.uint8).reshape(-1, 4)
    for place in range(4):
        yield places[:, place].tobytes() if most >> 8 * place else bytes(len(deltas))


def _overview_steps(candles: SymbolCandles, step_ms: int, most: int) -> list[int]:
    # Without a gap the number of buckets follows from the times of the ends; with gaps a finer step may do.
    steps = [step for step in _STEPS_MS if step >= step_ms and step % step_ms == 0] or [step_ms]
    enough = [step for step in steps if candles.last_ms // step - candles.first_ms // step < most]
    last = enough[0] if enough else steps[-1]
    return [step for step in steps if step <= last and (candles.least * step_ms <= most * step or step == last)]


def _near(candles: Mapping[str, SymbolCandles], step_ms: int, trades: TradeTable) -> dict[str, Spans]:
    """The times around the trades of each symbol."""
    margin_ms = AROUND_CANDLES * step_ms
    begins = trades.entry.time_ms - margin_ms
    ends = np.where(trades.is_closed, trades.exit.time_ms, trades.entry.time_ms) + margin_ms
    codes = trades.entry.symbol.codes
    order = np.lexsort((begins, codes))
    begins, ends, codes = begins[order], ends[order], codes[order]
    found = {}
    for code, symbol in enumerate(trades.entry.symbol.names):
        own = slice(*codes.searchsorted((code, code + 1)).tolist())
        if symbol in candles and own.start < own.stop:
            reach = np.maximum.accumulate(ends[own])
            gaps = np.flatnonzero(begins[own][1:] > reach[:-1])
            found[symbol] = begins[own][np.append(0, gaps + 1)], reach[np.append(gaps, -1)]
    return found


def _inside(columns: CandleColumns, spans: Spans) -> CandleColumns:
    times = columns.open_time_ms
    marks = np.zeros(len(times) + 1, np.int64)
    np.add.at(marks, times.searchsorted(spans[0]), 1)
    np.add.at(marks, times.searchsorted(spans[1]), -1)
    return columns.take(np.cumsum(marks[:-1]) > 0)


def _of_month(spans: Spans, month: str) -> Spans:
    # Found by bisection: each month looks at its own spans only, so the whole is linear in the length of a run.
    first_ms, end_ms = month_bounds_ms(month)
    own = slice(int(spans[1].searchsorted(first_ms, side="right")), int(spans[0].searchsorted(end_ms)))
    return np.clip(spans[0][own], first_ms, end_ms), np.clip(spans[1][own], first_ms, end_ms)
