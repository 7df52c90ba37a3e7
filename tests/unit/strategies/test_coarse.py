"""Coarser candles: built from what exists, aligned to the epoch, closed in time and never early."""

import pytest

from app.models.market import Candle
from app.strategies.coarse import CoarseCandles
from tests.made import BTC, ETH, candle, slice_of


def five(*symbols: str) -> CoarseCandles:
    return CoarseCandles(symbols or (BTC,), "5m", "1m")


def shown(closed: list[Candle]) -> list[tuple[str, int, float, float, float, float, float]]:
    assert all(one.timeframe == "5m" for one in closed)
    return [(c.symbol, c.open_time_ms // 60_000, c.open, c.high, c.low, c.close, c.volume) for c in closed]


def test_first_open_highest_high_lowest_low_last_close_summed_volume() -> None:
    coarse = five()
    for minute in range(4):
        at = candle(10.0 + minute, at=minute, open=9.0 + minute, high=20.0 - minute, low=5.0 + minute, volume=2.0)
        assert coarse.absorb(slice_of(at)) == []
    closed = coarse.absorb(slice_of(candle(1.0, at=4, open=14.0, high=14.0, low=1.0, volume=0.5)))
    assert shown(closed) == [(BTC, 0, 9.0, 20.0, 1.0, 1.0, 8.5)]
    assert closed[0].close_time_ms == 5 * 60_000


def test_a_bucket_with_gaps_is_what_there_was() -> None:
    coarse = five()
    assert coarse.absorb(slice_of(candle(10.0, at=11))) == []
    assert shown(coarse.absorb(slice_of(candle(12.0, at=14)))) == [(BTC, 10, 10.0, 12.0, 10.0, 12.0, 2.0)]


def test_without_a_slice_at_its_end_it_closes_with_the_first_one_after() -> None:
    coarse = five()
    coarse.absorb(slice_of(candle(10.0, at=2)))
    assert shown(coarse.absorb(slice_of(candle(30.0, at=17)))) == [(BTC, 0, 10.0, 10.0, 10.0, 10.0, 1.0)]
    assert shown(coarse.absorb(slice_of(candle(31.0, at=19)))) == [(BTC, 15, 30.0, 31.0, 30.0, 31.0, 2.0)]


def test_two_can_close_with_one_slice_the_late_one_first() -> None:
    coarse = five()
    coarse.absorb(slice_of(candle(10.0, at=2)))
    assert [(c[1], c[5]) for c in shown(coarse.absorb(slice_of(candle(30.0, at=9))))] == [(0, 10.0), (5, 30.0)]


def test_it_closes_with_the_slice_whether_its_symbol_is_in_it_or_not() -> None:
    coarse = five(BTC, ETH)
    coarse.absorb(slice_of(candle(1.0, at=3, symbol=ETH)))
    assert [c[0] for c in shown(coarse.absorb(slice_of(candle(2.0, at=4))))] == [BTC, ETH]


def test_symbols_come_in_config_order_then_oldest_first() -> None:
    coarse = five(ETH, BTC)
    coarse.absorb(slice_of(candle(1.0, at=1), candle(2.0, at=1, symbol=ETH)))
    closed = coarse.absorb(slice_of(candle(3.0, at=9), candle(4.0, at=9, symbol=ETH)))
    assert [(c[0], c[1]) for c in shown(closed)] == [(ETH, 0), (ETH, 5), (BTC, 0), (BTC, 5)]


def test_no_candle_if_there_was_none_and_an_unfinished_one_never_closes() -> None:
    coarse = five(BTC, ETH)
    assert shown(coarse.absorb(slice_of(candle(1.0, at=4)))) == [(BTC, 0, 1.0, 1.0, 1.0, 1.0, 1.0)]
    assert coarse.absorb(slice_of(candle(1.0, at=5))) == []


@pytest.mark.parametrize(("coarse", "session", "minutes"), [("1d", "1h", 1440), ("15m", "5m", 15), ("5m", "5m", 5)])
def test_any_multiple(coarse: str, session: str, minutes: int) -> None:
    steps = {"1h": 60, "5m": 5}[session]
    book = CoarseCandles((BTC,), coarse, session)
    closed = []
    for at in range(0, 2 * minutes, steps):
        closed += book.absorb(slice_of(candle(1.0, at=at, timeframe=session)))
    assert [(one.open_time_ms // 60_000, one.volume) for one in closed] == [
        (0, minutes / steps),
        (minutes, minutes / steps),
    ]


def test_a_late_candle_begins_the_bucket_that_no_slice_has_begun() -> None:
    coarse = five()
    coarse.absorb(slice_of(candle(10.0, at=3)))
    coarse.absorb_late(candle(20.0, at=5))
    assert shown(coarse.absorb(slice_of(candle(30.0, at=6)))) == [(BTC, 0, 10.0, 10.0, 10.0, 10.0, 1.0)]
    assert shown(coarse.absorb(slice_of(candle(40.0, at=9)))) == [(BTC, 5, 20.0, 40.0, 20.0, 40.0, 3.0)]


def test_late_candles_of_buckets_without_any_slice_close_with_the_first_one_after() -> None:
    coarse = five(BTC, ETH)
    for at in (1, 6, 11):
        coarse.absorb_late(candle(float(at), at=at))
    coarse.absorb_late(candle(2.0, at=2, symbol=ETH))  # its bucket is still open: no slice has closed it
    closed = shown(coarse.absorb(slice_of(candle(12.0, at=12, symbol=ETH))))
    assert [(c[0], c[1], c[5]) for c in closed] == [(BTC, 0, 1.0), (BTC, 5, 6.0), (ETH, 0, 2.0)]
    assert [(c[0], c[1], c[5]) for c in shown(coarse.absorb(slice_of(candle(14.0, at=14))))] == [
        (BTC, 10, 14.0), (ETH, 10, 12.0),
    ]  # fmt: skip


def test_a_coarse_candle_that_has_closed_stays_as_it_went_out() -> None:
    coarse = five(BTC, ETH)
    assert len(coarse.absorb(slice_of(candle(10.0, at=4)))) == 1
    coarse.absorb_late(candle(20.0, at=3, symbol=ETH))
    coarse.absorb_late(candle(20.0, at=4, symbol=ETH))
    assert coarse.absorb(slice_of(candle(30.0, at=5))) == []
    assert shown(coarse.absorb(slice_of(candle(31.0, at=9)))) == [(BTC, 5, 30.0, 31.0, 30.0, 31.0, 2.0)]
