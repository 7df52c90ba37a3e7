"""Candles as a page carries them: coarse ones for the whole run, full detail by month, packed and within a budget.

The rule: where not everything fits, the candles around trades come first, then whole months, the latest first; what
was left out is named. A chunk is six columns of zigzag deltas as 32-bit integers, their bytes in four planes each,
deflated, in base64: time, open - previous close, close - open, high and low beyond the body, volume on a log scale.
"""

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.candles.month_file import CandleColumns, FloatArray, Int64Array
from app.runs.trade_read import Trade
from app.times import DAY_MS, TIMEFRAMES_MS, month_of

COARSE_MAX = 2_000  # candles of a symbol at first sight
AROUND_CANDLES = 60  # on each side of a trade
_STEPS_MS = (*TIMEFRAMES_MS.values(), *(days * DAY_MS for days in (2, 3, 7, 14, 28, 91, 364)))
_PRICE_MAX = 1 << 29
_DIGITS_MAX = 12
VOLUME_STEPS, VOLUME_OFFSET = 50, 2_000  # exp(1 / 50): 2 % from one step to the next, so at most 1 % off


@dataclass(frozen=True)
class Chunk:
    """Packed candles. `first_ms` is the first open time, `step_ms` the unit of the time column."""

    text: str
    candles: int
    first_ms: int
    step_ms: int


@dataclass(frozen=True)
class MonthDetail:
    """Candles of one month; `is_whole` is False where only those around trades are there."""

    month: str
    chunk: Chunk
    is_whole: bool


@dataclass(frozen=True)
class SymbolDetail:
    """What the page has of one symbol; prices are whole numbers of `10 ** -digits`. `candles` is how many there are."""

    symbol: str
    digits: int
    candles: int
    coarse: Chunk
    months: Sequence[MonthDetail]
    months_left_out: Sequence[str]


def pack_symbols(
    candles: Mapping[str, CandleColumns], step_ms: int, trades: Sequence[Trade], budget_bytes: int
) -> list[SymbolDetail]:
    """Everything that fits `budget_bytes` of text, overviews not counted."""
    digits = {symbol: price_digits(columns) for symbol, columns in candles.items()}
    months = {symbol: _by_month(columns) for symbol, columns in candles.items()}
    around = {symbol: _around(columns, step_ms, trades, symbol) for symbol, columns in candles.items()}
    whole = {
        (month, symbol): pack(columns, step_ms, digits[symbol])
        for symbol, own in months.items()
        for month, columns in own.items()
    }
    chosen: dict[tuple[str, str], MonthDetail] = {}
    if sum(len(chunk.text) for chunk in whole.values()) <= budget_bytes:
        chosen = {key: MonthDetail(key[0], chunk, is_whole=True) for key, chunk in whole.items()}
    else:
        left = budget_bytes
        for month, symbol in sorted(whole, reverse=True):
            near = months[symbol][month].take(np.isin(months[symbol][month].open_time_ms, around[symbol]))
            if not len(near.open_time_ms):
                continue
            part = pack(near, step_ms, digits[symbol])
            if len(part.text) <= left:
                chosen[month, symbol] = MonthDetail(month, part, is_whole=part.candles == whole[month, symbol].candles)
                left -= len(part.text)
        for key in sorted(whole, reverse=True):
            more = len(whole[key].text) - (len(chosen[key].chunk.text) if key in chosen else 0)
            if more <= left:
                chosen[key] = MonthDetail(key[0], whole[key], is_whole=True)
                left -= more
    return [
        SymbolDetail(
            symbol=symbol,
            digits=digits[symbol],
            candles=len(columns.open_time_ms),
            coarse=_overview(columns, step_ms, digits[symbol]),
            months=[chosen[month, symbol] for month in months[symbol] if (month, symbol) in chosen],
            months_left_out=[month for month in months[symbol] if (month, symbol) not in chosen],
        )
        for symbol, columns in candles.items()
    ]


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


def price_digits(columns: CandleColumns) -> int:
    """Decimals that hold every price exactly; as many as 30 bits hold where there are more."""
    prices: FloatArray = np.concatenate(columns[1:5])
    top = float(np.abs(prices).max())
    for digits in range(_DIGITS_MAX + 1):
        if top * 10.0 ** (digits + 1) >= _PRICE_MAX or bool(np.all(np.round(prices, digits) == prices)):
            return digits
    return _DIGITS_MAX


def pack(columns: CandleColumns, step_ms: int, digits: int) -> Chunk:
    """At least one candle."""
    opens, highs, lows, closes = (np.rint(prices * 10.0**digits).astype(np.int64) for prices in columns[1:5])
    before = np.concatenate(([0], closes[:-1]))
    first_ms = int(columns.open_time_ms[0])
    with np.errstate(divide="ignore"):
        steps = np.clip(np.rint(np.log(columns.volume) * VOLUME_STEPS) + VOLUME_OFFSET, 1, 1 << 20)
    deltas = (
        np.diff((columns.open_time_ms - first_ms) // step_ms, prepend=0),
        opens - before,
        closes - opens,
        highs - np.maximum(opens, closes),
        np.minimum(opens, closes) - lows,
        np.where(columns.volume > 0.0, steps, 0).astype(np.int64),
    )
    packed = zlib.compress(b"".join(map(_planes, deltas)), 6)
    return Chunk(base64.b64encode(packed).decode(), len(opens), first_ms, step_ms)


def _planes(deltas: Int64Array) -> bytes:
    narrow = deltas.astype("<i4")
    zigzag = ((narrow << 1) ^ (narrow >> 31)).astype("<u4")
    return zigzag.view(np.uint8).reshape(-1, 4).T.tobytes()


def _overview(columns: CandleColumns, step_ms: int, digits: int) -> Chunk:
    steps = [step for step in _STEPS_MS if step >= step_ms and step % step_ms == 0]
    for step in steps:
        coarse = columns if step == step_ms else coarsen(columns, step)
        if len(coarse.open_time_ms) <= COARSE_MAX or step == steps[-1]:
            return pack(coarse, step, digits)
    return pack(columns, step_ms, digits)


def _by_month(columns: CandleColumns) -> dict[str, CandleColumns]:
    found: dict[str, CandleColumns] = {}
    begin, times = 0, columns.open_time_ms
    while begin < len(times):
        month = month_of(int(times[begin]))
        following = np.datetime64(month, "M") + np.timedelta64(1, "M")
        end = int(times.searchsorted(following.astype("datetime64[ms]").astype(np.int64)))
        found[month] = columns.take(slice(begin, end))
        begin = end
    return found


def _around(columns: CandleColumns, step_ms: int, trades: Sequence[Trade], symbol: str) -> Int64Array:
    times = columns.open_time_ms
    wanted = np.zeros(len(times) + 1, np.int64)
    for trade in trades:
        if trade.symbol == symbol:
            last_ms = trade.entry_ms if trade.exit_ms is None else trade.exit_ms
            span = (trade.entry_ms - AROUND_CANDLES * step_ms, last_ms + AROUND_CANDLES * step_ms)
            begin, end = times.searchsorted(span).tolist()
            wanted[begin] += 1
            wanted[end] -= 1
    near: Int64Array = times[np.cumsum(wanted[:-1]) > 0]
    return near
