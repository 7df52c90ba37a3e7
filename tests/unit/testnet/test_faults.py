"""Faults by name: what is read is complete, and what makes no sense names the nearest that would."""

from pathlib import Path
from typing import Any

import pytest

from app.errors import ConfigError
from app.testnet.faults import NAMES, Fault, Where, parse_fault, parse_faults, read_faults
from tests.candle_columns import START_MS

MANDATORY: dict[str, dict[str, Any]] = {
    "hole": {"symbol": "BTC/USDT", "from": 1, "to": 2},
    "revised": {"symbol": "BTC/USDT", "at": 1},
    "skew": {"ms": -5},
    "symbol_status": {"symbol": "BTC/USDT", "status": "HALT"},
    "wrong_balance": {"asset": "USDT", "by": -5},
}


@pytest.mark.parametrize("name", NAMES)
def test_each_name_alone_is_a_fault(name: str) -> None:
    fault = parse_fault({"fault": name, **MANDATORY.get(name, {})})
    assert fault.name == name
    assert ... not in fault.values.values()


def test_the_common_fields() -> None:
    spec = {"fault": "hang", "path": "klines", "symbol": "ETH/USDT", "after": 2, "times": 3, "s": 1}
    expected = Fault("hang", Where.REST, {"s": 1.0}, path="klines", symbol="ETH/USDT", after=2, times=3)
    assert parse_fault(spec) == expected
    assert parse_fault({"fault": "silence", "at_ms": 5, "s": 2}).at_ms == 5
    assert parse_fault({"fault": "empty"}).path == "klines"


def test_faults_of_trading_name_what_they_meet() -> None:
    spec = {"fault": "lost_after", "path": "orderList/oco", "method": "POST", "side": "SELL", "leg": "s", "after": 1}
    fault = parse_fault(spec)
    assert (fault.where, fault.path, fault.after) == (Where.ORDERS, "orderList/oco", 1)
    assert fault.match == {"method": "POST", "side": "SELL", "leg": "s"}
    assert parse_fault({"fault": "trades_missing"}).path == "myTrades"
    assert parse_fault({"fault": "events_lost", "type": "MARKET"}).match == {"type": "MARKET"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"fault": "hangs"}, "unknown fault 'hangs'; did you mean hang?"),
        ({"fault": "zzzzzz"}, "unknown fault 'zzzzzz'; known are drop_sockets, "),
        ({}, "unknown fault None"),
        ("hang", "'hang' is no fault"),
        ({"fault": "hang", "seconds": 1}, "hang has no field 'seconds'"),
        ({"fault": "hang", "pth": "klines"}, "hang has no field 'pth'; did you mean path?"),
        ({"fault": "hang", "path": "kline"}, "hang: path: 'kline' is not one of ping, time"),
        ({"fault": "hang", "s": -1}, "hang: s: -1 is not a number of seconds"),
        ({"fault": "hang", "s": True}, "hang: s: True is not a number of seconds"),
        ({"fault": "hang", "times": 1.5}, "hang: times: 1.5 is not a whole number"),
        ({"fault": "blocked", "status": 500}, "blocked: status: 500 is not one of 403, 451"),
        ({"fault": "server_error", "status": 403}, "server_error: status: 403 is not one of 500"),
        ({"fault": "hole", "symbol": "BTC/USDT"}, "hole needs from and to"),
        ({"fault": "hole", "symbol": "BTC/USDT", "from": 2, "to": 2}, "from must be before to"),
        ({"fault": "hole", "symbol": "BTC/USDT", "from": "soon", "to": 2}, "'soon' is not a time"),
        ({"fault": "missing", "path": "time"}, "missing is a fault of klines, not of time"),
        ({"fault": "lost_after", "path": "klines"}, "lost_after: path: 'klines' is not one of order, order/test"),
        ({"fault": "lost_after", "side": "buy"}, "lost_after: side: 'buy' is not one of BUY, SELL"),
        ({"fault": "events_lost", "path": "order"}, "events_lost has no field 'path'"),
        ({"fault": "unknown", "executed": "no"}, "unknown: executed: 'no' is not true or false"),
        ({"fault": "symbol_status", "symbol": "BTC/USDT", "status": "OPEN"}, "'OPEN' is not one of TRADING"),
        ({"fault": "skew", "ms": 0.5}, "skew: ms: 0.5 is not a whole number of milliseconds"),
        ({"fault": "revised", "symbol": "BTC/USDT", "at": 1, "close": "high"}, "'high' is not a number"),
    ],
)
def test_what_makes_no_sense(spec: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_fault(spec)
    assert message in str(caught.value)


def test_one_or_several() -> None:
    assert [fault.name for fault in parse_faults({"fault": "html"})] == ["html"]
    assert [fault.name for fault in parse_faults([{"fault": "html"}, {"fault": "reset"}])] == ["html", "reset"]
    with pytest.raises(ConfigError, match="is no fault"):
        parse_faults("html")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.yaml", "- fault: hole\n  symbol: BTC/USDT\n  from: 2025-10-31T23:00:00\n  to: 2025-11-01\n"),
        ("s.json", '[{"fault":"hole","symbol":"BTC/USDT","from":1761951600000,"to":"2025-11-01T00:00Z"}]'),
    ],
)
def test_a_script(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    (hole,) = read_faults(path)
    assert (hole.values["from"], hole.values["to"]) == (START_MS, START_MS + 3_600_000)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("s.yaml", "- fault: [", "cannot be read: line"),
        ("s.json", "[{]", "cannot be read:"),
        ("s.yaml", "fault: hang\n", "holds no list of faults"),
        ("s.yaml", "- fault: hangs\n", "unknown fault 'hangs'"),
    ],
)
def test_a_script_that_is_none(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_faults(path)
    assert str(caught.value).startswith(f"--faults {path}: ")
    assert message in str(caught.value)
    with pytest.raises(ConfigError, match="no such file"):
        read_faults(tmp_path / "absent.yaml")
