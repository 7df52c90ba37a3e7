"""A strategy of seeded coin tosses that uses all of Part 2, once for Onetape and once for the reference.

A toss depends on seed, symbol, candle and its close alone. Beside what tests/parity/seeded_strategy.py draws it brings
limits (resting, through the market, far away, at odd prices), their candles, and managed exits of each kind.
"""

import random
from math import nan
from typing import Any, ClassVar

from app.strategies.base import FLAT, Action, Candle, Signal, Strategy, View
from tests.reference.candles import Row
from tests.reference.simulator import Signal as ReferenceSignal
from tests.reference.simulator import Strategy as ReferenceStrategy

DEPTHS = (-3.0, -1.0, -0.2, 0.0, 0.1, 0.3, 0.5, 1.0, 8.0)  # of a limit below the market (long), in distances


def toss(seed: int, symbol: str, open_time_ms: int, close: float, always_atr: bool = False) -> dict[str, Any] | None:
    """What to do after this candle; the keys are the fields of a signal.

    `always_atr`: every entry has a sound ATR, so that the strategy's own exits may have a `distance_atr`.
    """
    rng = random.Random(f"{seed} {symbol} {open_time_ms}")
    kind = rng.random()
    if kind > 0.32:
        return None
    if kind > 0.29:
        return {"action": "EXIT"}
    side = 1 if kind < 0.16 else -1
    signal: dict[str, Any] = {"action": "LONG" if side > 0 else "SHORT"}
    distance = round(2 * close * rng.choice((0.01, 0.03, 0.08)) * rng.uniform(0.2, 1.0)) / 2 + 0.5
    base = close
    if rng.random() < 0.5:
        odd = rng.choice((0.0, 0.0, rng.uniform(-0.3, 0.3)))
        base = max(2.0, close - side * rng.choice(DEPTHS) * distance + odd)
        signal["limit"] = base
        signal["valid_candles"] = rng.randrange(1, 7)
    nearly = -0.05 if "limit" in signal else 0  # a level that equals a limit but for its last bit proves nothing
    own_stop = rng.random() < 0.5
    if own_stop:
        signal["stop"] = base - side * distance * rng.choice((*[1] * 12, -1, nearly))
    if always_atr or not own_stop:
        signal["atr"] = distance if always_atr else rng.choice((*[distance] * 12, 0.0, nan))
    if rng.random() < 0.5:
        signal["target"] = base + side * distance * rng.choice((*(0.5, 1, 2, 4) * 4, nearly, -0.3))
    if rng.random() < 0.3:
        signal["size_factor"] = rng.choice((0.25, 0.7, 1.0))
    if rng.random() < 0.6:
        signal["exits"] = exits(rng, atr=signal.get("atr") == distance, r=2.5 if "target" in signal else 0.9)
    return signal


def exits(rng: random.Random, atr: bool, r: float) -> dict[str, Any]:
    """Managed exits, each kind alone and together with others; none of their legs farther than `r`."""
    drawn: dict[str, Any] = {}
    chance = rng.choice((0.25, 0.6))
    if rng.random() < chance:
        drawn["break_even"] = {"at_r": rng.choice((0.0, 0.3, 0.5, 1.0))}
        if rng.random() < 0.5:
            drawn["break_even"]["offset_pct"] = rng.choice((0.0, 0.001, 0.006))
    if rng.random() < chance:
        drawn["trailing"] = rng.choice((
            {"distance_r": rng.choice((0.3, 0.5, 1.0, 1.5))},
            {"distance_pct": rng.choice((0.002, 0.01, 0.03))},
            {"distance_atr": rng.choice((0.5, 1.0, 2.0))} if atr else {"distance_r": 0.75},
        ))  # fmt: skip
        if rng.random() < 0.6:
            drawn["trailing"]["from_r"] = rng.choice((0.0, 0.4, 1.0))
    if rng.random() < chance:
        places = sorted(rng.sample((0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5), rng.randrange(1, 4)))
        shares = rng.choice(((0.5, 0.25, 0.2), (0.3, 0.3, 0.3), (0.05, 0.2, 0.7)))
        legs = [{"at_r": at_r, "fraction": share} for at_r, share in zip(places, shares, strict=False) if at_r <= r]
        if legs:
            drawn["partial"] = legs
    if rng.random() < chance:
        drawn["time"] = {"candles": rng.choice((1, 2, 5, 15))}
    return drawn


class SeededPortfolio(Strategy):
    """Onetape's side."""

    lookback: ClassVar[int] = 0

    def __init__(self, seed: int = 0, always_atr: bool = False) -> None:
        self.seed = seed
        self.always_atr = always_atr

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        """The toss for this candle."""
        decision = toss(self.seed, candle.symbol, candle.open_time_ms, candle.close, self.always_atr)
        if decision is None:
            return FLAT
        return Signal(**{**decision, "action": Action(decision["action"])})


def reference_strategy(seed: int = 0, always_atr: bool = False) -> ReferenceStrategy:
    """The reference's side."""

    def strategy(symbol: str, history: list[Row]) -> ReferenceSignal | None:
        open_time_ms, *_, close, _ = history[-1]
        return toss(seed, symbol, open_time_ms, close, always_atr)

    return strategy
