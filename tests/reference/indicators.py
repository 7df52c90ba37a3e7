"""Streaming indicators of the reference simulator.

Each does TA-Lib's floating-point operations in TA-Lib's order (ta_EMA.c, ta_SMA.c, ta_RSI.c, ta_ATR.c), so a
value streamed candle by candle equals TA-Lib's whole-array value to the bit. TA-Lib 0.8 changed the last bit:
EMA and ATR fuse multiply and add, RSI multiplies by 1/n (`fused=True`); before, they were plain (`False`).
`update` returns None until the indicator exists. Plain Python, the standard library only.
"""

import math
from collections import deque
from fractions import Fraction


def fma(a: float, b: float, c: float) -> float:
    """`a * b + c`, rounded once: the product and its exact rounding error (Veltkamp, Dekker), then fsum."""
    product = a * b
    if not 1e-200 < abs(product) < 1e200:
        return float(Fraction(a) * Fraction(b) + Fraction(c)) if product else c
    scaled_a, scaled_b = 134217729.0 * a, 134217729.0 * b  # 2**27 + 1
    a_high, b_high = scaled_a - (scaled_a - a), scaled_b - (scaled_b - b)
    a_low, b_low = a - a_high, b - b_high
    error = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return math.fsum((product, error, c))


class EMA:
    """Seeded with the mean of its first n values, then `e = (x - e) * (2 / (n + 1)) + e`."""

    def __init__(self, period: int, fused: bool = False) -> None:
        self.period = period
        self.fused = fused
        self.factor = 2.0 / (period + 1)
        self.seen = 0
        self.total = 0.0
        self.value: float | None = None

    def update(self, x: float) -> float | None:
        self.seen += 1
        if self.value is None:
            self.total += x
            if self.seen == self.period:
                self.value = self.total / self.period
        elif self.fused:
            self.value = fma(x - self.value, self.factor, self.value)
        else:
            self.value = (x - self.value) * self.factor + self.value
        return self.value


class SMA:
    """A running total, the current value included; the oldest value leaves after the division."""

    def __init__(self, period: int) -> None:
        self.period = period
        self.window: deque[float] = deque()
        self.total = 0.0

    def update(self, x: float) -> float | None:
        self.window.append(x)
        self.total += x
        if len(self.window) < self.period:
            return None
        value = self.total / self.period
        self.total -= self.window.popleft()
        return value


class RSI:
    """Wilder's averages of gains and losses; the first value needs n differences; 0 when nothing moved."""

    def __init__(self, period: int, fused: bool = False) -> None:
        self.period = period
        self.fused = fused
        self.least = 5e-324 if fused else 1e-14  # below it, gains and losses together count as none
        self.previous: float | None = None
        self.differences = 0
        self.gain = 0.0
        self.loss = 0.0

    def update(self, x: float) -> float | None:
        if self.previous is None:
            self.previous = x
            return None
        difference = x - self.previous
        self.previous = x
        self.differences += 1
        if self.differences > self.period:
            self.gain *= self.period - 1
            self.loss *= self.period - 1
        if difference < 0:
            self.loss -= difference
        else:
            self.gain += difference
        if self.differences < self.period:
            return None
        self.gain = self.averaged(self.gain)
        self.loss = self.averaged(self.loss)
        both = self.gain + self.loss
        return 100.0 * (self.gain / both) if both >= self.least else 0.0

    def averaged(self, total: float) -> float:
        return total * (1.0 / self.period) if self.fused else total / self.period


class ATR:
    """True ranges from the second candle on; the mean of the first n, then Wilder's average."""

    def __init__(self, period: int, fused: bool = False) -> None:
        self.period = period
        self.fused = fused
        self.keep = (period - 1) / period
        self.previous_close: float | None = None
        self.ranges = 0
        self.total = 0.0
        self.value = 0.0

    def update(self, high: float, low: float, close: float) -> float | None:
        previous = self.previous_close
        self.previous_close = close
        if previous is None:
            return None
        true_range = max(high - low, abs(previous - high), abs(previous - low))
        self.ranges += 1
        if self.ranges > self.period:
            if self.fused:
                self.value = fma(self.keep, self.value, (1.0 - self.keep) * true_range)
            else:
                self.value = (self.value * (self.period - 1) + true_range) / self.period
            return self.value
        self.total += true_range
        if self.ranges < self.period:
            return None
        self.value = self.total / self.period
        return self.value
