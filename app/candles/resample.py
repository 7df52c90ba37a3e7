"""Coarser candles out of finer ones: epoch-aligned buckets of the candles that exist, nothing is filled in.

A volume is the decimal sum, as an exchange prints it (0.1 + 0.2 is 0.3), wherever every part is the double of a decimal
of at most 8 places; elsewhere it is the correctly rounded sum of the doubles.
"""

import math
from decimal import Decimal

import numpy as np

from app.candles.month_file import BoolArray, CandleColumns, FloatArray, Int64Array
from app.errors import ConfigError
from app.times import timeframe_ms

_UNITS = 100_000_000  # a volume is printed with 8 places
_PLACES = 8
# Up to here `value * 1e8` is less than half a unit off, so that rounding it finds the decimal.
_UNITS_MAX = 2.0**50
_SUM_MAX = 2.0**53


def resample(columns: CandleColumns, finer: str, coarser: str) -> CandleColumns:
    """First open, highest high, lowest low, last close and summed volume of each bucket that holds a candle.

    `columns` ascend by open time. ConfigError if `coarser` is no multiple of `finer`.
    """
    finer_ms, coarser_ms = timeframe_ms(finer), timeframe_ms(coarser)
    if coarser_ms % finer_ms:
        raise ConfigError(f"{coarser} candles cannot be made of {finer} candles: it is no multiple")
    times = columns.open_time_ms
    if coarser_ms == finer_ms or len(times) == 0:
        return columns
    buckets = times // coarser_ms
    starts: Int64Array = np.flatnonzero(np.concatenate(([True], buckets[1:] != buckets[:-1])))
    lasts = np.append(starts[1:], len(times)) - 1
    return CandleColumns(
        buckets[starts] * coarser_ms,
        columns.open[starts],
        np.maximum.reduceat(columns.high, starts),
        np.minimum.reduceat(columns.low, starts),
        columns.close[lasts],
        _bucket_sums(columns.volume, starts),
    )


def decimal_units(values: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Values in whole units of 1e-8, and where that is exact: the value is the double of that decimal."""
    with np.errstate(invalid="ignore", over="ignore"):
        units = np.rint(values * _UNITS)
        return units, (units / _UNITS == values) & (np.abs(units) < _UNITS_MAX)


def _bucket_sums(volumes: FloatArray, starts: Int64Array) -> FloatArray:
    units, is_exact = decimal_units(volumes)
    rounded = np.where(is_exact, units, 0.0)
    # The rough sum is only there to see that the sum of integers neither overflows nor leaves the exact doubles.
    is_plain = np.logical_and.reduceat(is_exact, starts) & (np.add.reduceat(np.abs(rounded), starts) < _SUM_MAX)
    sums: FloatArray = np.add.reduceat(rounded.astype(np.int64), starts) / float(_UNITS)
    ends = np.append(starts[1:], len(volumes))
    for which in np.flatnonzero(~is_plain).tolist():
        sums[which] = _sum_one(volumes[starts[which] : ends[which]].tolist())
    return sums


def _sum_one(volumes: list[float]) -> float:
    total = 0
    for volume in volumes:
        units = Decimal(repr(volume)).scaleb(_PLACES) if math.isfinite(volume) else None
        if units is None or units != int(units):
            return math.fsum(volumes)
        total += int(units)
    return total / _UNITS
