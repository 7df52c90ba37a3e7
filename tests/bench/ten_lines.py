"""A user's strategy of ten lines and two indicators, for the bench."""

from app.strategies.base import FLAT, Candle, Signal, Strategy, View, exit_position, long
from app.strategies.indicators import EMA, RSI


class TenLines(Strategy):
    """Buys weakness above the average, sells strength."""

    def __init__(self) -> None:
        self.ema, self.rsi = EMA(50), RSI(14)

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        """Ten lines."""
        ema, rsi = self.ema.update(candle.close), self.rsi.update(candle.close)
        if ema is None or rsi is None:
            return FLAT
        if rsi < 35.0 and candle.close > ema and view.position is None:
            return long(stop=candle.close * 0.99)
        if rsi > 70.0 and view.position is not None:
            return exit_position()
        return FLAT
