"""Made-up candles for tests: sane prices that differ from row to row, as columns.

The rule: the same arguments give the same candles, and a candle depends on its open time alone, so that any two
selections of a series agree where they overlap.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from app.candles.month_file import CandleColumns

MINUTE_MS = 60_000
# 2025-10-31T23:00Z: an hour before a month ends, so that two hours of minutes make two files.
START_MS = 1_761_951_600_000
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def make_candles(open_time_ms: Iterable[int]) -> CandleColumns:
    """A candle for each open time, in the order given."""
    times = np.array(list(open_time_ms), dtype=np.int64)
    steps = times // 1_000
    opens = 100.0 + (steps % 997) / 7.0
    closes = 100.0 + (steps % 991) / 3.0
    highs = np.maximum(opens, closes) + 0.1
    lows = np.minimum(opens, closes) - 0.1
    return CandleColumns(times, opens, highs, lows, closes, (steps % 13) / 10.0)


def minutes(count: int, start_ms: int = START_MS) -> range:
    """Open times of `count` one-minute candles."""
    return range(start_ms, start_ms + count * MINUTE_MS, MINUTE_MS)


def equal(left: CandleColumns, right: CandleColumns) -> bool:
    """Whether both hold the same candles, to the bit."""
    return all(a.tobytes() == b.tobytes() for a, b in zip(left, right, strict=True))
