"""What a runtime is built from: settings to rules, one to one."""

from app.session.building import fill_rules, instruments, risk_config
from app.settings.profile import load_settings
from app.trading.exit_rules import FillRules
from app.trading.instruments import Instrument
from app.trading.risk import RiskConfig

LIVE = {"exchange": "binance", "symbols": ["A/B", "C/D"], "timeframe": "1m", "strategy": {"name": "ScalpingEMARSI"}}


def test_the_defaults_of_the_settings_are_those_of_the_parts() -> None:
    settings = load_settings({"live": LIVE})
    assert fill_rules(settings.trading_mode) == FillRules()
    assert risk_config(settings, settings.strategy) == RiskConfig()
    assert instruments(settings) == {}
    assert (
        Instrument(**load_settings({"live": {**LIVE, "instruments": {"A/B": {}}}}).live.instruments["A/B"].model_dump())
        == Instrument()
    )


def test_every_key_arrives() -> None:
    settings = load_settings(
        {"live": LIVE},
        [
            "commission_rate=0.01", "maker_commission_rate=0.02", "slippage_rate=0.03", "fill=close",
            "risk_per_trade=0.04", "atr_stop_multiplier=5", "reward_risk_ratio=6", "max_position_pct=0.07",
            "safety.max_exposure=0.8", "limit_fill=touch",
            "instruments.C/D={quantity_step: 0.1, min_quantity: 0.2, min_notional: 3, price_tick: 0.4}",
        ],
    )  # fmt: skip
    assert fill_rules(settings.trading_mode) == FillRules(0.01, 0.02, 0.03, True, True)
    assert risk_config(settings, settings.strategy) == RiskConfig(0.04, 5.0, 6.0, 0.07, 0.8)
    assert instruments(settings) == {"C/D": Instrument(0.1, 0.2, 3.0, 0.4)}
