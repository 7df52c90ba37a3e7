"""The configurations that the parity tests run: each rule of RULES.md that a key can switch, switched once."""

from typing import Any

Files = tuple[dict[str, Any], dict[str, Any], dict[str, Any]]  # live, risk, trading_mode

NO_COSTS = {"commission_rate": 0.0, "slippage_rate": 0.0}
EASY = {"params": {"volume_factor": 0.5, "rsi_long_min": 20, "rsi_long_max": 90, "rsi_short_min": 10}}


def strategy(**keys: Any) -> dict[str, Any]:
    """ScalpingEMARSI that signals often."""
    return {"strategy": {"name": "ScalpingEMARSI", **EASY, **keys}}


def safety(**keys: Any) -> dict[str, Any]:
    """trading_mode.yaml with these limits."""
    return {"safety": keys}


VARIANTS: dict[str, Files] = {
    "defaults": ({}, {}, {}),
    "often": (strategy(), {}, {}),
    "close": (strategy(), {}, {"fill": "close"}),
    "touch": (strategy(), {}, {"limit_fill": "touch"}),
    "close_touch_free": (strategy(), {}, {"fill": "close", "limit_fill": "touch", **NO_COSTS}),
    "free": (strategy(), {}, NO_COSTS),
    "maker": (strategy(), {"reward_risk_ratio": 0.5}, {"maker_commission_rate": 0.0002}),
    "maker_rebate": (strategy(), {"reward_risk_ratio": 0.5}, {"maker_commission_rate": -0.0001, "fill": "close"}),
    "tight_levels": (strategy(), {"atr_stop_multiplier": 0.2, "reward_risk_ratio": 1.0}, {}),
    "tight_levels_touch": (strategy(), {"atr_stop_multiplier": 0.2}, {"limit_fill": "touch", "fill": "close"}),
    "wide_levels": (strategy(), {"atr_stop_multiplier": 20, "risk_per_trade": 0.1, "max_position_pct": 0.5}, {}),
    "tiny_risk": (strategy(), {"risk_per_trade": 0.0002}, {}),
    "one_position": (strategy(), {}, safety(max_open_positions=1)),
    "one_position_close": (strategy(), {}, {**safety(max_open_positions=1), "fill": "close"}),
    "small_exposure": (strategy(), {"max_position_pct": 0.3}, safety(max_exposure=0.05)),
    "full_exposure": (strategy(), {"max_position_pct": 0.15}, safety(max_exposure=0.2)),
    "large_exposure": (strategy(), {"max_position_pct": 1.0, "risk_per_trade": 0.5}, safety(max_exposure=4.0)),
    "trips": (strategy(), {"max_position_pct": 1.0, "risk_per_trade": 0.5}, safety(max_exposure=3, max_drawdown=0.02)),
    "trips_close": (
        strategy(),
        {"max_position_pct": 1.0, "risk_per_trade": 0.5},
        {**safety(max_exposure=3, max_drawdown=0.02), "fill": "close"},
    ),
    "no_drawdown_limit": (strategy(), {"max_position_pct": 1.0}, safety(max_exposure=8, max_drawdown=None)),
    "no_shorts": ({"strategy": {"name": "ScalpingEMARSI", "params": {"allow_short": False}}}, {}, {}),
    "periods": ({"strategy": {"name": "ScalpingEMARSI", "params": {"ema_fast": 2, "ema_slow": 5}}}, {}, {}),
    "small_balance": (strategy(), {}, {"starting_balance": 37.5}),
    "auto_startup": ({**strategy(), "startup_candles": "auto"}, {}, {}),
    "least_startup": ({**strategy(), "startup_candles": 22}, {}, {}),
    "5m": (strategy(timeframe="5m"), {}, {}),
    "5m_close": (strategy(timeframe="5m"), {}, {"fill": "close"}),
    "15m": ({**strategy(timeframe="15m"), "startup_candles": 500}, {}, {}),
    "15m_auto": ({**strategy(timeframe="15m"), "startup_candles": "auto"}, {}, {}),
}


def coarse_instruments(symbols: list[str], step: float, tick: float, **minima: float) -> dict[str, Any]:
    """Every symbol with these steps."""
    return {"instruments": {symbol: {"quantity_step": step, "price_tick": tick, **minima} for symbol in symbols}}
