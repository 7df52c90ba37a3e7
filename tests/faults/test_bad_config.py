"""Configurations that cannot be run, as a user types them: the file or argument, the key, what would be right."""

import json
import re

import pytest

from tests.faults.conftest import FILES, Place

KEYS = {
    "live": ["exchange", "symbols", "timeframe", "startup_candles", "strategy", "feed", "instruments"],
    "risk": ["risk_per_trade", "atr_stop_multiplier", "reward_risk_ratio", "max_position_pct"],
    "trading_mode": ["starting_balance", "fill", "limit_fill", "commission_rate", "slippage_rate", "on_stop", "safety"],
}


def test_the_place_itself_can_run(place: Place) -> None:
    status, out, err = place.backtest()
    assert (status, err) == (0, "")
    assert "Candles processed:    1,440 (warm-up 240, missing 0)" in out


@pytest.mark.parametrize(("file", "key"), [(file, key) for file, keys in KEYS.items() for key in keys])
def test_each_misspelt_key_in_its_file_and_in_set(place: Place, file: str, key: str) -> None:
    wrong = key[:-2] + key[-1]  # a letter left out
    said = place.refused("--set", f"{file}.{wrong}=1")
    assert said == f"--set {file}.{wrong}=1: unknown key {wrong}; did you mean {key}?"
    path = place.folder / FILES[file]
    if file == "risk":
        path.write_text(json.dumps({wrong: 1}))
    else:
        path.write_text(path.read_text() + f"\n{wrong}: 1\n")
    assert place.refused() == f"{FILES[file]}: unknown key {wrong}; did you mean {key}?"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("risk.risk_per_trade=1.5", "risk_per_trade: it must be at most 1 (it is 1.5)"),
        ("risk_per_trade=150 %", "risk_per_trade: it must be a number (it is '150 %')"),
        ("risk_per_trade=yes", "risk_per_trade: it must be a number (it is True)"),
        ("risk_per_trade=0", "risk_per_trade: it must be above 0 (it is 0)"),
        ("max_position_pct=10", "max_position_pct: it must be at most 1 (it is 10)"),
        ("starting_balance=", "starting_balance: it must be a number (it is None)"),
        ("starting_balance=10,000", "starting_balance: it must be a number (it is '10,000')"),
        ("fill=open", "fill: it must be 'next_open' or 'close' (it is 'open')"),
        ("safety.max_drawdown=20", "safety.max_drawdown: it must be at most 1 (it is 20)"),
        ("safety.max_drawdwn=0.2", "unknown key safety.max_drawdwn; did you mean safety.max_drawdown?"),
        ("max_open_positions=3", "unknown key max_open_positions; did you mean safety.max_open_positions?"),
        ("timeframe=7m", "timeframe: unknown timeframe '7m'; known are 1s, 1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 8h, "
                         "12h, 1d"),
        ("strategy.timeframe=90m", "strategy.timeframe: unknown timeframe '90m'; known are 1s, 1m, 3m, 5m, 15m, 30m, "
                                   "1h, 2h, 4h, 6h, 8h, 12h, 1d"),
        ("strategy.timeframe=1s", "strategy.timeframe: 1s is no multiple of the session's timeframe 1m"),
        ("symbols=[]", "symbols: it is empty"),
        ("symbols=['']", "symbols: a symbol is empty"),
        ("symbols=[BTC/USDT, BTC/USDT]", "symbols: BTC/USDT is listed twice"),
        ("symbols=BTC/USDT", "symbols: it must be a list, like [BTC/USDT, ETH/USDT] (it is 'BTC/USDT')"),
        ("startup_candles=-1", "startup_candles: it must be at least 0 or auto (it is -1)"),
        ("startup_candles=21", "startup_candles is 21, but ScalpingEMARSI needs 22 candles of 1m (22 of 1m) before it "
                               "can answer; set startup_candles: 22, or auto"),
        ("strategy.params.ema_fast=21", "strategy ScalpingEMARSI: ema_fast (21) must be below ema_slow (21)"),
        ("strategy.params.ema_fast=2.5", "strategy.params.ema_fast: 2.5 is not a whole number"),
        ("strategy.params.ema_fst=5", "strategy.params.ema_fst: ScalpingEMARSI has no such parameter; did you mean "
                                      "ema_fast?"),
        ("strategy.params.rsi_period=1", "strategy ScalpingEMARSI: RSI: period 1 is not a whole number of at least 2"),
        ("instruments.ETH/USDT.price_tick=1", "instruments.ETH/USDT is no symbol of this session (BTC/USDT)"),
        ("nonsense", "write KEY=VALUE, for example risk.reward_risk_ratio=1.5"),
        ("symbols=[", "the value is no YAML: line 1: expected the node content, but found '<stream end>'"),
        ("risk.risk_per_trade.x=1", "risk_per_trade is a value, it has no keys"),
        ("starting_balance=2023-13-45", "the value is no YAML: month must be in 1..12"),
    ],
)  # fmt: skip
def test_values_that_cannot_be(place: Place, override: str, said: str) -> None:
    assert place.refused("--set", override) == f"--set {override}: {said}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--interval", "7m"), "--interval 7m: timeframe: unknown timeframe '7m'; known are 1s"),
        (("--symbols", ""), "--symbols : symbols: a symbol is empty"),
        (("--symbols", "BTC/USDT,,"), "--symbols BTC/USDT,,: symbols: a symbol is empty"),
        (("--symbols", "BTC/USDT,BTC/USDT"), "--symbols BTC/USDT,BTC/USDT: symbols: BTC/USDT is listed twice"),
        (("--symbols", "../../etc"), "'../../etc' cannot name a folder of the cache; a symbol is letters and digits"),
        (("--strategy", ""), "--strategy : strategy.name: it is empty"),
    ],
)
def test_arguments_that_replace_keys_are_named_themselves(place: Place, words: tuple[str, ...], said: str) -> None:
    assert place.refused(*words).startswith(said)


@pytest.mark.parametrize("file", list(FILES))
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file; a profile is live.yaml, risk.json and trading_mode.yaml"),
        (b"{a: [", "broken "),
        (b'{"a": 1, "a": 2}', "the key a is given twice"),
        (b"[1, 2]", "holds list, not keys with values"),
        (b'"text"', "holds str, not keys with values"),
        (b"\xff\xfe\x00", "cannot be read: byte 0 is no UTF-8 text"),
    ],
)
def test_files_that_are_missing_or_broken(place: Place, file: str, content: bytes | None, said: str) -> None:
    if content is None:
        (place.folder / FILES[file]).unlink()
    else:
        place.write(FILES[file], content)
    assert re.match(rf"{FILES[file]}: .*", place.refused())
    assert said in place.refused()


def test_a_folder_for_a_config_and_a_config_that_is_not_there(place: Place) -> None:
    assert place.refused("--config", "config") == "config: cannot be read: Is a directory"
    assert place.refused("--config", "nowhere/live.yaml").startswith("nowhere/live.yaml: no such file; a profile is")


def test_required_keys(place: Place) -> None:
    for key in ("exchange", "symbols", "timeframe"):
        content = {k: v for k, v in {"exchange": "x", "symbols": ["A/B"], "timeframe": "1m"}.items() if k != key}
        place.write(FILES["live"], json.dumps({**content, "strategy": {"name": "ScalpingEMARSI"}}))
        assert place.refused() == f"config/live.yaml: {key} is missing"
    place.write(FILES["live"], json.dumps({"exchange": "x", "symbols": ["A/B"], "timeframe": "1m", "strategy": {}}))
    assert place.refused() == "config/live.yaml: strategy.name is missing"


def test_a_wrong_strategy_parameter_in_the_file_names_the_file(place: Place) -> None:
    path = place.folder / FILES["live"]
    path.write_text(path.read_text().replace("ema_fast: 9", "ema_fst: 9"))
    assert place.refused() == (
        "config/live.yaml: strategy.params.ema_fst: ScalpingEMARSI has no such parameter; did you mean ema_fast?"
    )
    path.write_text(path.read_text().replace("ema_fst: 9", "ema_fast: 30"))
    said = "config/live.yaml: strategy ScalpingEMARSI: ema_fast (30) must be below ema_slow (21)"
    assert place.refused() == said
    assert place.refused("check", backtest=False) == said


def test_check_refuses_what_a_run_refuses(place: Place) -> None:
    for override in ("risk_per_trade=2", "symbls=[A/B]", "strategy.params.ema_fast=99", "startup_candles=3"):
        assert place.refused("check", "--set", override, backtest=False) == place.refused("--set", override)


def test_one_of_them_in_a_process_of_its_own(place: Place) -> None:
    done = place.process("--mode", "backtest", "--set", "risk_per_trade=2", "--out", "run")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "onetape: --set risk_per_trade=2: risk_per_trade: it must be at most 1 (it is 2)\n"
    assert not (place.folder / "run").exists()
