"""A coarser series of the cache out of a finer one that is there already, instead of fetching it.

A coarse candle is made only where every finer open time in it is stored or known not to exist, so it is the one that
the exchange serves; where nobody was asked it is left out, and counted.
"""

from dataclasses import dataclass

from app.candles.absences import Absences
from app.candles.cache import CandleCache
from app.candles.ranges import Ranges, clip, intersect, slots, subtract, union
from app.candles.resample import resample
from app.errors import ConfigError, DataError
from app.times import TIME_MAX_MS, month_bounds_ms, timeframe_ms


@dataclass
class CoarseningReport:
    """What was made of one symbol: coarse candles new to the cache and there already, and those left out."""

    symbol: str
    new: int = 0
    already_there: int = 0
    incomplete: int = 0  # coarse candles of which a finer one is missing
    first_incomplete_ms: int | None = None


def coarsen_series(
    cache: CandleCache, symbol: str, finer: str, coarser: str, start_ms: int = 0, end_ms: int = TIME_MAX_MS
) -> CoarseningReport:
    """Makes the coarse candles with `start_ms <= open time < end_ms`, a month at a time.

    ConfigError if `coarser` is no multiple above `finer`, DataError without a finer candle, or where a coarse one that
    is stored already differs.
    """
    finer_ms, coarser_ms = timeframe_ms(finer), timeframe_ms(coarser)
    if coarser_ms <= finer_ms or coarser_ms % finer_ms:
        raise ConfigError(f"{coarser} candles cannot be made of {finer} candles: it is no multiple of it")
    start_ms, end_ms = -(-start_ms // coarser_ms) * coarser_ms, end_ms // coarser_ms * coarser_ms
    present = cache.present(symbol, finer, start_ms, end_ms)
    if not present:
        raise DataError(f"no {finer} candles of {symbol} in {cache.root} to make {coarser} candles of")
    absences = cache.absences(symbol, finer)
    complete = _whole(union(present, *absences.values()), coarser_ms)
    touched = union([(a // coarser_ms * coarser_ms, -(-b // coarser_ms) * coarser_ms) for a, b in present])
    left_out = subtract(touched, complete)
    report = CoarseningReport(symbol, incomplete=slots(left_out, coarser_ms))
    report.first_incomplete_ms = left_out[0][0] if left_out else None
    for month in cache.months_between(symbol, finer, start_ms, end_ms):
        columns = resample(cache.read(symbol, finer, month), finer, coarser)
        for begin, stop in clip(intersect(touched, complete), *month_bounds_ms(month)):
            first, last = columns.open_time_ms.searchsorted((begin, stop)).tolist()
            merged = cache.merge(symbol, coarser, columns.take(slice(first, last)))
            report.new += merged.new
            report.already_there += merged.already_there
    _pass_on_absences(cache, symbol, coarser, absences, start_ms, end_ms)
    return report


def _pass_on_absences(
    cache: CandleCache, symbol: str, coarser: str, absences: Absences, start_ms: int, end_ms: int
) -> None:
    # Where an exchange has no finer candle in a whole coarse one, it has no coarse one either.
    for exchange, ranges in absences.items():
        cache.add_absent(symbol, coarser, exchange, clip(_whole(ranges, timeframe_ms(coarser)), start_ms, end_ms))


def _whole(ranges: Ranges, step_ms: int) -> Ranges:
    """The grid's steps that lie in the ranges entirely."""
    return union([(-(-start // step_ms) * step_ms, end // step_ms * step_ms) for start, end in ranges])
