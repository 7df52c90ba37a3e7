"""Both ways of matching keep to what the engine relies on: never more than asked for, never worse than a limit."""

from decimal import Decimal
from typing import Any

import pytest

from app.testnet.book_matching import Book, BookMatching
from app.testnet.exchange_variants import Variants
from app.testnet.market import FileSource
from app.testnet.matching import Matching
from app.testnet.rules_matching import RulesMatching
from app.testnet.spot import SpotMarket
from app.testnet.spot_orders import Order, OrderGroup
from app.testnet.traded_candles import TradedCandles
from tests.candle_columns import MINUTE_MS
from tests.spot_exchanges import BTC, columns, minute

ROWS = [(100.0, 103.0, 98.0, 101.0, 50.0), None, (101.0, 104.0, 97.0, 99.0, 20.0), (99.0, 99.0, 99.0, 99.0, 0.0)]


def matchings() -> list[Matching]:
    candles = TradedCandles(SpotMarket(FileSource({(BTC, "1m"): columns(ROWS)})))
    return [
        RulesMatching(candles, slippage_rate=0.0005, limit_fill="through", variants=Variants()),
        BookMatching(candles, Book(), 1, lambda _: Decimal("0.01"), lambda _: Decimal("0.001")),
    ]


def order(side: Any, kind: str, price: str = "0") -> Order:
    return Order("BTCUSDT", side, kind, Decimal("3.5"), "x", price=Decimal(price))


@pytest.mark.parametrize("matching", matchings())
@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_what_a_taker_gets(matching: Matching, side: str) -> None:
    for now_ms in range(minute(0), minute(4), 7_000):
        for kind, price in (("MARKET", "0"), ("LIMIT", "100"), ("LIMIT", "99.5"), ("LIMIT", "101.2")):
            one = order(side, kind, price)
            found = matching.takes(BTC, one, now_ms)
            assert sum((quantity for _, quantity in found), Decimal(0)) <= one.left
            assert all(quantity > 0 for _, quantity in found)
            if one.has_limit:
                assert all(one.sign * (one.price - paid) >= 0 for paid, _ in found)
            else:
                assert found


@pytest.mark.parametrize("matching", matchings())
def test_checks_go_forward_and_end_with_the_candles(matching: Matching) -> None:
    group = OrderGroup("me", "BTCUSDT", "BTC", "USDT", (order("BUY", "LIMIT", "50"),))
    due_ms = matching.first_check_ms(BTC, group, minute(0, 10))
    seen = [minute(0, 10)]
    while due_ms is not None:
        assert due_ms > seen[-1]
        seen.append(due_ms)
        assert matching.check(BTC, group, due_ms) == []
        due_ms = matching.next_check_ms(BTC, group, due_ms)
    assert minute(3) < seen[-1] <= minute(4)
    assert not any(minute(1) < one <= minute(2) - MINUTE_MS // 20 for one in seen)  # no candle, nothing to look at
