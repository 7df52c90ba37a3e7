"""Whatever is missing of a series that has no hole, no fetch of it asks once more than it must."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.candles.cache import CandleCache
from tests.candle_columns import START_MS, make_candles
from tests.scripted_exchange import ScriptedExchange, fetch_scripted, slot, stored_minutes

SYMBOL = "BTC/USDT"


def candles(numbers: Iterable[int]) -> list[int]:
    return sorted(slot(number, START_MS) for number in numbers)


def fewest(missing: Iterable[int], page: int) -> int:
    """The classic: a page begins at the first that no page holds yet."""
    count, held_to = 0, -1
    for one in sorted(missing):
        if one >= held_to:
            count, held_to = count + 1, one + page
    return count


@settings(deadline=None)
@given(missing=st.sets(st.integers(0, 119), min_size=1), page=st.integers(4, 40))
def test_never_one_request_more(tmp_path_factory: pytest.TempPathFactory, missing: set[int], page: int) -> None:
    there = range(-1, 121)
    cache = CandleCache(tmp_path_factory.mktemp("cache"))
    cache.merge(SYMBOL, "1m", make_candles(candles(set(there) - missing)))
    exchange = ScriptedExchange(candles(there), slot(1_000, START_MS), page_candles=page)
    fetch_scripted(cache, exchange, [SYMBOL], 0, 120)
    assert len(exchange.asked) == fewest(missing, page)
    assert stored_minutes(cache, SYMBOL) == [*there]
