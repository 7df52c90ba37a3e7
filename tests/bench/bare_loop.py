"""The yardstick: the same indicators, rule, exits and equity as one bare Python loop, without any framework.

Run as a process of its own: `python -m tests.bench.bare_loop CACHE SYMBOL`. Prints candles, seconds of loading and
seconds of the loop. It has no queue, no stages, no costs, no files; nothing can be faster in plain Python.
"""

import sys
import time
from collections import deque
from pathlib import Path

from app.candles.cache import CandleCache

Row = tuple[int, float, float, float, float, float]


def load(cache: Path, symbol: str) -> list[Row]:
    """All 1m candles of a symbol as tuples."""
    candles = CandleCache(cache)
    rows: list[Row] = []
    for month in candles.months(symbol, "1m"):
        rows += zip(*(column.tolist() for column in candles.read(symbol, "1m", month)), strict=True)
    return rows


def run(rows: list[Row]) -> float:
    """Trade the rows; the final balance."""
    fast_factor, slow_factor = 2 / 10, 2 / 22
    fast = slow = atr = None
    fast_sum = slow_sum = range_sum = gain = loss = volume_sum = volume_mean = 0.0
    seen = 0
    previous = 0.0
    volumes: deque[float] = deque()
    d_before: float | None = None
    balance = peak = 10_000.0
    position: tuple[int, float, float, float, float] | None = None
    pending: tuple[int, float, float, float, float] | None = None
    equities: list[float] = []
    for _time_ms, open_, high, low, close, volume in rows:
        if pending is not None and position is None:
            position, pending = pending, None
        if position is not None:
            side, quantity, entry, stop, target = position
            if side > 0:
                if open_ <= stop or low <= stop:
                    balance += quantity * (stop - entry)
                    position = None
                elif high > target:
                    balance += quantity * (target - entry)
                    position = None
            elif open_ >= stop or high >= stop:
                balance -= quantity * (stop - entry)
                position = None
            elif low < target:
                balance -= quantity * (target - entry)
                position = None
        equity = balance if position is None else balance + position[0] * position[1] * (close - position[2])
        peak = max(peak, equity)
        equities.append(equity)

        seen += 1
        if fast is None:
            fast_sum += close
            fast = fast_sum / 9 if seen == 9 else None
        else:
            fast = (close - fast) * fast_factor + fast
        if slow is None:
            slow_sum += close
            slow = slow_sum / 21 if seen == 21 else None
        else:
            slow = (close - slow) * slow_factor + slow
        if seen > 1:
            change = close - previous
            true_range = max(high, previous) - min(low, previous)
            if seen > 15:
                loss *= 13
                gain *= 13
            if change < 0:
                loss -= change
            else:
                gain += change
            if seen >= 15:
                loss /= 14
                gain /= 14
            if atr is not None:
                atr = (atr * 13 + true_range) / 14
            else:
                range_sum += true_range
                atr = range_sum / 14 if seen == 15 else None
        previous = close
        volumes.append(volume)
        volume_sum += volume
        if len(volumes) == 20:
            volume_mean = volume_sum / 20
            volume_sum -= volumes.popleft()
        if slow is None or fast is None or atr is None:
            continue
        d = fast - slow
        crossed = d_before is not None and d_before * d <= 0
        if crossed and position is None and pending is None and volume > volume_mean:
            total = gain + loss
            rsi = 100 * gain / total if total else 0.0
            if d > 0 and 50 <= rsi <= 70:
                pending = (1, balance * 0.1 / close, close, close - 1.5 * atr, close + 3 * atr)
            elif d < 0 and 30 <= rsi <= 50:
                pending = (-1, balance * 0.1 / close, close, close + 1.5 * atr, close - 3 * atr)
        d_before = d
    return balance


def main(cache: Path, symbol: str) -> None:
    """Load and run once."""
    began = time.perf_counter()
    rows = load(cache, symbol)
    loaded = time.perf_counter()
    run(rows)
    print(len(rows), loaded - began, time.perf_counter() - loaded)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
