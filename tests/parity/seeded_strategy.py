"""A strategy of seeded coin tosses, once for Onetape and once for the reference: both make the same decisions.

A toss depends on seed, symbol, candle and its close alone. It uses all that a signal may bring: an ATR (also zero
or NaN), its own stop (also on the wrong side), its own target, a size factor, EXITs.
"""

import random
from math import nan
from typing import Any, ClassVar

from app.strategies.base import FLAT, Action, Candle, Signal, Strategy, View
from tests.reference.candles import Row
from tests.reference.simulator import Signal as ReferenceSignal
from tests.reference.simulator import Strategy as ReferenceStrategy


def toss(seed: int, symbol: str, open_time_ms: int, close: float) -> dict[str, Any] | None:
    """What to do after this candle; the keys are the fields of a signal."""
    rng = random.Random(f"{seed} {symbol} {open_time_ms}")
    kind = rng.random()
    if kind > 0.25:
        return None
    if kind > 0.19:
        return {"action": "EXIT"}
    side = 1 if kind < 0.10 else -1
    signal: dict[str, Any] = {"action": "LONG" if side > 0 else "SHORT"}
    distance = round(2 * close * rng.uniform(0.002, 0.03)) / 2 + 0.5
    if rng.random() < 0.5:
        signal["atr"] = rng.choice((distance, distance, distance, 0.0, nan))
    else:
        signal["stop"] = close - side * distance * rng.choice((1, 1, 1, 1, -1, 0))
    if rng.random() < 0.5:
        signal["target"] = close + side * distance * rng.choice((0.5, 1, 2))
    if rng.random() < 0.3:
        signal["size_factor"] = rng.choice((0.25, 0.7, 1.0))
    return signal


class Seeded(Strategy):
    """Onetape's side."""

    lookback: ClassVar[int] = 0

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        """The toss for this candle."""
        decision = toss(self.seed, candle.symbol, candle.open_time_ms, candle.close)
        if decision is None:
            return FLAT
        return Signal(**{**decision, "action": Action(decision["action"])})


def reference_strategy(seed: int) -> ReferenceStrategy:
    """The reference's side."""

    def strategy(symbol: str, history: list[Row]) -> ReferenceSignal | None:
        open_time_ms, *_, close, _ = history[-1]
        return toss(seed, symbol, open_time_ms, close)

    return strategy
