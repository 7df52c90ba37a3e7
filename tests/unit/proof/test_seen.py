"""What was seen: whose it is, and whether the feed was late with it."""

import pytest

from app.models.events import LateCandle, MarkedSlice
from app.models.market import Slice
from app.models.orders import Line
from app.proof.seen import Seen
from tests.made import BTC, ETH, MINUTE_MS, candle

CANDLES = (candle(), candle(symbol=ETH))


@pytest.mark.parametrize(
    ("event", "is_late", "is_stale"),
    [
        (Slice(MINUTE_MS, CANDLES, False), False, False),
        (MarkedSlice(MINUTE_MS, CANDLES, False, late=True), True, False),
        (MarkedSlice(MINUTE_MS, CANDLES, False, stale=(ETH,)), False, True),
        (MarkedSlice(MINUTE_MS, CANDLES, False, stale=(BTC,)), False, False),
        (LateCandle(CANDLES[1]), True, False),
    ],
)
def test_what_the_feed_was_late_with(event: Slice | LateCandle, is_late: bool, is_stale: bool) -> None:
    seen = Seen(Line("trend", ETH), event, CANDLES[1])
    assert (seen.symbol, seen.is_late, seen.is_stale) == (ETH, is_late, is_stale)
