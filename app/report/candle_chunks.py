"""Candles as a page carries them: coarse ones for the whole run, full detail by month, packed and within a budget.

Where not everything fits, the candles around trades come first, then whole months, the latest first; what was left
out is named. A chunk is six columns of zigzag deltas as 32-bit integers, their bytes in four planes each, deflated,
in base64: time, open - previous close, close - open, high and low beyond the body, volume on a log scale. One month
of one symbol is in memory at a time, beside the chunks that the page gets.
"""

import base64
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from app.candles.month_file import CandleColumns, Int64Array
from app.runs.candle_source import SymbolCandles
from app.runs.trade_read import TradeTable
from app.times import DAY_MS, TIMEFRAMES_MS, month_bounds_ms

COARSE_MAX = 2_000  # candles of a symbol at first sight
AROUND_CANDLES = 60  # on each side of a trade
_STEPS_MS = (*TIMEFRAMES_MS.values(), *(days * DAY_MS for days in (2, 3, 7, 14, 28, 91, 364)))
_PRICE_MAX = 1 << 29
_DIGITS_MAX = 12
VOLUME_STEPS, VOLUME_OFFSET = 50, 2_000  # exp(1 / 50): 2 % from one step to the next, so at most 1 % off


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
    """Everything that fits `budget_bytes` of text, overviews not counted."""
    left = budget_bytes
    scans = []
    for symbol, own in candles.items():
        scan = _SymbolScan(symbol, own, step_ms)
        left -= scan.read(left)
        scans.append(scan)
    if left < 0:
        _fit(scans, _near(candles, step_ms, trades), step_ms, budget_bytes)
    return [scan.detail() for scan in scans]


class _SymbolScan:
    """One symbol on its way into the page: `read` looks at every candle once, and packs as long as there is room."""

    def __init__(self, symbol: str, candles: SymbolCandles, step_ms: int) -> None:
        self.symbol, self._step_ms, self._source = symbol, step_ms, candles
        self.digits = 0
        self.least_bytes = float("inf")  # of a candle, in the month where they took least
        self.counts: dict[str, int] = {}  # candles of each month
        self.chosen: dict[str, MonthDetail] = {}
        self._coarse: dict[int, list[CandleColumns]] = {step: [] for step in _overview_steps(candles, step_ms)}

    def read(self, budget_bytes: int) -> int:
        """Bytes of the months' texts; once they are more than the budget, none is kept and none is packed any more."""
        top, used = 0.0, 0
        for month in self._source.months:
            columns = self._source.read(month)
            top = max(top, float(columns.high.max()), -float(columns.low.min()))
            digits = price_digits(columns, self.digits, top)
            has_room = used <= budget_bytes
            if digits != self.digits:
                # Prices of another number of decimals than those before: rare, an exchange keeps its tick for years.
                self.digits = digits
                if has_room:
                    used = sum(self._choose(other, self.read_month(other)) for other in self.counts)
            self.counts[month] = len(columns.open_time_ms)
            if has_room:
                used += self._choose(month, columns)
            for step, parts in self._coarse.items():
                parts.append(coarsen(columns, step))
            if used > budget_bytes:
                self.chosen.clear()
        return used

    def pack(self, columns: CandleColumns) -> Chunk:
        """Candles of one of its months."""
        return pack(columns, self._step_ms, self.digits)

    def read_month(self, month: str) -> CandleColumns:
        """Its candles."""
        return self._source.read(month)

    def detail(self) -> SymbolDetail:
        """What was chosen, months ascending."""
        coarse = {step: coarsen(_joined(parts), step) for step, parts in self._coarse.items()}
        fitting = [step for step, columns in coarse.items() if len(columns.open_time_ms) <= COARSE_MAX]
        step = fitting[0] if fitting else max(coarse)
        return SymbolDetail(
            symbol=self.symbol,
            digits=self.digits,
            candles=sum(self.counts.values()),
            coarse=pack(coarse[step], step, self.digits),
            months=[self.chosen[month] for month in self.counts if month in self.chosen],
            months_left_out=[month for month in self.counts if month not in self.chosen],
        )

    def _choose(self, month: str, columns: CandleColumns) -> int:
        chunk = self.pack(columns)
        self.least_bytes = min(self.least_bytes, len(chunk.text) / chunk.candles)
        self.chosen[month] = MonthDetail(month, chunk, is_whole=True)
        return len(chunk.text)


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
    # saves nothing. Each plane is flushed, so it gets a code of its own: a tenth smaller, and faster.
    deflate = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    packed = []
    for plane in chain.from_iterable(map(_planes, deltas)):
        packed += [deflate.compress(plane), deflate.flush(zlib.Z_FULL_FLUSH)]
    packed.append(deflate.flush())
    return Chunk(base64.b64encode(b"".join(packed)).decode(), len(opens), int(times_ms[0]), step_ms)


def _planes(deltas: "np.ndarray") -> Iterator[bytes]:
    zigzag = deltas.astype("<i4", copy=False)
    zigzag = (zigzag << 1) ^ (zigzag >> 31)
    most, places = int(zigzag.view("<u4").max()), zigzag.view(np.uint8).reshape(-1, 4)
    for place in range(4):
        yield places[:, place].tobytes() if most >> 8 * place else bytes(len(deltas))


def _overview_steps(candles: SymbolCandles, step_ms: int) -> list[int]:
    # Without a gap the number of buckets follows from the times of the ends; with gaps a finer step may do.
    steps = [step for step in _STEPS_MS if step >= step_ms and step % step_ms == 0] or [step_ms]
    enough = [step for step in steps if candles.last_ms // step - candles.first_ms // step < COARSE_MAX]
    last = enough[0] if enough else steps[-1]
    return [step for step in steps if step <= last and (candles.least * step_ms <= COARSE_MAX * step or step == last)]


def _joined(parts: Sequence[CandleColumns]) -> CandleColumns:
    return CandleColumns(*(np.concatenate(column) for column in zip(*parts, strict=True)))


Spans = tuple[Int64Array, Int64Array]  # begins and ends in ms, ascending, none touching another


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


def _fit(scans: Sequence[_SymbolScan], near: Mapping[str, Spans], step_ms: int, budget_bytes: int) -> None:
    """Candles around trades, then whole months; of each symbol the latest first, until one does not fit any more."""
    left = budget_bytes
    for scan in scans:
        scan.chosen.clear()
    by_symbol = {scan.symbol: scan for scan in scans}
    # A month that would not fit even if it packed twice as well as any so far is not read for it.
    least_bytes = min(scan.least_bytes for scan in scans) / 2.0
    latest_first = sorted(((month, scan.symbol) for scan in scans for month in scan.counts), reverse=True)
    for only_near in (True, False):
        full: set[str] = set()
        for month, symbol in latest_first:
            scan = by_symbol[symbol]
            have = scan.chosen.get(month)
            if symbol in full or (have is not None and have.is_whole) or (only_near and symbol not in near):
                continue
            bytes_before = 0 if have is None else len(have.chunk.text)
            wanted = scan.counts[month]
            if only_near:
                begins, ends = spans = _of_month(near[symbol], month)
                wanted = min(wanted, int((ends - begins).sum()) // step_ms)
            if wanted * least_bytes - bytes_before > left:
                full.add(symbol)
            if not wanted or symbol in full:
                continue
            columns = scan.read_month(month)
            if only_near:
                columns = _inside(columns, spans)
                if not len(columns.open_time_ms):
                    continue
            chunk = scan.pack(columns)
            more = len(chunk.text) - bytes_before
            if more > left:
                full.add(symbol)
                continue
            scan.chosen[month] = MonthDetail(month, chunk, is_whole=chunk.candles == scan.counts[month])
            left -= more
