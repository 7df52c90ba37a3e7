"""A candle as it forms: it begins at its open, only grows, and ends as itself."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.testnet.forming import Kline, forming_kline, rows_of
from tests.candle_columns import START_MS, make_candles

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
def test_drawn_by_hand(at_ms: int, high: float, low: float, close: float, volume: float) -> None:
    # Prices of one decimal: 97.5 and so on are printed as they are.
    final = FINAL._replace(close=105.0, high=110.0)
    assert forming_kline(final, 60_000, 60_000 + at_ms) == Kline(60_000, 100.0, high, low, close, volume)


prices = st.integers(1, 10**9).map(lambda cents: cents / 100)


@given(prices, prices, prices, prices, st.integers(0, 10**10).map(lambda units: units / 1e5), st.data())
def test_it_only_grows(one: float, two: float, three: float, four: float, volume: float, data: st.DataObject) -> None:
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


def test_rows_of_columns() -> None:
    columns = make_candles([START_MS, START_MS + 60_000])
    kline = rows_of(columns)[1]
    assert list(kline) == [column.tolist()[1] for column in columns]
    assert isinstance(kline.open_time_ms, int) and isinstance(kline.close, float)
