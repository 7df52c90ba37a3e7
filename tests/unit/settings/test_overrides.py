"""What stands on top of the files: `--set` into lists by id or place, and arguments that replace parts of a list."""

import re
from typing import Any

import pytest

from app.errors import ConfigError
from app.settings.profile import Settings, load_settings

LIVE: dict[str, Any] = {"exchange": "x", "symbols": ["A/B", "C/D"], "timeframe": "1m"}
TWO = [
    {"id": "a", "name": "ScalpingEMARSI", "timeframe": "1m", "symbols": ["C/D", "A/B"]},
    {"id": "b", "name": "ScalpingEMARSI", "timeframe": "5m", "exits": {"partial": [{"at_r": 1, "fraction": 0.5}]}},
]
CONFIG = {"live": {**LIVE, "strategies": TWO}, "trading_mode": {"protections": [{"kind": "cooldown", "candles": 3}]}}
SHORT = {"live": {**LIVE, "strategy": {"name": "ScalpingEMARSI"}}}


def changed(*overrides: str, **arguments: Any) -> Settings:
    return load_settings(CONFIG, overrides, **arguments)


def test_a_strategy_by_its_id_and_a_place_in_other_lists() -> None:
    own = changed(
        "strategies.a.params.ema_fast=5", "live.strategies.b.risk.reward_risk_ratio=3", "strategies.a.allocation=0.3",
        "strategies.b.exits.partial.0.at_r=1.5", "strategies.b.exits.trailing.distance_r=2", "protections.0.candles=9",
    )  # fmt: skip
    a, b = own.strategies
    assert (a.params, a.allocation, a.exits) == ({"ema_fast": 5}, 0.3, None)
    assert b.risk.reward_risk_ratio == 3.0
    assert b.exits is not None
    assert b.exits.partial[0].at_r == 1.5
    assert b.exits.trailing is not None
    assert (own.trading_mode.protections or ())[0].candles == 9
    assert load_settings(own, ["strategies.a.params.ema_fast=6"]).strategies[0].params == {"ema_fast": 6}
    assert CONFIG["live"]["strategies"] == TWO  # nobody's own mapping is changed


def test_exits_of_the_short_form() -> None:
    named = load_settings(SHORT, ["exits.trailing.distance_r=1.5", "strategy.exits.time.candles=7"])
    assert (
        named.strategy.exits
        == load_settings(SHORT, ["strategy.exits={trailing: {distance_r: 1.5}, time: {candles: 7}}"]).strategy.exits
    )
    with pytest.raises(ConfigError, match=r"a list of strategies; write strategies.a.exits.time.candles"):
        changed("exits.time.candles=7")


def test_a_whole_list() -> None:
    own = load_settings(SHORT, ["strategy=null", "strategies=[{id: x, name: ScalpingEMARSI}]"])
    assert [spec.id for spec in own.strategies] == ["x"]
    own = changed("protections=[]", "strategies.b.exits=null")
    assert (own.trading_mode.protections, own.strategies[1].exits) == ((), None)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("strategies.c.allocation=1", "unknown key strategies.c; known are strategies.a, strategies.b"),
        (
            "strategies.b.exits.partial.1.at_r=1",
            "exits.partial.1; known are strategies.b.exits.partial.0",
        ),
        ("protections.1.candles=1", "unknown key protections.1; known are protections.0"),
        ("exits={trailng: {}}", "a list of strategies; write strategies.a.exits or strategies.b.exits"),
        ("protections.0=1", "name a key of it, like protections.0.scope"),
        ("strategies.a.exits.partial.0.at_r=1", "known are none: give strategies.a.exits.partial as a whole list"),
        ("strategies.a.name.x=1", "name is a value, it has no keys"),
    ],
)
def test_what_no_list_has(override: str, told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"--set {override}: ") + f".*{told}"):
        changed(override)


def test_arguments_over_a_list() -> None:
    own = changed(symbols=["A/B"])
    assert [spec.symbols for spec in own.strategies] == [("A/B",), ("A/B",)]
    with pytest.raises(ConfigError, match=r"^--symbols E/F: strategy a trades C/D, A/B and would have none"):
        changed(symbols=["E/F"])
    assert [spec.timeframe for spec in changed(interval="5m").strategies] == ["5m", "5m"]
    with pytest.raises(ConfigError, match=r"strategies.b.timeframe: 5m is no multiple of the session's timeframe 3m"):
        changed(interval="3m")
    alone = changed(strategy="ScalpingEMARSI")
    assert [(spec.id, spec.exits, spec.allocation) for spec in alone.strategies] == [("main", None, 1.0)]


def test_symbols_of_the_short_form_are_cut_too() -> None:
    config = {"live": {**LIVE, "strategy": {"name": "ScalpingEMARSI", "symbols": ["A/B"]}}}
    assert load_settings(config, symbols=["A/B"]).strategy.symbols == ("A/B",)
    with pytest.raises(ConfigError, match=r"^--symbols C/D: strategy main trades A/B and would have none"):
        load_settings(config, symbols=["C/D"])
