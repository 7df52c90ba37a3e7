"""A strategy for the tests that enters at limits: below the close for a long, above it for a short, in turn."""

from app.strategies.base import FLAT, Candle, Signal, Strategy, View, long, short


class Limiting(Strategy):
    """Signals whenever it has no position; the limit lies `away` of the price from the close."""

    lookback = 2

    def __init__(self, away: float = 0.01, distance: float = 0.05, own_exits: bool = False) -> None:
        self._away, self._distance = away, distance
        self._exits = {"trailing": {"distance_pct": 0.02}} if own_exits else None
        self._count = 0

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        self._count += 1
        if view.position is not None or view.pending_entry is not None:
            return FLAT
        side = 1 if self._count % 2 else -1
        # The limit of every third signal lies beyond the market, so that it fills at the open.
        limit = candle.close * (1.0 - side * self._away * (-1 if self._count % 3 == 0 else 1))
        enter = long if side > 0 else short
        return enter(atr=candle.close * self._distance, limit=limit, valid_candles=3, exits=self._exits)
