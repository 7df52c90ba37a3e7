"""A portfolio for the tests of Part 2: three strategies of seeded coin tosses, with limits, managed exits, protections.

A toss depends on seed, symbol and candle alone, so a silent or a changed neighbour changes no signal.
"""

import random
from typing import Any, ClassVar

from app.strategies.base import FLAT, Action, Candle, Signal, Strategy, View
from tests.golden.make_tape import SYMBOLS

MIXED = "tests.portfolio:Mixed"
TREND_EXITS: dict[str, Any] = {
    "break_even": {"at_r": 0.4, "offset_pct": 0.0005},
    "partial": [{"at_r": 0.3, "fraction": 0.4}, {"at_r": 0.6, "fraction": 0.3}],
    "trailing": {"distance_r": 0.8, "from_r": 0.5},
}
STRATEGIES: list[dict[str, Any]] = [
    {"id": "trend", "name": MIXED, "params": {"seed": 1}, "allocation": 0.5, "exits": TREND_EXITS},
    {"id": "dip", "name": MIXED, "params": {"seed": 2, "limits": 1.0}, "allocation": 0.3, "symbols": [SYMBOLS[0]],
     "exits": {"time": {"candles": 7}}, "risk": {"risk_per_trade": 0.02}},
    {"id": "slow", "name": MIXED, "params": {"seed": 3, "own_exits": 0.6}, "timeframe": "5m", "allocation": 0.2},
]  # fmt: skip
PROTECTIONS: list[dict[str, Any]] = [
    {"kind": "cooldown", "candles": 2},
    {"kind": "stop_guard", "scope": "strategy", "lookback_candles": 30, "stops": 2, "pause_candles": 5},
    {"kind": "losing_streak", "scope": "account", "trades": 4, "pause_candles": 3},
]


def portfolio(startup_candles: int = 5, **live: Any) -> dict[str, Any]:
    """The config; each key of `live` replaces one of it."""
    own = {"exchange": "test", "symbols": SYMBOLS, "timeframe": "1m", "startup_candles": startup_candles}
    safety = {"max_drawdown": None, "max_exposure": 0.8}
    return {
        "live": {**own, "strategies": STRATEGIES, **live},
        "risk": {},
        "trading_mode": {"protections": PROTECTIONS, "safety": safety},
    }


class Mixed(Strategy):
    """Enters at the market or, in `limits` of the cases, at a limit; in `own_exits` of them with exits of its own."""

    lookback: ClassVar[int] = 0

    def __init__(self, seed: int = 0, often: float = 0.5, limits: float = 0.3, own_exits: float = 0.0) -> None:
        self.seed, self.often, self.limits, self.own_exits = seed, often, limits, own_exits

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        """The toss for this candle."""
        rng = random.Random(f"{self.seed} {candle.symbol} {candle.open_time_ms}")
        if rng.random() > self.often:
            return FLAT
        if rng.random() < 0.2:
            return Signal(Action.EXIT)
        side = rng.choice((1, -1))
        distance = round(candle.close * rng.uniform(0.002, 0.01), 2)
        near = candle.close - side * round(distance * rng.uniform(-0.2, 0.5), 2)
        return Signal(
            Action.LONG if side > 0 else Action.SHORT,
            atr=distance,
            size_factor=rng.choice((1.0, 1.0, 0.6)),
            tag="toss",
            limit=near if rng.random() < self.limits else None,
            valid_candles=rng.choice((1, 2, 5)),
            exits=_exits(rng) if rng.random() < self.own_exits else None,
        )


def _exits(rng: random.Random) -> dict[str, Any]:
    distance = rng.choice(({"distance_pct": 0.004}, {"distance_atr": 1.5}, {"distance_r": 0.7}))
    exits: dict[str, Any] = {"trailing": {**distance, "from_r": rng.choice((0.0, 0.5))}}
    if rng.random() < 0.5:
        exits["partial"] = [{"at_r": 0.4, "fraction": 0.5}]
    if rng.random() < 0.5:
        exits["time"] = {"candles": rng.choice((4, 20))}
    return exits
