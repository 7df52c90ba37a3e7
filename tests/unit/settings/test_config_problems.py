"""What is wrong with a value, in words: every rule of every key, by the range that it has."""

from typing import Any

import pytest

from app.errors import ConfigError
from app.settings.config_problems import known_keys
from app.settings.profile import FILES, load_settings

LIVE = {"exchange": "binance", "symbols": ["A/B"], "timeframe": "1m", "strategy": {"name": "ScalpingEMARSI"}}
NAN, INF = float("nan"), float("inf")


def problem(key: str, value: Any) -> str:
    content: dict[str, Any] = {"live": dict(LIVE), "risk": {}, "trading_mode": {}}
    file, *path = key.split(".")
    target = content[file]
    for part in path[:-1]:
        target[part] = dict(target.get(part, {}))
        target = target[part]
    target[path[-1]] = value
    with pytest.raises(ConfigError) as caught:
        load_settings(content)
    line = str(caught.value)
    assert line.startswith(f"config['{file}']: {'.'.join(path)}: ") or "unknown key" in line, line
    return line.rpartition(f"{'.'.join(path)}: ")[2]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("risk.risk_per_trade", 1.01, "it must be at most 1 (it is 1.01)"),
        ("risk.risk_per_trade", 0, "it must be above 0 (it is 0)"),
        ("risk.risk_per_trade", NAN, "it must be a finite number (it is nan)"),
        ("risk.risk_per_trade", "1 %", "it must be a number (it is '1 %')"),
        ("risk.risk_per_trade", "0.01", "it must be a number (it is '0.01')"),
        ("risk.risk_per_trade", True, "it must be a number (it is True)"),
        ("risk.risk_per_trade", None, "it must be a number (it is None)"),
        ("risk.max_position_pct", 10, "it must be at most 1 (it is 10)"),
        ("risk.atr_stop_multiplier", -1.5, "it must be above 0 (it is -1.5)"),
        ("risk.reward_risk_ratio", INF, "it must be a finite number (it is inf)"),
        ("trading_mode.starting_balance", 0, "it must be above 0 (it is 0)"),
        ("trading_mode.fill", "open", "it must be 'next_open' or 'close' (it is 'open')"),
        ("trading_mode.limit_fill", 1, "it must be 'through' or 'touch' (it is 1)"),
        ("trading_mode.on_stop", "sell", "it must be 'flatten' or 'keep' (it is 'sell')"),
        ("trading_mode.commission_rate", 1, "it must be below 1 (it is 1)"),
        ("trading_mode.commission_rate", -0.001, "it must be at least 0 (it is -0.001)"),
        ("trading_mode.maker_commission_rate", -1, "it must be above -1 (it is -1)"),
        ("trading_mode.slippage_rate", "5bp", "it must be a number (it is '5bp')"),
        ("trading_mode.safety", 5, "it must hold keys with values (it is 5)"),
        ("trading_mode.safety.max_drawdown", 20, "it must be at most 1 (it is 20)"),
        ("trading_mode.safety.max_daily_loss", 0, "it must be above 0 (it is 0)"),
        ("trading_mode.safety.max_open_positions", 0, "it must be at least 1 (it is 0)"),
        ("trading_mode.safety.max_open_positions", 2.0, "it must be a whole number (it is 2.0)"),
        ("trading_mode.safety.max_exposure", 0, "it must be above 0 (it is 0)"),
        ("trading_mode.safety.kill_switch_file", 5, "it must be text (it is 5)"),
        ("live.exchange", "", "it is empty"),
        ("live.exchange", None, "it must be text (it is None)"),
        ("live.symbols", [], "it is empty"),
        ("live.symbols", "A/B", "it must be a list, like [BTC/USDT, ETH/USDT] (it is 'A/B')"),
        ("live.symbols", ["A/B", "C/D", "A/B"], "A/B is listed twice"),
        ("live.symbols", ["A/B", " "], "a symbol is empty"),
        ("live.timeframe", "7m", "unknown timeframe '7m'; known are 1s, 1m, 3m"),
        ("live.timeframe", 60, "it must be text (it is 60)"),
        ("live.startup_candles", -1, "it must be at least 0 or auto (it is -1)"),
        ("live.startup_candles", "all", "it must be a whole number or auto (it is 'all')"),
        ("live.strategy", "ScalpingEMARSI", "it must hold keys with values (it is 'ScalpingEMARSI')"),
        ("live.strategy.name", "", "it is empty"),
        ("live.strategy.params", [1], "it must hold keys with values"),
        ("live.feed.grace_s", 0, "it must be above 0 (it is 0)"),
        ("live.feed.late_candles", 1.5, "it must be a whole number (it is 1.5)"),
        ("live.instruments.A/B", 5, "it must hold keys with values (it is 5)"),
        ("live.instruments.A/B.quantity_step", 0, "it must be above 0 (it is 0)"),
        ("live.instruments.A/B.min_notional", -1, "it must be at least 0 (it is -1)"),
    ],
)
def test_each_rule_says_what_would_be_right(key: str, value: Any, message: str) -> None:
    assert problem(key, value).startswith(message)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("live.symbls", "unknown key symbls; did you mean symbols?"),
        ("live.strategy.parms", "unknown key strategy.parms; did you mean strategy.params?"),
        ("live.feed.grace", "unknown key feed.grace; did you mean feed.grace_s?"),
        ("live.instruments.A/B.tick", "unknown key instruments.A/B.tick; did you mean instruments.A/B.price_tick?"),
        ("risk.risk_per_trad", "unknown key risk_per_trad; did you mean risk_per_trade?"),
        ("trading_mode.safety.max_drawdwn", "did you mean safety.max_drawdown?"),
        ("trading_mode.zzzzz", "unknown key zzzzz; known are starting_balance, fill, limit_fill"),
    ],
)
def test_a_misspelt_key_names_the_nearest_right_one(key: str, hint: str) -> None:
    assert hint in problem(key, 1)


def test_a_misspelt_key_comes_before_the_key_that_is_missing_for_it() -> None:
    content = {key: value for key, value in LIVE.items() if key != "symbols"}
    with pytest.raises(ConfigError, match="unknown key symbolz; did you mean symbols"):
        load_settings({"live": {**content, "symbolz": ["A/B"]}})
    with pytest.raises(ConfigError, match=r"config\['live'\]: symbols is missing"):
        load_settings({"live": content})
    with pytest.raises(ConfigError, match=r"strategy.name is missing"):
        load_settings({"live": {**LIVE, "strategy": {}}})


def test_an_argument_that_is_wrong_is_named_instead_of_the_file() -> None:
    with pytest.raises(ConfigError, match=r"^--set risk_per_trade=2: risk_per_trade: it must be at most 1"):
        load_settings({"live": LIVE}, ["risk_per_trade=2"])
    with pytest.raises(ConfigError, match=r"^--interval 7m: timeframe: unknown timeframe '7m'"):
        load_settings({"live": LIVE}, interval="7m")
    with pytest.raises(ConfigError, match=r"^--symbols A/B,A/B: symbols: A/B is listed twice"):
        load_settings({"live": LIVE}, symbols=["A/B", "A/B"])


@pytest.mark.parametrize(
    ("override", "nearest"),
    [
        ("max_open_positions=5", "safety.max_open_positions"),
        ("kill_switch_file=x", "safety.kill_switch_file"),
        ("params=1", "strategy.params"),
        ("symbls=[A/B]", "symbols"),
        ("max_drawdwn=1", "safety.max_drawdown"),
    ],
)
def test_an_override_of_no_file_finds_the_key_in_any_of_them(override: str, nearest: str) -> None:
    with pytest.raises(ConfigError, match=f"did you mean {nearest}\\?"):
        load_settings({"live": LIVE}, [override])


def test_a_value_has_no_keys() -> None:
    with pytest.raises(ConfigError, match=r"--set risk.risk_per_trade.x=1: risk_per_trade is a value"):
        load_settings({"live": LIVE, "risk": {"risk_per_trade": 0.1}}, ["risk.risk_per_trade.x=1"])


def test_known_keys_are_all_keys_with_their_dots() -> None:
    known = {name: known_keys(model) for name, (_, model) in FILES.items()}
    assert "strategy.params" in known["live"]
    assert "feed.grace_s" in known["live"]
    assert "safety.max_exposure" in known["trading_mode"]
    assert known["risk"] == ["risk_per_trade", "atr_stop_multiplier", "reward_risk_ratio", "max_position_pct"]


@pytest.mark.parametrize(
    ("live", "message"),
    [
        ({"strategy": {"name": "X", "timeframe": "90m"}}, "strategy.timeframe: unknown timeframe '90m'"),
        ({"timeframe": "5m", "strategy": {"name": "X", "timeframe": "3m"}}, "3m is no multiple of the session's"),
        ({"instruments": {"E/F": {}}}, r"instruments.E/F is no symbol of this session \(A/B\)"),
    ],
)
def test_rules_between_keys(live: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_settings({"live": {**LIVE, **live}})
