"""How much of a series is in the cache: from, to, candles, gaps; what is missing, and who has not got it either.

Footers answer where they can; a month's candles are read only when its footer says that some are missing inside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.candles.cache import CandleCache, fault_of
from app.candles.candle_checks import Gap
from app.candles.market_data import exchanges_with_markets, read_markets
from app.candles.ranges import Ranges, clip, slots, subtract, union
from app.errors import ConfigError, DataError
from app.times import TIME_MAX_MS, timeframe_ms


@dataclass(frozen=True)
class Coverage:
    """First and last open time of a series on disk, and what is missing between them.

    `confirmed` of the missing candles are known not to exist at an exchange that was asked.
    """

    first_open_ms: int
    last_open_ms: int
    candles: int
    gaps: int
    missing: int
    confirmed: int = 0


def series_coverage(
    cache: CandleCache, symbol: str, timeframe: str, start_ms: int | None = None, end_ms: int | None = None
) -> Coverage:
    """What the cache holds of a series, or of a part of it; DataError if that is nothing, or a file cannot be read."""
    step_ms = timeframe_ms(timeframe)
    present, holes = _present_and_holes(cache, symbol, timeframe, start_ms or 0, end_ms or TIME_MAX_MS)
    absent = union(*cache.absences(symbol, timeframe).values())
    return Coverage(
        first_open_ms=present[0][0],
        last_open_ms=present[-1][1] - step_ms,
        candles=slots(present, step_ms),
        gaps=len(holes),
        missing=slots(holes, step_ms),
        confirmed=slots(holes, step_ms) - slots(subtract(holes, absent), step_ms),
    )


def series_gaps(cache: CandleCache, symbol: str, timeframe: str) -> list[Gap]:
    """The gaps of a series, ascending, a stretch with one answer each."""
    step_ms = timeframe_ms(timeframe)
    absences = cache.absences(symbol, timeframe)
    gaps = []
    for start, end in _present_and_holes(cache, symbol, timeframe)[1]:
        edges = {start, end}
        for ranges in absences.values():
            edges.update(edge for one in clip(ranges, start, end) for edge in one)
        for begin, stop in pairwise(sorted(edges)):
            said = tuple(sorted(name for name, ranges in absences.items() if clip(ranges, begin, stop)))
            gaps.append(Gap(begin, stop - step_ms, (stop - begin) // step_ms, said))
    return gaps


def missing_ranges(
    cache: CandleCache, symbol: str, timeframe: str, exchange: str, start_ms: int, end_ms: int
) -> Ranges:
    """Open times in `[start_ms, end_ms)`, on the grid, that are not stored and that the exchange may have."""
    step_ms = timeframe_ms(timeframe)
    first_ms, stop_ms = -(-start_ms // step_ms) * step_ms, -(-end_ms // step_ms) * step_ms
    present = cache.present(symbol, timeframe, first_ms, stop_ms)
    absent = cache.absent(symbol, timeframe, exchange, first_ms, stop_ms)
    return subtract(union([(first_ms, stop_ms)]), union(present, absent))


def refuse_near_symbols(cache: CandleCache, symbols: Sequence[str]) -> None:
    """ConfigError for a symbol that the cache has in another spelling alone: another case, or another separator."""
    try:
        there = {symbol for symbol, _ in cache.series()}
    except DataError:  # a cache that cannot be listed: whoever reads from it says what is wrong
        return
    for symbol in symbols:
        near = [one for one in sorted(there) if _letters(one) == _letters(symbol)]
        if near and symbol not in there:
            raise ConfigError(f"no candles of {symbol} in {cache.root}, but of {', '.join(near)}: write {near[0]}")


def record_faults(cache: CandleCache) -> list[str]:
    """What is wrong with the cache's small files: what exchanges do not have, and their market data."""
    faults = [fault_of(cache.absences, *one) for one in cache.series()]
    faults += [fault_of(read_markets, cache.root, exchange) for exchange in exchanges_with_markets(cache.root)]
    return [fault for fault in faults if fault is not None]


def _present_and_holes(
    cache: CandleCache, symbol: str, timeframe: str, start_ms: int = 0, end_ms: int = TIME_MAX_MS
) -> tuple[Ranges, Ranges]:
    present = cache.present(symbol, timeframe, start_ms, end_ms)
    if not present:
        raise DataError(f"no candles of {symbol} {timeframe} in {cache.root}")
    return present, subtract(((present[0][0], present[-1][1]),), present)


def _letters(symbol: str) -> str:
    return symbol.translate({ord(one): None for one in "/:-_ "}).casefold()
