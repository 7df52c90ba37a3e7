"""ScalpingEMARSI of the independent reference (RULES.md, 'ScalpingEMARSI')."""

from typing import Any

from .candles import Row
from .indicators import ATR, EMA, RSI, SMA

SCALPING_DEFAULTS: dict[str, Any] = {
    "ema_fast": 9,
    "ema_slow": 21,
    "rsi_period": 14,
    "atr_period": 14,
    "volume_period": 20,
    "volume_factor": 1.0,
    "rsi_long_min": 50,
    "rsi_long_max": 70,
    "rsi_short_min": 30,
    "rsi_short_max": 50,
    "allow_short": True,
}


class ScalpingEMARSI:
    """One symbol's indicators, on its own closed candles, warm-up included."""

    def __init__(self, params: dict[str, Any], fused: bool) -> None:
        if unknown := set(params) - set(SCALPING_DEFAULTS):
            raise ValueError(f"unknown parameters: {sorted(unknown)}")
        self.params = SCALPING_DEFAULTS | params
        self.fast = EMA(self.params["ema_fast"], fused)
        self.slow = EMA(self.params["ema_slow"], fused)
        self.rsi = RSI(self.params["rsi_period"], fused)
        self.atr = ATR(self.params["atr_period"], fused)
        self.volume_sma = SMA(self.params["volume_period"])
        self.d: float | None = None

    def update(self, candle: Row) -> dict[str, Any] | None:
        _, _, high, low, close, volume = candle
        fast, slow = self.fast.update(close), self.slow.update(close)
        rsi, atr = self.rsi.update(close), self.atr.update(high, low, close)
        average = self.volume_sma.update(volume)
        before, self.d = self.d, None if fast is None or slow is None else fast - slow
        # "No signal before every indicator, and d[t-1], exists."
        if before is None or self.d is None or rsi is None or atr is None or average is None:
            return None
        p = self.params
        if not volume > p["volume_factor"] * average:
            return None
        if before <= 0 < self.d and p["rsi_long_min"] <= rsi <= p["rsi_long_max"]:
            return {"action": "LONG", "atr": atr}
        if p["allow_short"] and before >= 0 > self.d and p["rsi_short_min"] <= rsi <= p["rsi_short_max"]:
            return {"action": "SHORT", "atr": atr}
        return None
