"""How much of a series is in the cache: from, to, candles, gaps.

The rule: footers answer where they can; a month's candles are read only when its footer says that some are
missing inside it.
"""

from dataclasses import dataclass
from itertools import pairwise

from app.errors import DataError
from app.feeds.cache import CandleCache
from app.feeds.candle_checks import find_gaps
from app.times import timeframe_ms


@dataclass(frozen=True)
class Coverage:
    """First and last open time of a series on disk, and what is missing between them."""

    first_open_ms: int
    last_open_ms: int
    candles: int
    gaps: int
    missing: int


def series_coverage(cache: CandleCache, symbol: str, timeframe: str) -> Coverage:
    """What the cache holds of a series; DataError if that is nothing, or a file cannot be read."""
    step_ms = timeframe_ms(timeframe)
    months = [cache.describe(symbol, timeframe, month) for month in cache.months(symbol, timeframe)]
    if not months:
        raise DataError(f"no candles of {symbol} {timeframe} in {cache.root}")
    gaps = sum(after.first_open_ms - before.last_open_ms > step_ms for before, after in pairwise(months))
    for about in months:
        if about.rows != (about.last_open_ms - about.first_open_ms) // step_ms + 1:
            gaps += len(find_gaps(cache.read(symbol, timeframe, about.month).open_time_ms, timeframe))
    first_ms, last_ms = months[0].first_open_ms, months[-1].last_open_ms
    candles = sum(about.rows for about in months)
    return Coverage(first_ms, last_ms, candles, gaps, (last_ms - first_ms) // step_ms + 1 - candles)
