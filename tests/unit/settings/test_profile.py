"""Settings: the three files as models, their defaults, what goes on top of them and in which order."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from app.errors import ConfigError
from app.settings.profile import LiveSettings, load_risk, load_settings
from app.strategies.loader import validate_all_configs

ROOT = Path(__file__).resolve().parents[3]
LIVE = {"exchange": "binance", "symbols": ["A/B", "C/D"], "timeframe": "1m", "strategy": {"name": "ScalpingEMARSI"}}


def test_the_shipped_profiles_are_valid() -> None:
    for folder in (ROOT / "config", ROOT / "config/sample"):
        validate_all_configs(folder)


def test_the_shipped_default_profile_writes_the_defaults_out() -> None:
    written = load_settings(ROOT / "config/live.yaml")
    bare = load_settings({"live": {**LIVE, "exchange": "binanceus", "symbols": ["BTC/USDT", "ETH/USDT"]}})
    assert written.risk == bare.risk
    assert written.trading_mode == bare.trading_mode
    assert written.live.feed == bare.live.feed
    assert written.live.startup_candles == bare.live.startup_candles


def test_the_defaults_are_those_of_the_design() -> None:
    settings = load_settings({"live": LIVE})
    assert settings.model_dump(mode="json") == {
        "live": {
            **LIVE,
            "startup_candles": 240,
            "strategy": {"name": "ScalpingEMARSI", "timeframe": None, "params": {}},
            "feed": {"grace_s": 2, "silence_s": 10, "stale_candles": 3, "late_candles": 2},
            "instruments": {},
        },
        "risk": {
            "risk_per_trade": 0.01,
            "atr_stop_multiplier": 1.5,
            "reward_risk_ratio": 2.0,
            "max_position_pct": 0.10,
        },
        "trading_mode": {
            "starting_balance": 10_000,
            "fill": "next_open",
            "limit_fill": "through",
            "commission_rate": 0.001,
            "maker_commission_rate": None,
            "slippage_rate": 0.0005,
            "on_stop": "flatten",
            "safety": {
                "max_drawdown": 0.20,
                "max_daily_loss": None,
                "max_open_positions": 10,
                "max_exposure": 0.20,
                "kill_switch_file": "data/KILL_SWITCH",
            },
        },
    }


def test_files_and_a_mapping_and_settings_are_the_same_profile(tmp_path: Path) -> None:
    content: dict[str, Any] = {
        "live": {**LIVE, "instruments": {"A/B": {"quantity_step": 1e-5, "price_tick": 0.01}}},
        "risk": {"risk_per_trade": 0.02},
        "trading_mode": {"fill": "close", "safety": {"max_drawdown": None}},
    }
    (tmp_path / "live.yaml").write_text(yaml.safe_dump(content["live"]))
    (tmp_path / "risk.json").write_text(json.dumps(content["risk"]))
    (tmp_path / "trading_mode.yaml").write_text(yaml.safe_dump(content["trading_mode"]))
    settings = load_settings(tmp_path / "live.yaml")
    assert settings == load_settings(str(tmp_path / "live.yaml")) == load_settings(content)
    assert load_settings(settings) == settings
    assert settings.live.instruments["A/B"].quantity_step == 1e-5
    assert settings.trading_mode.safety.max_drawdown is None


def test_a_mapping_is_not_changed() -> None:
    content = {"live": {**LIVE, "strategy": {"name": "ScalpingEMARSI", "params": {"ema_fast": 5}}}}
    before = json.dumps(content)
    load_settings(content, ["strategy.params.ema_fast=4", "risk.risk_per_trade=0.5"], symbols=["X/Y"])
    assert json.dumps(content) == before


def test_settings_are_frozen() -> None:
    settings = load_settings({"live": LIVE})
    for section, key in (
        (settings, "live"),
        (settings.live, "timeframe"),
        (settings.trading_mode.safety, "max_drawdown"),
    ):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(section, key, None)


def test_overrides_reach_every_depth_and_the_last_one_wins() -> None:
    overrides = [
        "risk_per_trade=0.5",
        "risk.risk_per_trade=0.25",
        "trading_mode.fill=close",
        "safety.max_drawdown=null",
        "live.startup_candles=auto",
        "strategy.params.ema_fast=5",
        "instruments.A/B.min_notional=5",
        "maker_commission_rate=1e-4",
    ]
    settings = load_settings({"live": LIVE}, overrides)
    assert settings.risk.risk_per_trade == 0.25
    assert settings.trading_mode.fill == "close"
    assert settings.trading_mode.safety.max_drawdown is None
    assert settings.live.startup_candles == "auto"
    assert settings.strategy.params == {"ema_fast": 5}
    assert settings.live.instruments["A/B"].min_notional == 5
    assert settings.trading_mode.maker_commission_rate == 1e-4


def test_another_strategy_starts_with_its_own_defaults() -> None:
    content = {"live": {**LIVE, "strategy": {"name": "ScalpingEMARSI", "timeframe": "5m", "params": {"ema_fast": 5}}}}
    same = load_settings(content, strategy="ScalpingEMARSI").strategy
    other = load_settings(content, ["strategy.params.x=1"], strategy="mine.py").strategy
    assert same.params == {"ema_fast": 5}
    assert (other.name, other.timeframe, other.params) == ("mine.py", "5m", {"x": 1})


def test_a_strategy_on_the_sessions_timeframe_stays_on_it() -> None:
    content = {"live": {**LIVE, "strategy": {"name": "ScalpingEMARSI", "timeframe": "1m"}}}
    assert load_settings(content, interval="1h").strategy_timeframe == "1h"
    content["live"]["strategy"] = {"name": "ScalpingEMARSI", "timeframe": "4h"}
    assert load_settings(content, interval="1h").strategy_timeframe == "4h"
    assert load_settings({"live": LIVE}, interval="1h").strategy_timeframe == "1h"


def test_fewer_symbols_need_no_other_instruments() -> None:
    content = {"live": {**LIVE, "instruments": {"A/B": {"price_tick": 1}, "C/D": {"price_tick": 2}}}}
    assert list(load_settings(content, symbols=["C/D"]).live.instruments) == ["C/D"]


def test_risk_json_on_its_own(tmp_path: Path) -> None:
    path = tmp_path / "risk.json"
    path.write_text('{"max_position_pct": 1}')
    assert load_risk(path).max_position_pct == 1.0
    path.write_text('{"max_position_pc": 1}')
    with pytest.raises(ConfigError, match=r"risk\.json: unknown key max_position_pc; did you mean max_position_pct"):
        load_risk(path)


def test_only_the_three_files_are_keys_of_a_mapping() -> None:
    with pytest.raises(ConfigError, match="config: unknown key rsk; did you mean risk"):
        load_settings({"live": LIVE, "rsk": {}})


def test_the_order_of_the_symbols_is_kept() -> None:
    assert LiveSettings.model_validate({**LIVE, "symbols": ["Z/A", "A/Z"]}).symbols == ("Z/A", "A/Z")
