"""Managed exits, limits and protections that cannot be, of a config and of a strategy's signal: one line, status 2."""

from typing import Any

import pytest
import yaml

from tests.faults.conftest import FILES, Place
from tests.faults.strategy_lists import FILE, config, exits, own, refused


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"trialing": {}}, "exits.trialing: there is no such key; did you mean trailing?"),
        ({"trailing": {"distanc_r": 1}}, "exits.trailing.distanc_r: there is no such key; did you mean distance_r?"),
        ({"trailing": {"distance_r": 1, "distance_pct": 0.01}},
         "exits.trailing: it has distance_r and distance_pct; give one of distance_r, distance_pct, distance_atr"),
        ({"trailing": {"from_r": 1}},
         "exits.trailing: it has no distance; give one of distance_r, distance_pct, distance_atr"),
        ({"trailing": {"distance_r": 0}}, "exits.trailing.distance_r: it must be a number above 0 (it is 0)"),
        ({"trailing": {"distance_r": True}}, "exits.trailing.distance_r: it must be a number above 0 (it is True)"),
        ({"trailing": {"distance_r": float("nan")}}, "exits.trailing.distance_r: it must be a number above 0 (it is "
                                                     "nan)"),
        ({"trailing": {"distance_r": float("inf")}}, "exits.trailing.distance_r: it must be a number above 0 (it is "
                                                     "inf)"),
        ({"trailing": {"distance_r": 10**400}}, f"exits.trailing.distance_r: it must be a number above 0 (it is "
                                                f"{10**400})"),
        ({"trailing": {"distance_pct": 1.5}}, "exits.trailing.distance_pct: it must be a number above 0 and below 1 "
                                              "(it is 1.5)"),
        ({"trailing": {"distance_atr": "2"}}, "exits.trailing.distance_atr: it must be a number above 0 (it is '2')"),
        ({"trailing": {"distance_r": 1, "from_r": -1}}, "exits.trailing.from_r: it must be a number of at least 0 (it "
                                                        "is -1)"),
        ({"trailing": 1}, "exits.trailing: it must hold keys with values: distance_r, distance_pct, distance_atr, "
                          "from_r (it is 1)"),
        ({"break_even": {"at_r": -1}}, "exits.break_even.at_r: it must be a number of at least 0 (it is -1)"),
        ({"break_even": {"offset": 0.1}}, "exits.break_even.offset: there is no such key; did you mean offset_pct?"),
        ({"break_even": {"offset_pct": 1}}, "exits.break_even.offset_pct: it must be a number above -1 and below 1 (it "
                                            "is 1)"),
        ({"partial": [{"at_r": 1, "fraction": 0.6}, {"at_r": 1.5, "fraction": 0.4}]},
         "exits.partial: the fractions sum to 1; together they must be below 1"),
        ({"partial": [{"at_r": 1, "fraction": 0.7}, {"at_r": 1.5, "fraction": 0.7}]},
         "exits.partial: the fractions sum to 1.4; together they must be below 1"),
        ({"partial": [{"at_r": 1, "fraction": 1}]}, "exits.partial.0.fraction: it must be a number above 0 and below 1 "
                                                    "(it is 1)"),
        ({"partial": [{"at_r": 1.5, "fraction": 0.2}, {"at_r": 1, "fraction": 0.2}]},
         "exits.partial.1.at_r: it must be above 1.5, the leg before (it is 1)"),
        ({"partial": [{"at_r": 1, "fraction": 0.2}, {"at_r": 1, "fraction": 0.2}]},
         "exits.partial.1.at_r: it must be above 1, the leg before (it is 1)"),
        ({"partial": [{"at_r": 2, "fraction": 0.2}]},
         "exits.partial.0.at_r: 2 R is at or past the target, which reward_risk_ratio puts at 2 R"),
        ({"partial": [{"at_r": 1}]}, "exits.partial.0.fraction is missing"),
        ({"partial": [{"at_r": 1, "fractoin": 0.2}]}, "exits.partial.0.fractoin: there is no such key; did you mean "
                                                      "fraction?"),
        ({"partial": {"at_r": 1, "fraction": 0.5}}, "exits.partial: it must be a list of legs, each with at_r and "
                                                    "fraction (it is {'at_r': 1, 'fraction': 0.5})"),
        ({"partial": [None]}, "exits.partial.0: it must hold keys with values: at_r, fraction (it is None)"),
        ({"time": {"candles": 0}}, "exits.time.candles: it must be a whole number of at least 1 and below 1e+09 (it is "
                                   "0)"),
        ({"time": {"candles": 2.5}}, "exits.time.candles: it must be a whole number of at least 1 and below 1e+09 (it "
                                     "is 2.5)"),
        ({"time": {}}, "exits.time.candles is missing"),
        ({"time": {"minutes": 5}}, "exits.time.minutes: there is no such key; known are candles"),
    ],
)  # fmt: skip
def test_managed_exits(several: Place, keys: dict[str, Any], said: str) -> None:
    config(several, exits(**keys))
    assert refused(several) == f"{FILE}: strategies.dip.{said}"
    # The same in the short form, and in --set, which is then named instead of the file.
    config(several, lambda live: live.update(strategy={"name": "ScalpingEMARSI", "exits": keys}, strategies=None))
    assert refused(several) == f"{FILE}: strategy.{said}"
    config(several, lambda live: live.update(strategy={"name": "ScalpingEMARSI"}, strategies=None))
    override = f"strategy.exits={yaml.safe_dump(keys, default_flow_style=True, width=10**6).strip()}"
    assert refused(several, "--set", override) == f"--set {override}: strategy.{said}"


def test_exits_that_are_no_keys(several: Place) -> None:
    config(several, own(1, exits=[1]))
    assert refused(several) == f"{FILE}: strategies.dip.exits: it must hold keys with values"


@pytest.mark.parametrize(
    ("protections", "said"),
    [
        ([{"kind": "cooldwn", "candles": 5}], "protections.0.kind: unknown protection 'cooldwn'; did you mean "
                                              "cooldown?"),
        ([{"kind": "Stop_Guard"}], "protections.0.kind: unknown protection 'Stop_Guard'; did you mean stop_guard?"),
        ([{"kind": "pairlock"}], "protections.0.kind: unknown protection 'pairlock'; known are cooldown, stop_guard, "
                                 "losing_streak"),
        ([{"kind": "cooldown", "candles": 5, "scope": "strategies"}],
         "protections.0.scope: unknown scope 'strategies'; did you mean strategy?"),
        ([{"kind": "cooldown", "candles": 5, "scope": "pair"}],
         "protections.0.scope: unknown scope 'pair'; known are line, symbol, strategy, account"),
        ([{"kind": "cooldown", "candles": 5}, {"kind": "cooldown", "candels": 5}],
         "unknown key protections.1.candels; did you mean protections.1.candles?"),
        ([{"kind": "cooldown"}], "protections.0: cooldown needs candles; its keys are candles and scope"),
        ([{"kind": "cooldown", "candles": 5, "stops": 2}], "protections.0: cooldown has no stops; its keys are candles "
                                                           "and scope"),
        ([{"kind": "stop_guard", "stops": 2}], "protections.0: stop_guard needs lookback_candles; its keys are "
                                               "lookback_candles, stops, pause_candles and scope"),
        ([{"kind": "cooldown", "candles": 0}], "protections.0.candles: it must be at least 1 (it is 0)"),
        ([{"kind": "cooldown", "candles": 10**18}], f"protections.0.candles: it must be at most 1e+09 (it is "
                                                    f"{10**18})"),
        ([{"kind": "cooldown", "candles": "5"}], "protections.0.candles: it must be a whole number (it is '5')"),
        ([{"candles": 5}], "protections.0.kind is missing"),
        (["cooldown"], "protections.0: it must hold keys with values (it is 'cooldown')"),
        ({"kind": "cooldown", "candles": 5}, "protections: it must be a list, like [{kind: cooldown, candles: 10}]"),
    ],
)  # fmt: skip
def test_protections(several: Place, protections: Any, said: str) -> None:
    several.write(FILES["trading_mode"], yaml.safe_dump({"protections": protections}))
    assert refused(several) == f"config/trading_mode.yaml: {said}"


SIGNALS = """from app.strategies.base import Strategy, long
class Own(Strategy):
    async def on_candle(self, candle, view):
        return long(stop=candle.close - 1.0, {})
"""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("limit=-5", "LONG with limit -5, which never fills; it must be above 0"),
        ("limit=0.0", "LONG with limit 0.0, which never fills; it must be above 0"),
        ("limit=float('nan')", "LONG with limit nan, which is no number"),
        ("limit=float('inf')", "LONG with limit inf, which is no number"),
        ("limit='90'", "LONG with limit '90', which is no number"),
        ("limit=90.0, valid_candles=0", "LONG with valid_candles 0; it must be a whole number, at least 1"),
        ("limit=90.0, valid_candles=1.5", "LONG with valid_candles 1.5; it must be a whole number, at least 1"),
        (
            "limit=90.0, valid_candles=10**18",
            "LONG with valid_candles 1000000000000000000; it must be a whole number, at least 1",
        ),
        ("exits={'trailing': {'distance_atr': 2}}", "LONG without an atr, which exits.trailing.distance_atr needs"),
        ("exits={'trailng': {}}", "LONG: exits.trailng: there is no such key; did you mean trailing?"),
        ("exits=5", "LONG: exits: it must hold keys with values: break_even, trailing, partial, time (it is 5)"),
        (
            "exits={'partial': [{'at_r': 1, 'fraction': 0.5}] * 2}",
            "LONG: exits.partial.1.at_r: it must be above 1, the leg before (it is 1)",
        ),
    ],
)
def test_signals_name_the_strategy_and_the_candle(several: Place, arguments: str, said: str) -> None:
    several.write("own.py", SIGNALS.replace("{}", arguments))
    config(several, own(1, name="own.py"))
    where = "strategy dip (Own), ETH/USDT, candle closed at 2025-03-31T12:01:00.000Z"
    status, _, err = several.backtest()
    assert (status, err) == (2, f"onetape: {where}: {said}\n")
    status, _, err = several.command("check")
    assert status == 2
    assert err.startswith("onetape: strategy dip (Own), ETH/USDT, candle closed at ")
    assert err.endswith(f": {said}\n")


def test_a_trailing_distance_in_atrs_of_the_config(several: Place) -> None:
    several.write("own.py", SIGNALS.replace(", {}", ""))
    config(several, own(1, name="own.py", exits={"trailing": {"distance_atr": 2}}))
    status, _, err = several.backtest()
    assert (status, err) == (
        2,
        "onetape: strategy dip (Own), ETH/USDT, candle closed at 2025-03-31T12:01:00.000Z: "
        "LONG without an atr, which exits.trailing.distance_atr needs\n",
    )
