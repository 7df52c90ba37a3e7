"""Other candles in the place of real ones: every price and volume moved by a factor that only its time decides.

The rule: what comes out are valid candles of the same times, none like the real one, and the same ones every time.
"""

import numpy as np

from app.candles.cache import CandleColumns
from app.candles.month_file import FloatArray, Int64Array

_PRICE, _VOLUME = 1, 2


def scrambled(columns: CandleColumns) -> CandleColumns:
    """The same open times; prices between 0.6 and 1.4 times, volumes so too, and 1 more."""
    price, volume = factors(columns.open_time_ms, _PRICE), factors(columns.open_time_ms, _VOLUME)
    open_, high, low, close = (column * price for column in (columns.open, columns.high, columns.low, columns.close))
    return CandleColumns(columns.open_time_ms, open_, high, low, close, columns.volume * volume + 1.0)


def factors(times_ms: Int64Array, which: int) -> FloatArray:
    """One for each time, in [0.6, 1.4) and never within 0.05 of 1: splitmix64 (Steele, Lea, Flood 2014) of the time."""
    mixed = times_ms.astype(np.uint64) + np.uint64(which * 0x9E3779B97F4A7C15 % (1 << 64))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    share: FloatArray = (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53
    return np.where(share < 0.5, 0.6 + 0.7 * share, 0.7 + 0.7 * share)
