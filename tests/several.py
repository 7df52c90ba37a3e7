"""A profile of three strategies over the shipped sample, with every managed exit, limits and protections."""

from pathlib import Path
from typing import Any

DIP = '''from app.strategies.base import FLAT, Strategy, long, short
from app.strategies.indicators import ATR, SMA


class Dip(Strategy):
    """Buys below the average at a limit, sells above it; every other entry brings exits of its own."""

    constraints = ("fast < slow",)

    def __init__(self, fast: int = 5, slow: int = 20, below: float = 0.3) -> None:
        if fast >= slow:
            raise ValueError("fast must be below slow")
        self.fast, self.slow, self.atr, self.below = SMA(fast), SMA(slow), ATR(14), below
        self.asked = 0

    async def on_candle(self, candle, view):
        fast, slow, atr = self.fast.update(candle.close), self.slow.update(candle.close), self.atr.update(candle)
        if fast is None or slow is None or atr is None or view.position is not None:
            return FLAT
        self.asked += 1
        exits = {"trailing": {"distance_atr": 1.5}} if self.asked % 2 else None
        if fast < slow:
            return long(atr=atr, limit=candle.close - self.below * atr, valid_candles=3, exits=exits, tag="dip")
        return short(atr=atr, limit=candle.close + self.below * atr, valid_candles=2, exits=exits, tag="top")
'''
EXITS = {
    "break_even": {"at_r": 0.8, "offset_pct": 0.0005},
    "trailing": {"distance_r": 1.0, "from_r": 1.0},
    "partial": [{"at_r": 0.5, "fraction": 0.3}, {"at_r": 1.0, "fraction": 0.3}],
    "time": {"candles": 30},
}
PROTECTIONS = [
    {"kind": "cooldown", "candles": 2},
    {"kind": "stop_guard", "scope": "strategy", "lookback_candles": 48, "stops": 3, "pause_candles": 12},
    {"kind": "losing_streak", "scope": "account", "trades": 6, "pause_candles": 24},
]


def profile(folder: Path) -> dict[str, Any]:
    """The three files as a mapping; strategies of its own lie in `folder`, two of them in files of one name."""
    files = [folder / name / "dip.py" for name in ("one", "other")]
    for file, code in zip(files, (DIP, DIP.replace("0.3) ->", "0.6) ->")), strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code)
    return {
        "live": {
            "exchange": "binance", "symbols": ["BTC/USDT"], "timeframe": "1h", "startup_candles": 240,
            "strategies": [
                {"id": "trend", "name": "ScalpingEMARSI", "allocation": 0.5, "exits": EXITS},
                {"id": "dip", "name": str(files[0]), "allocation": 0.3, "risk": {"risk_per_trade": 0.02},
                 "exits": {"partial": [{"at_r": 1.0, "fraction": 0.5}], "break_even": {}}},
                {"id": "slow", "name": f"{files[1]}:Dip", "timeframe": "4h", "params": {"slow": 30}, "allocation": 0.2,
                 "exits": {"time": {"candles": 40}}},
            ],
            "instruments": {"BTC/USDT": {"quantity_step": 0.00001, "min_notional": 10, "price_tick": 0.01}},
        },
        "risk": {"max_position_pct": 0.5},
        "trading_mode": {
            "maker_commission_rate": 0.0004, "protections": PROTECTIONS, "safety": {"max_exposure": 1.0,
                                                                                   "max_drawdown": None},
        },
    }  # fmt: skip


def write_profile(folder: Path) -> Path:
    """The same as three files; the live.yaml."""
    import json

    content = profile(folder)
    for name, file in (("live", "live.yaml"), ("risk", "risk.json"), ("trading_mode", "trading_mode.yaml")):
        (folder / file).write_text(json.dumps(content[name]))
    return folder / "live.yaml"
