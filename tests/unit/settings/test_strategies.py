"""Strategies, their exits and protections with every default filled in, and what a config says of them again."""

from typing import Any

import pytest

from app.errors import ConfigError, ConflictError
from app.models.exits import Exits, TimeExit
from app.models.protections import Kind, Protection, Scope
from app.settings.profile import Settings, load_settings

LIVE: dict[str, Any] = {"exchange": "x", "symbols": ["A/B", "C/D"], "timeframe": "1m"}


def settings(*strategies: dict[str, Any], **live: Any) -> Settings:
    listed = [{"name": "ScalpingEMARSI", **own} for own in strategies]
    return load_settings({"live": {**LIVE, "strategies": listed, **live}, "risk": {"risk_per_trade": 0.02}})


def test_the_short_form_is_a_list_of_one_called_main() -> None:
    own = load_settings({"live": {**LIVE, "strategy": {"name": "ScalpingEMARSI", "exits": {"time": {"candles": 5}}}}})
    (spec,) = own.strategies
    assert own.strategy == spec
    assert (spec.id, spec.allocation, spec.symbols, spec.timeframe) == ("main", 1.0, ("A/B", "C/D"), "1m")
    assert spec.exits == Exits(time=TimeExit(5))
    assert (spec.label, spec.path) == ("ScalpingEMARSI", ("strategy",))


def test_defaults_of_a_list() -> None:
    own = settings(
        {"id": "a", "timeframe": "5m", "symbols": ["C/D", "A/B"]},
        {"id": "b", "symbols": ["C/D"], "risk": {"reward_risk_ratio": 3.0}, "allocation": 0.25},
    )
    a, b = own.strategies
    assert (a.id, a.timeframe, a.symbols, a.allocation) == ("a", "5m", ("A/B", "C/D"), 0.5)
    assert (b.id, b.timeframe, b.symbols, b.allocation) == ("b", "1m", ("C/D",), 0.25)
    assert (a.risk.risk_per_trade, a.risk.reward_risk_ratio) == (0.02, 2.0)
    assert (b.risk.risk_per_trade, b.risk.reward_risk_ratio) == (0.02, 3.0)
    assert (a.exits, b.label, b.path) == (None, "b (ScalpingEMARSI)", ("strategies", "b"))
    with pytest.raises(ConfigError, match="one strategy at a time, and the config has 2: a, b"):
        _ = own.strategy


def test_allocations_up_to_one_in_all() -> None:
    tenths = [{"id": f"s{place}", "allocation": 0.1} for place in range(10)]
    assert len(settings(*tenths).strategies) == 10  # 0.1 ten times is not above 1, whatever floats say
    with pytest.raises(ConflictError, match=r"sum to 1.1"):
        settings(*tenths, {"id": "more", "allocation": 0.1})


def test_a_leg_is_held_against_the_strategys_own_ratio() -> None:
    legs = {"partial": [{"at_r": 2.5, "fraction": 0.5}]}
    assert settings({"id": "a", "exits": legs, "risk": {"reward_risk_ratio": 3.0}}).strategy.exits is not None
    with pytest.raises(ConflictError, match=r"strategies.a.exits.partial.0.at_r: 2.5 R is at or past the target"):
        settings({"id": "a", "exits": legs})


def test_a_config_told_again_is_the_same_and_names_no_key_that_was_not_given() -> None:
    own = settings({"id": "a", "exits": {"break_even": {}}}, {"id": "b", "allocation": 0.1})
    told = own.model_dump(mode="json")
    assert load_settings(told).strategies == own.strategies
    assert "strategy" not in told["live"]
    assert [sorted(one) for one in told["live"]["strategies"]] == [
        ["exits", "id", "name", "params", "timeframe"],
        ["allocation", "id", "name", "params", "timeframe"],
    ]
    assert "protections" not in told["trading_mode"]


def test_protections_count_candles_of_the_session() -> None:
    listed = [
        {"kind": "cooldown", "candles": 3},
        {"kind": "stop_guard", "scope": "symbol", "lookback_candles": 10, "stops": 2, "pause_candles": 5},
        {"kind": "losing_streak", "scope": "account", "trades": 4, "pause_candles": 6},
    ]
    live = {**LIVE, "strategy": {"name": "ScalpingEMARSI"}}
    own = load_settings({"live": live, "trading_mode": {"protections": listed}})
    assert [one.protection("5m") for one in own.trading_mode.protections or ()] == [
        Protection(Kind.COOLDOWN, Scope.LINE, 900_000),
        Protection(Kind.STOP_GUARD, Scope.SYMBOL, 1_500_000, 2, 3_000_000),
        Protection(Kind.LOSING_STREAK, Scope.ACCOUNT, 1_800_000, 4),
    ]
    assert load_settings(own.model_dump(mode="json")) == own
