"""Frames as time passes: updates, then one closed frame for each candle, all as the market shows them."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.candles.cache import CandleCache
from app.testnet.kline_streams import KlineStreams
from app.testnet.market import CacheSource, FileSource
from app.testnet.spot import SpotMarket, klines_of
from app.testnet.virtual_clock import VirtualClock
from app.testnet.wire import kline_row
from tests.candle_columns import MINUTE_MS, START_MS, make_candles, minutes
from tests.testnets import BTC, ETH, SERIES

MARKET = SpotMarket(FileSource(SERIES))


class Taker:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []

    def push(self, stream: str, frame: str) -> None:
        self.frames.append(json.loads(frame))


def opened(market: SpotMarket = MARKET, speed: float = 600.0, start_ms: int = START_MS) -> KlineStreams:
    clock = VirtualClock(start_ms, speed)
    streams = KlineStreams(market, clock, lambda: 0)
    clock.start()
    return streams


def run(streams: KlineStreams, passed_s: list[float], seconds: float) -> None:
    for _ in range(round(seconds / 0.005)):
        streams.emit_due()
        passed_s[0] += 0.005


def values(frame: dict[str, Any]) -> list[Any]:
    return [frame["k"][name] for name in ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B")]


def test_updates_then_one_closed_frame_each_as_the_market_shows_them(passed_s: list[float]) -> None:
    taker = Taker()
    streams = opened(speed=300.0)  # a minute is 200 ms
    streams.subscribe("btcusdt@kline_1m", taker.push)
    run(streams, passed_s, 0.9)
    closed = [frame["k"]["t"] for frame in taker.frames if frame["k"]["x"]]
    assert closed == list(minutes(len(closed))) and len(closed) >= 3
    for frame in taker.frames:
        k = frame["k"]
        kline = MARKET.kline(BTC, "1m", k["t"], frame["E"])
        assert kline is not None and json.loads(kline_row(kline, MINUTE_MS)) == values(frame)
        assert k["x"] == (frame["E"] >= k["t"] + MINUTE_MS)
    updates = [frame for frame in taker.frames if not frame["k"]["x"] and frame["k"]["t"] == closed[1]]
    assert len(updates) >= 4
    order = [(frame["k"]["t"], frame["k"]["x"]) for frame in taker.frames]
    assert order == sorted(order)


def test_a_final_frame_is_never_left_out_when_it_got_late(passed_s: list[float]) -> None:
    taker = Taker()
    streams = opened(speed=3_000.0)
    streams.subscribe("btcusdt@kline_1m", taker.push)
    passed_s[0] += 0.15  # seven minutes and a half
    streams.emit_due()
    closed = [frame["k"]["t"] for frame in taker.frames if frame["k"]["x"]]
    assert closed == list(minutes(len(closed))) and len(closed) >= 7
    (final, *_) = klines_of(SERIES[BTC, "1m"])
    assert values(taker.frames[0]) == json.loads(kline_row(final, MINUTE_MS))


def test_a_minute_without_a_candle_sends_nothing(passed_s: list[float]) -> None:
    market = SpotMarket(FileSource({(BTC, "1m"): make_candles([START_MS, START_MS + 2 * MINUTE_MS])}))
    taker = Taker()
    streams = opened(market, speed=1_500.0)
    streams.subscribe("btcusdt@kline_1m", taker.push)
    run(streams, passed_s, 0.25)
    assert {frame["k"]["t"] for frame in taker.frames} == {START_MS, START_MS + 2 * MINUTE_MS}


def test_every_interval_and_several_listeners(passed_s: list[float]) -> None:
    first, second = Taker(), Taker()
    streams = opened(speed=6_000.0)
    for name in ("btcusdt@kline_5m", "ethusdt@kline_15m"):
        streams.subscribe(name, first.push)
    streams.subscribe("btcusdt@kline_5m", second.push)
    streams.subscribe("btcusdt@kline_5m", second.push)  # twice is once
    run(streams, passed_s, 0.2)
    assert {(frame["s"], frame["k"]["i"]) for frame in first.frames} == {("BTCUSDT", "5m"), ("ETHUSDT", "15m")}
    assert second.frames == [frame for frame in first.frames if frame["s"] == "BTCUSDT"]
    assert any(frame["k"]["x"] for frame in second.frames)


def test_who_has_left_gets_no_more(passed_s: list[float]) -> None:
    taker = Taker()
    streams = opened(speed=6_000.0)
    streams.subscribe("btcusdt@kline_1m", taker.push)
    run(streams, passed_s, 0.05)
    streams.unsubscribe("btcusdt@kline_1m", taker.push)
    streams.unsubscribe("btcusdt@kline_1m", taker.push)
    count = len(taker.frames)
    assert count > 0
    run(streams, passed_s, 0.05)
    assert len(taker.frames) == count


def test_a_stream_that_there_is_not_has_no_frames(passed_s: list[float]) -> None:
    taker = Taker()
    streams = opened(speed=6_000.0)
    for name in ("solusdt@kline_1m", "btcusdt@kline_7m", "btcusdt@trade", "BTCUSDT@kline_1m"):
        streams.subscribe(name, taker.push)
        streams.unsubscribe("btcusdt@trade", taker.push)
    run(streams, passed_s, 0.03)
    assert taker.frames == []


def test_a_damaged_month_is_said_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], passed_s: list[float]
) -> None:
    cache = CandleCache(tmp_path)
    for symbol in (BTC, ETH):
        cache.merge(symbol, "1m", SERIES[symbol, "1m"])
    streams = opened(SpotMarket(CacheSource(cache)), speed=3_000.0)
    cache.path(BTC, "1m", "2025-10").write_bytes(b"")
    taker = Taker()
    for name in ("btcusdt@kline_1m", "ethusdt@kline_1m"):
        streams.subscribe(name, taker.push)
    run(streams, passed_s, 0.1)
    assert {frame["s"] for frame in taker.frames} == {"ETHUSDT"}
    assert "is damaged" in capsys.readouterr().err
