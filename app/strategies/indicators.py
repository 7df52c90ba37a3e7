"""Streaming indicators: O(1) per candle, equal to TA-Lib's whole-array values to the bit.

Each keeps TA-Lib's operations in TA-Lib's order (ta_EMA.c, ta_SMA.c, ta_RSI.c, ta_ATR.c of 0.6, the arithmetic of
RULES.md); reordering a sum changes the last bit and, one day, a trade. `update` takes the next value and returns
the indicator's, None while there is none. The state lives in a generator: seed first, then one loop, as in C.
"""

from collections import deque
from collections.abc import Callable, Generator
from inspect import getgeneratorlocals
from typing import Any, TypeVar

from app.models.market import Candle

_NOTHING_MOVED = 1e-14  # TA_EPSILON: gains and losses that add up to less than this count as zero
SETTLED = 1e-9  # the weight of the seed under which an indicator no longer depends on where it started

Input = TypeVar("Input")
Values = Generator[float | None, float, None]


class Indicator:
    """What warm-up needs to know of an indicator.

    `warmup_candles`: candles until the first value. `settling_candles`: candles until the seed's weight is
    under 1e-9, so that the value no longer depends on where the series began.
    """

    def __init__(self, warmup_candles: int, decay: float = 0.0) -> None:
        self.warmup_candles = warmup_candles
        self.settling_candles = warmup_candles + _candles_to_settle(decay)


class EMA(Indicator):
    """Exponential moving average, seeded with the mean of its first n values (ta_EMA.c)."""

    def __init__(self, period: int) -> None:
        _check_period("EMA", period, 1)
        self.period = period
        self.factor = 2.0 / (period + 1)
        super().__init__(period, decay=1.0 - self.factor)
        self.update: Callable[[float], float | None] = _started(_ema(period))


class SMA(Indicator):
    """Simple moving average by a running total, the current value included (ta_SMA.c)."""

    def __init__(self, period: int) -> None:
        _check_period("SMA", period, 1)
        self.period = period
        super().__init__(period)
        self.update: Callable[[float], float | None] = _started(_sma(period))


class RSI(Indicator):
    """Wilder's relative strength index of closes, 0..100; 0 when nothing moved (ta_RSI.c, unstable period 0)."""

    def __init__(self, period: int) -> None:
        _check_period("RSI", period, 2)
        self.period = period
        super().__init__(period + 1, decay=(period - 1) / period)
        self.update: Callable[[float], float | None] = _started(_rsi(period))


class ATR(Indicator):
    """Wilder's average true range, seeded with the mean of the first n true ranges (ta_ATR.c)."""

    def __init__(self, period: int) -> None:
        _check_period("ATR", period, 1)
        self.period = period
        super().__init__(period + 1, decay=(period - 1) / period)
        self.update: Callable[[Candle], float | None] = _started(_atr(period))


def rsi_of(gain: float, loss: float) -> float:
    """RSI from the smoothed gains and losses."""
    total = gain + loss
    return 0.0 if total < _NOTHING_MOVED else 100.0 * (gain / total)


def _ema(period: int) -> Values:
    factor = 2.0 / (period + 1)
    total = 0.0
    for _ in range(period):
        total += yield None
    value = total / period
    while True:
        x = yield value
        value = (x - value) * factor + value


def _sma(period: int) -> Values:
    count = float(period)
    window: deque[float] = deque()
    append, popleft = window.append, window.popleft
    total = 0.0
    for _ in range(period - 1):
        x = yield None
        append(x)
        total += x
    value = None
    while True:
        x = yield value
        append(x)
        full = total + x
        value = full / count
        total = full - popleft()


def _rsi(period: int) -> Values:
    count, weight = float(period), float(period - 1)  # the interpreter is fastest on two floats
    gain = loss = 0.0
    previous = yield None
    for _ in range(period):
        x = yield None
        change = x - previous
        previous = x
        if change < 0.0:
            loss -= change
        else:
            gain += change
    gain /= count
    loss /= count
    while True:
        x = yield rsi_of(gain, loss)
        change = x - previous
        previous = x
        if change < 0.0:
            loss = (loss * weight - change) / count
            gain = gain * weight / count
        else:
            loss = loss * weight / count
            gain = (gain * weight + change) / count


def _atr(period: int) -> Generator[float | None, Candle, None]:
    # The true range is the greatest of high - low, |close - high| and |close - low| with the close before. Taking
    # the close into the range first gives the same double as TA-Lib's three comparisons: rounding is monotonic.
    count, weight = float(period), float(period - 1)
    value: float | None = None
    total, left = 0.0, period
    previous = (yield None).close
    while True:
        candle = yield value
        high, low = candle.high, candle.low
        if previous > high:
            high = previous
        elif previous < low:
            low = previous
        previous = candle.close
        if value is not None:
            value = (value * weight + (high - low)) / count
        else:
            total += high - low
            left -= 1
            if left == 0:
                value = total / count


def _started(values: Generator[float | None, Input, None]) -> Callable[[Input], float | None]:
    next(values)  # run to the first yield, where the generator waits for its first value
    return values.send


def state_of(indicator: Indicator, *names: str) -> tuple[Any, ...]:
    """What an indicator carries from value to value, by the names of its generator's variables."""
    generator = indicator.update.__self__  # type: ignore[attr-defined]
    variables = getgeneratorlocals(generator)
    return tuple(variables[name] for name in names)


def _check_period(name: str, period: int, at_least: int) -> None:
    if isinstance(period, bool) or not isinstance(period, int) or period < at_least:
        raise ValueError(f"{name}: period {period!r} is not a whole number of at least {at_least}")


def _candles_to_settle(decay: float) -> int:
    candles, weight = 0, 1.0
    while decay > 0.0 and weight >= SETTLED:
        weight *= decay
        candles += 1
    return candles
