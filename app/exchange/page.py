"""One answer of candles: rows as an exchange sent them, checked, as columns.

An answer is used only if every row in it can be a candle. Rows outside the bounds that were asked for (a forming candle
among them) are left out; agreeing duplicates are merged, disorder is sorted; anything else that is wrong makes the
whole answer one to be asked for again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.candles.candle_checks import joined
from app.candles.month_file import COLUMN_NAMES, CandleColumns
from app.candles.ranges import Ranges, clip, ranges_of, subtract
from app.errors import DataError, UnavailableError
from app.times import TIME_MAX_MS, iso_ms


@dataclass(frozen=True)
class Page:
    """The candles of an answer, ascending, and what it can tell about open times without one.

    `told_from_ms .. told_until_ms` is the stretch for which the answer speaks: what has no candle there, the
    exchange says it does not have.
    """

    columns: CandleColumns
    told_from_ms: int
    told_until_ms: int
    off_grid: int

    def until(self, end_ms: int) -> "Page":
        """As if it had been asked for no more than what opens before this time."""
        if self.told_until_ms <= end_ms:
            return self
        columns = self.columns.take(self.columns.open_time_ms < end_ms)
        return Page(columns, self.told_from_ms, max(self.told_from_ms, end_ms), self.off_grid)

    def present(self, step_ms: int) -> Ranges:
        """The ranges that its candles cover."""
        return ranges_of(self.columns.open_time_ms, step_ms)

    def silent_about(self, step_ms: int) -> Ranges:
        """Open times for which the exchange says that it has nothing."""
        return subtract(((self.told_from_ms, self.told_until_ms),), self.present(step_ms))


def read_page(rows: object, step_ms: int, since_ms: int, end_ms: int, limit: int, known: Ranges = ()) -> Page:
    """Rows `[open time, open, high, low, close, volume, ...]` asked for with `since_ms <= open time < end_ms`.

    `known` are open times that the exchange is known to have: an answer that leaves one out is a wrong one.
    UnavailableError for an answer that cannot be used.
    """
    columns = _columns(rows)
    count = len(columns.open_time_ms)
    times = columns.open_time_ms
    inside = (times >= since_ms) & (times < min(end_ms, TIME_MAX_MS))
    on_grid = times % step_ms == 0
    columns = _ascending(columns.take(inside & on_grid))
    _check_candles(columns)
    told_until_ms = end_ms
    if count >= limit:  # a full answer speaks up to its last candle, a shorter one to the end of what was asked for
        told_until_ms = int(columns.open_time_ms[-1]) + step_ms if len(columns.open_time_ms) else since_ms
    page = Page(columns, since_ms, told_until_ms, int((inside & ~on_grid).sum()))
    left_out = subtract(clip(known, since_ms, page.told_until_ms), page.present(step_ms))
    if left_out:
        raise UnavailableError(f"an answer left out the candle of {iso_ms(left_out[0][0])}, which exists")
    return page


def _columns(rows: object) -> CandleColumns:
    if not isinstance(rows, list):
        raise UnavailableError("an answer was no list of candles")
    if not rows:
        return CandleColumns(np.empty(0, np.int64), *(np.empty(0) for _ in COLUMN_NAMES[1:]))
    try:
        by_name: Sequence[Sequence[Any]] = list(zip(*[row[:6] for row in rows], strict=True))
        times = np.array([int(time) for time in by_name[0]], dtype=np.int64)
        floats = [np.array(list(map(float, values)), dtype=np.float64) for values in by_name[1:]]
        return CandleColumns(times, *floats)
    except (TypeError, ValueError, LookupError, OverflowError) as error:
        raise UnavailableError(f"an answer held a row that is no candle ({error})") from None


def _ascending(columns: CandleColumns) -> CandleColumns:
    times = columns.open_time_ms
    if bool(np.all(times[1:] > times[:-1])):
        return columns
    try:
        return joined([columns])
    except DataError as error:
        raise UnavailableError(f"an answer contradicts itself: {error}") from None


def _check_candles(columns: CandleColumns) -> None:
    _, opens, highs, lows, closes, volumes = columns
    sane = np.isfinite(opens) & np.isfinite(highs) & np.isfinite(lows) & np.isfinite(closes) & np.isfinite(volumes)
    sane &= (lows > 0) & (volumes >= 0) & (highs >= np.maximum(opens, closes)) & (lows <= np.minimum(opens, closes))
    if not bool(sane.all()):
        worst = int(np.argmin(sane))
        numbers = ", ".join(str(float(column[worst])) for column in columns.floats())
        raise UnavailableError(
            f"an answer held an impossible candle at {iso_ms(int(columns.open_time_ms[worst]))}: {numbers}"
        )
