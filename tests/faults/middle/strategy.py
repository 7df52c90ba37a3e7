"""A strategy for sessions whose feed is damaged: it trades on every candle, so that a refused entry is seen at once."""

from typing import ClassVar

from app.strategies.base import FLAT, Candle, Signal, Strategy, View, exit_position, long


class EveryOther(Strategy):
    """Long on even minutes, out on odd ones; what it missed it does not miss for long."""

    lookback: ClassVar[int] = 0

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        """Follows from the candle's time alone."""
        if candle.open_time_ms // 60_000 % 2:
            return exit_position()
        return FLAT if view.position is not None else long(stop=candle.close * 0.9, target=candle.close * 1.1)
