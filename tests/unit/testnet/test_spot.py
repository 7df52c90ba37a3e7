"""The market at an instant: closed, forming or not there; coarser candles of the minutes that happened; holes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.candles.resample import resample
from app.errors import DataError
from app.testnet.market import FileSource
from app.testnet.spot import Kline, SpotMarket, forming_kline, klines_of
from tests.candle_columns import MINUTE_MS, START_MS, equal, make_candles, minutes
from tests.testnets import BTC, END_MS, ETH, SERIES

FIRST, SECOND = klines_of(SERIES[BTC, "1m"].take(slice(0, 2)))


@pytest.fixture
def market() -> SpotMarket:
    return SpotMarket(FileSource(SERIES))


def test_a_candle_is_closed_forming_or_not_there(market: SpotMarket) -> None:
    assert market.kline(BTC, "1m", START_MS, START_MS - 1) is None
    for offset_ms in (0, 1, 30_000, 59_999):
        shown = market.kline(BTC, "1m", START_MS, START_MS + offset_ms)
        assert shown == forming_kline(FIRST, MINUTE_MS, START_MS + offset_ms)
    assert market.kline(BTC, "1m", START_MS, START_MS + 60_000) == FIRST
    assert market.kline(BTC, "1m", END_MS, END_MS + 1) is None
    assert market.kline(BTC, "1s", START_MS, END_MS) is None


def test_a_coarser_one_forms_of_the_minutes_that_happened(market: SpotMarket) -> None:
    now_ms = START_MS + 90_000
    half = forming_kline(SECOND, MINUTE_MS, now_ms)
    shown = market.kline(BTC, "5m", START_MS, now_ms)
    assert shown is not None
    assert shown.open == FIRST.open and shown.close == half.close
    assert shown.high == max(FIRST.high, half.high) and shown.low == min(FIRST.low, half.low)
    assert shown.volume == round(FIRST.volume + half.volume, 8)
    (final,) = klines_of(resample(SERIES[BTC, "1m"].take(slice(0, 5)), "1m", "5m"))
    assert market.kline(BTC, "5m", START_MS, START_MS + 300_000) == final


def test_a_minute_without_a_candle_forms_nothing() -> None:
    market = SpotMarket(FileSource({(BTC, "1m"): make_candles([START_MS, START_MS + 2 * MINUTE_MS])}))
    assert market.kline(BTC, "1m", START_MS + MINUTE_MS, START_MS + 90_000) is None
    # The coarser candle stays what it was.
    shown = market.kline(BTC, "5m", START_MS, START_MS + 90_000)
    assert shown == market.kline(BTC, "5m", START_MS, START_MS + 119_999)
    assert shown is not None and shown.close == klines_of(make_candles([START_MS]))[0].close


def test_a_hole_is_missing_from_coarser_candles_too(market: SpotMarket) -> None:
    market.add_hole(BTC, START_MS + MINUTE_MS, START_MS + 7 * MINUTE_MS)
    left = make_candles([*minutes(1), *minutes(233, START_MS + 7 * MINUTE_MS)])
    assert equal(market.columns(BTC, "1m", 0, END_MS), left)
    assert equal(market.columns(BTC, "5m", 0, END_MS), resample(left, "1m", "5m"))
    assert market.kline(BTC, "1m", START_MS + MINUTE_MS, END_MS) is None
    assert market.kline(BTC, "1m", START_MS + MINUTE_MS, START_MS + 90_000) is None
    for now_ms in (START_MS + 90_000, END_MS):
        assert market.kline(ETH, "1m", START_MS + MINUTE_MS, now_ms) is not None
    market.add_hole(ETH, END_MS, END_MS + 1)
    assert market.kline(ETH, "1m", START_MS + MINUTE_MS, START_MS + 90_000) is not None
    assert equal(market.columns(ETH, "1m", 0, END_MS), SERIES[ETH, "1m"])


def test_names_on_the_wire(market: SpotMarket) -> None:
    assert market.symbol_of("ETHUSDT") == ETH
    assert market.symbol_of("ETH/USDT") is None
    candle = make_candles([START_MS])
    with pytest.raises(DataError, match="one name on the wire"):
        SpotMarket(FileSource({("AB/CD", "1m"): candle, ("ABC/D", "1m"): candle}))


FINAL = Kline(60_000, 100.0, 110.0, 95.0, 105.0, 12.0)


@pytest.mark.parametrize(
    ("at_ms", "high", "low", "close", "volume"),
    [
        (0, 100.0, 100.0, 100.0, 0.0),
        (10_000, 100.0, 97.5, 97.5, 2.0),  # to the low first, which is nearer
        (20_000, 100.0, 95.0, 95.0, 4.0),
        (30_000, 102.5, 95.0, 102.5, 6.0),
        (40_000, 110.0, 95.0, 110.0, 8.0),
        (50_000, 110.0, 95.0, 107.5, 10.0),
        (60_000, 110.0, 95.0, 105.0, 12.0),
    ],
)
def test_a_forming_candle_drawn_by_hand(at_ms: int, high: float, low: float, close: float, volume: float) -> None:
    assert forming_kline(FINAL, 60_000, 60_000 + at_ms) == Kline(60_000, 100.0, high, low, close, volume)


prices = st.integers(1, 10**9).map(lambda cents: cents / 100)


@given(prices, prices, prices, prices, st.integers(0, 10**10).map(lambda units: units / 1e5), st.data())
def test_a_candle_only_grows(
    one: float, two: float, three: float, four: float, volume: float, data: st.DataObject
) -> None:
    low, opens, closes, high = sorted((one, two, three, four))
    final = Kline(0, opens, high, low, closes, volume)
    times = sorted(data.draw(st.lists(st.integers(0, 60_000), min_size=2, max_size=6)))
    shown = [forming_kline(final, 60_000, at_ms) for at_ms in [*times, 60_000]]
    for earlier, later in pairwise(shown):
        assert earlier.high <= later.high and earlier.low >= later.low and earlier.volume <= later.volume
    for kline in shown:
        assert final.low <= kline.low <= kline.close <= kline.high <= final.high
        assert kline.close == round(kline.close, 2)
    assert shown[-1] == final
