"""A list of strategies that cannot be run, and arguments that do not fit one: one line, exit status 2.

Every fault is given to a backtest and to `check`; both say the same.
"""

import pytest

from tests.faults.conftest import Place
from tests.faults.strategy_lists import FILE, Change, config, exits, own, refused


def test_the_place_itself_can_run(several: Place) -> None:
    status, out, err = several.backtest()
    assert (status, err) == (0, "")
    assert "Candles processed:    2,880" in out
    config(several, exits(break_even={}, trailing={"distance_r": 1}, partial=[{"at_r": 1, "fraction": 0.5}],
                          time={"candles": 9}))  # fmt: skip
    assert several.command("check")[0] == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (own(1, id="trend"), "strategies: two have the id trend; each needs an id of its own"),
        (own(1, id="Dip"), "strategies.Dip.id: 'Dip' is no id; write 1 to 32 of a-z, 0-9, _ and -; did you mean dip?"),
        (own(1, id=5), "strategies.1.id: it must be text (it is 5)"),
        (own(1, id=""), "strategies.1.id: '' is no id; write 1 to 32 of a-z, 0-9, _ and -"),
        (lambda live: live["strategies"][1].pop("id"), "strategies.1.id is missing"),
        (lambda live: live["strategies"][1].pop("name"), "strategies.dip.name is missing"),
        (own(0, allocation=0.7), "strategies: the allocations sum to 1.1 (trend 0.7, dip 0.4); at most 1 together"),
        (own(0, allocation=1.5), "strategies.trend.allocation: it must be at most 1 (it is 1.5)"),
        (own(0, allocation=0), "strategies.trend.allocation: it must be above 0 (it is 0)"),
        (own(0, allocation="half"), "strategies.trend.allocation: it must be a number (it is 'half')"),
        (own(1, symbols=["ETH/USD"]), "strategies.dip.symbols: ETH/USD is no symbol of this session; did you mean "
                                      "ETH/USDT?"),
        (own(1, symbols=["eth/usdt"]), "strategies.dip.symbols: eth/usdt is no symbol of this session; did you mean "
                                       "ETH/USDT?"),
        (own(1, symbols=["XYZ"]), "strategies.dip.symbols: XYZ is no symbol of this session; listed are BTC/USDT, "
                                  "ETH/USDT"),
        (own(1, symbols=["ETH/USDT", "ETH/USDT"]), "strategies.dip.symbols: ETH/USDT is listed twice"),
        (own(1, symbols=[]), "strategies.dip.symbols: the list is empty; leave it out for all of BTC/USDT, ETH/USDT"),
        (own(1, symbols="ETH/USDT"), "strategies.dip.symbols: it must be a list, like [BTC/USDT, ETH/USDT] (it is "
                                     "'ETH/USDT')"),
        (own(1, timeframe="90s"), "strategies.dip.timeframe: unknown timeframe '90s'; known are 1s, 1m, 3m, 5m, 15m, "
                                  "30m, 1h, 2h, 4h, 6h, 8h, 12h, 1d"),
        (own(1, timeframe="1s"), "strategies.dip.timeframe: 1s is no multiple of the session's timeframe 1m"),
        (own(1, name="ScalpingEMA"), "strategies.dip.name: unknown strategy 'ScalpingEMA'; did you mean "
                                     "ScalpingEMARSI? your own is module:Class or file.py:Class"),
        (own(1, params={"ema_fst": 5}), "strategies.dip.params.ema_fst: ScalpingEMARSI has no such parameter; did you "
                                        "mean ema_fast?"),
        (own(1, params={"ema_fast": 30}), "strategies.dip: strategy ScalpingEMARSI: ema_fast (30) must be below "
                                          "ema_slow (21)"),
        (own(1, params=[1]), "strategies.dip.params: it must hold keys with values"),
        (own(1, risk={"risk_per_trad": 0.1}), "unknown key strategies.dip.risk.risk_per_trad; did you mean "
                                              "strategies.dip.risk.risk_per_trade?"),
        (own(1, risk={"risk_per_trade": 2}), "strategies.dip.risk.risk_per_trade: it must be at most 1 (it is 2)"),
        (own(1, risk=5), "strategies.dip.risk: it must hold keys with values (it is 5)"),
        (own(1, alocation=0.1), "unknown key strategies.dip.alocation; did you mean strategies.dip.allocation?"),
        (own(1, id="risk", nme="x"), "unknown key strategies.risk.nme; did you mean strategies.risk.name?"),
        (own(1, exit={}), "unknown key strategies.dip.exit; did you mean strategies.dip.exits?"),
        (lambda live: live.update(strategies=[]), "strategies: it must be a list of at least one, like "
                                                  "[{id: trend, name: ScalpingEMARSI}]"),
        (lambda live: live.update(strategies={"id": "a"}), "strategies: it must be a list of at least one, like "
                                                           "[{id: trend, name: ScalpingEMARSI}]"),
        (lambda live: live.update(strategies=["trend"]), "strategies.0: it must hold keys with values (it is 'trend')"),
        (lambda live: live.pop("strategies"), "strategy is missing; give strategy with a name, or a list in "
                                              "strategies"),
        (lambda live: live.update(strategy={"name": "ScalpingEMARSI"}),
         "strategy and strategies are both given; strategy is short for a list of one"),
        (lambda live: live.update(startup_candles=3), "startup_candles is 3, but trend (ScalpingEMARSI) needs 22 "
         "candles of 1m (22 of 1m) before it can answer; set startup_candles: 22, or auto"),
    ],
)  # fmt: skip
def test_the_list_of_strategies(several: Place, change: Change, said: str) -> None:
    config(several, change)
    assert refused(several) == f"{FILE}: {said}"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("strategies.nope.params.x=1", "unknown key strategies.nope; known are strategies.trend, strategies.dip"),
        ("strategies.trnd.params.ema_fast=5", "unknown key strategies.trnd; did you mean strategies.trend?"),
        ("strategies.0.params.ema_fast=5", "unknown key strategies.0; known are strategies.trend, strategies.dip"),
        ("strategies.dip.params.ema_fst=5", "strategies.dip.params.ema_fst: ScalpingEMARSI has no such parameter; did "
                                            "you mean ema_fast?"),
        ("strategies.dip.params.ema_fast=30", "strategies.dip: strategy ScalpingEMARSI: ema_fast (30) must be below "
                                              "ema_slow (21)"),
        ("strategies.dip=5", "name a key of it, like strategies.dip.allocation"),
        ("strategies.dip.allocation=0.5", "strategies: the allocations sum to 1.1 (trend 0.6, dip 0.5); at most 1 "
                                          "together"),
        ("strategies.dip.allocation.x=0.5", "allocation is a value, it has no keys"),
        ("strategies.dip.name=Nope", "strategies.dip.name: unknown strategy 'Nope'; built in is ScalpingEMARSI; your "
                                     "own is module:Class or file.py:Class"),
        ("strategies.dip.exits.trailing.distanc_r=1", "strategies.dip.exits.trailing.distanc_r: there is no such key; "
                                                      "did you mean distance_r?"),
        ("strategies.dip.exits.partial.0.at_r=1", "unknown key strategies.dip.exits.partial.0; known are none: give "
                                                  "strategies.dip.exits.partial as a whole list"),
        ("strategies=5", "strategies: it must be a list of at least one, like [{id: trend, name: ScalpingEMARSI}] (it "
                         "is 5)"),
        ("strategies=[]", "strategies: it must be a list of at least one, like [{id: trend, name: ScalpingEMARSI}]"),
        ("strategies=[{id: a}]", "strategies.a.name is missing"),
        ("strategies=", "strategy is missing; give strategy with a name, or a list in strategies"),
        ("strategy={name: ScalpingEMARSI}", "strategy and strategies are both given; strategy is short for a list of "
                                            "one"),
        ("strategy.params.ema_fast=5", "the config has a list of strategies; write strategies.trend.params.ema_fast "
                                       "or strategies.dip.params.ema_fast"),
        ("exits.trailing.distance_r=1", "the config has a list of strategies; write "
         "strategies.trend.exits.trailing.distance_r or strategies.dip.exits.trailing.distance_r"),
        ("protections.0.candles=5", "unknown key protections.0; known are none: give protections as a whole list"),
        ("protections=[{kind: cooldown, candles: -5}]", "protections.0.candles: it must be at least 1 (it is -5)"),
    ],
)  # fmt: skip
def test_set_over_a_list(several: Place, override: str, said: str) -> None:
    assert refused(several, "--set", override) == f"--set {override}: {said}"


def test_set_of_a_list_over_the_short_form(several: Place) -> None:
    config(several, lambda live: live.update(strategy={"name": "ScalpingEMARSI"}, strategies=None))
    override = "strategies.main.allocation=0.5"
    said = refused(several, "--set", override)
    assert said == f"--set {override}: the config has one strategy and no list; write strategy.allocation"
    override = "strategies=[{id: a, name: ScalpingEMARSI}]"
    said = refused(several, "--set", override)
    assert said == f"--set {override}: strategy and strategies are both given; strategy is short for a list of one"
    assert several.command("check", "--set", override, "--set", "strategy=null")[0] == 0


def test_arguments_beside_a_list(several: Place) -> None:
    said = refused(several, "--symbols", "BTC/USDT")
    assert said == "--symbols BTC/USDT: strategy dip trades ETH/USDT and would have none"
    assert several.command("check", "--symbols", "ETH/USDT")[0] == 0
    config(several, own(1, timeframe="3m"))
    said = refused(several, "--interval", "5m")
    assert said == f"{FILE}: strategies.dip.timeframe: 3m is no multiple of the session's timeframe 5m"
    config(several, own(1, timeframe="1m"))
    status, out, _ = several.command("check", "--interval", "5m")
    assert (status, out.count(" on 5m candles of ")) == (0, 3)  # the session, and both strategies stay on it
    status, out, _ = several.command("check", "--strategy", "ScalpingEMARSI")
    assert (status, out.count("strategy ScalpingEMARSI on 1m")) == (0, 1)  # instead of the whole list
    said = refused(several, "--strategy", "Nope")
    assert said.startswith("unknown strategy 'Nope'")
