"""The candles that orders meet: found by time, over gaps and minutes without a trade, and afresh after a hole."""

from app.testnet.market import FileSource
from app.testnet.spot import Kline, SpotMarket
from app.testnet.traded_candles import TradedCandles
from tests.candle_columns import MINUTE_MS, START_MS
from tests.spot_exchanges import BTC, Row, columns, minute

FLAT: Row = (50.0, 50.0, 50.0, 50.0, 0.0)
A, B, C = ((float(price), price + 2.0, price - 2.0, price + 1.0, 4.0) for price in (100, 110, 120))


def market(*rows: Row | None) -> SpotMarket:
    return SpotMarket(FileSource({(BTC, "1m"): columns(rows)}))


def kline(place: int, row: Row) -> Kline:
    return Kline(minute(place), *row)


def test_by_time() -> None:
    candles = TradedCandles(market(A, None, FLAT, B))
    assert candles.length_ms(BTC) == MINUTE_MS
    assert [candles.at(BTC, minute(place, 30)) for place in range(5)] == [
        kline(0, A), None, kline(2, FLAT), kline(3, B), None,
    ]  # fmt: skip
    assert [candles.next(BTC, minute(place)) for place in (-5, 1, 4)] == [kline(0, A), kline(2, FLAT), None]
    assert candles.next_traded(BTC, minute(0, 59)) == kline(0, A)
    assert candles.next_traded(BTC, minute(1)) == kline(3, B) == candles.next_traded(BTC, minute(2, 30))
    assert candles.next_traded(BTC, minute(4)) is None
    assert [candles.last_traded(BTC, minute(place)) for place in (-1, 2, 3, 9)] == [
        None, kline(0, A), kline(3, B), kline(3, B),
    ]  # fmt: skip


def test_over_a_gap_of_days() -> None:
    candles = TradedCandles(market(A, *[None] * 3_000, B))
    assert candles.next(BTC, minute(1)) == kline(3_001, B)
    assert candles.last_traded(BTC, minute(3_000, 59)) == kline(0, A)


def test_prices() -> None:
    candles = TradedCandles(market(A, FLAT, B, C))
    assert candles.price_now(BTC, START_MS - 1) is None
    assert candles.price_now(BTC, minute(0)) == 100.0
    assert candles.price_now(BTC, minute(1, 30)) == 101.0  # the close of what was traded last
    # Means of the four prices are 100.25 and 110.25, volumes the same; the third minute forms.
    assert candles.average(BTC, minute(3, 10)) == (105.25, minute(3) - 1)
    assert candles.average(BTC, minute(0, 1)) == (candles.price_now(BTC, minute(0, 1)), minute(0, 1))
    assert candles.average(BTC, START_MS - 1) is None


def test_a_hole_is_seen_at_once() -> None:
    held = market(A, B, C)
    candles = TradedCandles(held)
    assert candles.at(BTC, minute(1)) == kline(1, B)
    held.add_hole(BTC, minute(1), minute(2))
    assert candles.at(BTC, minute(1)) is None and candles.next(BTC, minute(1)) == kline(2, C)


def test_the_finest_above_a_minute() -> None:
    hours = columns([A])
    candles = TradedCandles(SpotMarket(FileSource({(BTC, "1h"): hours})))
    assert candles.length_ms(BTC) == 3_600_000
    found = candles.at(BTC, START_MS + 3_000_000)
    assert found is not None and found.open == 100.0


def test_the_usual_volume() -> None:
    candles = TradedCandles(market(*[A] * 15, *[None] * 5, *[FLAT] * 10))
    assert candles.usual_volume(BTC, minute(29, 59)) == 2.4  # 15 of 25 with 4.0
    assert candles.usual_volume(BTC, START_MS - 1) == 0.0
