"""Which fault meets whom: counting, order, states, and what is refused."""

from typing import Any

import pytest

from app.errors import ConfigError
from app.testnet.fault_desk import FaultDesk
from app.testnet.faults import parse_faults
from app.testnet.kline_pages import KlinePages
from app.testnet.market import FileSource
from app.testnet.order_storm import OrderStorm
from app.testnet.spot import SpotMarket
from app.testnet.storm import Storm
from app.testnet.virtual_clock import VirtualClock
from tests.testnets import BTC, END_MS, ETH, SERIES


def desk(
    *faults: dict[str, Any], storm: Storm | None = None, orders_storm: OrderStorm | None = None, speed: float = 1.0
) -> FaultDesk:
    market = SpotMarket(FileSource(SERIES))
    clock = VirtualClock(END_MS, speed)
    clock.start()
    return FaultDesk(market, KlinePages(market), clock, parse_faults(list(faults)), storm, orders_storm)


def met(one: FaultDesk, path: str = "klines", symbol: str | None = BTC) -> str | None:
    fault = one.for_request(path, symbol, {})
    return None if fault is None else fault.name


def test_after_so_many_and_so_often() -> None:
    one = desk({"fault": "hang", "path": "klines", "after": 2, "times": 2})
    assert [met(one, path) for path in ("klines", "time", "klines", "klines", "time", "klines", "klines")] == [
        None, None, None, "hang", None, "hang", None,
    ]  # fmt: skip
    assert one.waiting() == 0


def test_of_a_symbol() -> None:
    one = desk({"fault": "html", "symbol": ETH})
    assert [met(one, symbol=symbol) for symbol in (BTC, None, ETH, ETH)] == [None, None, "html", None]


def test_in_the_order_of_the_script() -> None:
    one = desk({"fault": "html"}, {"fault": "reset", "times": 2})
    one.add({"fault": "empty"})
    assert [met(one) for _ in range(5)] == ["html", "reset", "reset", "empty", None]


def test_a_list_is_taken_whole_or_not_at_all() -> None:
    one = desk()
    with pytest.raises(ConfigError, match="did you mean reset"):
        one.add([{"fault": "html"}, {"fault": "resett"}])
    with pytest.raises(ConfigError, match="SOL/USDT is not served; served are BTC/USDT, ETH/USDT"):
        one.add([{"fault": "html"}, {"fault": "hole", "symbol": "SOL/USDT", "from": 1, "to": 2}])
    with pytest.raises(ConfigError, match="is not served"):
        one.add({"fault": "hang", "symbol": "BTCUSDT"})
    assert one.waiting() == 0


def test_websocket_faults_at_once_or_at_their_time(passed_s: list[float]) -> None:
    one = desk(
        {"fault": "drop_sockets", "at_ms": END_MS + 300},
        {"fault": "refuse_handshakes", "n": 2, "at_ms": END_MS + 300},
    )
    one.add({"fault": "drop_sockets"})
    one.add({"fault": "silence", "s": 0.2})
    assert one.is_silent()
    assert [fault.name for fault in one.for_sockets()] == ["drop_sockets"]
    assert not one.refuses_handshake()
    passed_s[0] += 0.35
    assert not one.is_silent()
    assert [fault.name for fault in one.for_sockets()] == ["drop_sockets", "refuse_handshakes"]
    assert [one.refuses_handshake() for _ in range(3)] == [True, True, False]
    assert one.for_sockets() == []


def test_maintenance_lasts(passed_s: list[float]) -> None:
    one = desk()
    assert not one.is_in_maintenance()
    one.begin_maintenance(0.2)
    assert one.is_in_maintenance()
    passed_s[0] += 0.25
    assert not one.is_in_maintenance()


def test_a_storm_counts_each_question_and_yields_to_a_script() -> None:
    storm = Storm(3)
    one = desk({"fault": "reset", "times": 1}, storm=storm)
    assert met(one) == "reset"
    query = {"symbol": "BTCUSDT", "limit": "5"}
    identity = "klines?limit=5&symbol=BTCUSDT"
    for count in range(30):
        assert one.for_request("klines", BTC, query) == storm.for_request("klines", identity, count)


def test_a_storm_refuses_no_more_than_three_handshakes_in_a_row() -> None:
    one = desk(storm=Storm(3))
    one.add({"fault": "refuse_handshakes", "n": 10})
    assert [one.refuses_handshake() for _ in range(5)] == [True, True, True, False, False]


def test_a_storm_reaches_the_websockets(passed_s: list[float]) -> None:
    one = desk(storm=Storm(3), speed=1e6)  # 300 virtual seconds are 0.3 ms
    passed_s[0] += 0.02
    assert {fault.name for fault in one.for_sockets()} == {"drop_sockets", "refuse_handshakes", "silence"}


def test_lasting_ones() -> None:
    one = desk(
        {"fault": "skew", "ms": 500},
        {"fault": "revised", "symbol": BTC, "at": END_MS - 60_000},
    )
    one.add({"fault": "skew", "ms": -200})
    assert (one.skew_ms, len(one.revisions), one.waiting()) == (300, 1, 0)


def of_orders(one: FaultDesk, method: str, path: str, **params: str) -> str | None:
    fault = one.for_order(method, path, params)
    return None if fault is None else fault.name


def test_faults_of_trading_meet_signed_requests_only() -> None:
    one = desk({"fault": "lost_after", "symbol": BTC, "after": 1}, {"fault": "html"})
    assert met(one) == "html"
    asked = [of_orders(one, "POST", "order", symbol=name) for name in ("BTCUSDT", "ETHUSDT", "BTCUSDT", "BTCUSDT")]
    assert asked == [None, None, "lost_after", None]


def test_faults_of_events() -> None:
    one = desk({"fault": "events_doubled", "symbol": ETH})
    batches = [[("test", {"e": "executionReport", "s": name})] for name in ("BTCUSDT", "ETHUSDT", "ETHUSDT")]
    assert [bool(one.for_events(batch)) for batch in batches] == [False, True, False]


def test_a_storm_of_orders_takes_no_heed_of_the_timestamp() -> None:
    def drawn(ahead_ms: int) -> list[str | None]:
        one = desk(orders_storm=OrderStorm(1))
        return [
            of_orders(one, "POST", "order", newClientOrderId=f"s-1-{number}-e", timestamp=str(number + ahead_ms))
            for number in range(60)
        ]

    assert drawn(0) == drawn(5) and any(drawn(0)) and not all(drawn(0))


def test_a_silent_stream_is_over_after_its_time(passed_s: list[float]) -> None:
    one = desk({"fault": "stream_silent", "s": 2.0})
    assert one.is_stream_silent() and not one.is_silent()
    passed_s[0] += 2.0
    assert not one.is_stream_silent()
