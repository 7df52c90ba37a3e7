"""Which rows a klines request gets, held against Binance's rules written out over all rows there are."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.testnet.generator import GeneratorSource
from app.testnet.kline_pages import KlinePages
from app.testnet.market import FileSource
from app.testnet.spot import SpotMarket
from app.testnet.wire import kline_row, kline_rows
from tests.candle_columns import MINUTE_MS, START_MS, make_candles, minutes
from tests.testnets import BTC

# Three hours, a gap of two years, three hours more: blocks with a part of them, without any, with all.
LATER_MS = START_MS + 731 * 86_400_000
TIMES = [*minutes(180), *minutes(180, LATER_MS)]
MARKET = SpotMarket(FileSource({(BTC, "1m"): make_candles(TIMES)}))
END_MS = TIMES[-1] + MINUTE_MS
ROWS = dict(zip(TIMES, kline_rows(make_candles(TIMES), MINUTE_MS), strict=True))


def reference(now_ms: int, start_ms: int | None, end_ms: int | None, limit: int) -> list[int]:
    times = [one for one in TIMES if one <= now_ms and (end_ms is None or one <= end_ms)]
    if start_ms is None:
        return times[-limit:]
    return [one for one in times if one >= start_ms][:limit]


instants = st.one_of(st.integers(START_MS - 10**6, END_MS + 10**6), st.sampled_from(TIMES), st.just(0))


@settings(max_examples=300, deadline=None)
@given(instants, st.none() | instants, st.none() | instants, st.integers(1, 400))
def test_binance_chooses_them_so(now_ms: int, start_ms: int | None, end_ms: int | None, limit: int) -> None:
    page = KlinePages(MARKET).page(BTC, "1m", now_ms, start_ms=start_ms, end_ms=end_ms, limit=limit)
    assert [time_ms for time_ms, _ in page] == reference(now_ms, start_ms, end_ms, limit)
    for time_ms, row in page:
        if time_ms + MINUTE_MS <= now_ms:
            assert row == ROWS[time_ms]


def test_the_last_row_of_an_answer_up_to_now_is_forming() -> None:
    pages = KlinePages(MARKET)
    now_ms = START_MS + 90_000
    page = pages.page(BTC, "1m", now_ms, start_ms=START_MS, end_ms=None, limit=10)
    forming = MARKET.kline(BTC, "1m", START_MS + MINUTE_MS, now_ms)
    assert forming is not None
    assert page == [(START_MS, ROWS[START_MS]), (START_MS + MINUTE_MS, kline_row(forming, MINUTE_MS))]
    assert pages.forming_row(BTC, "1m", now_ms) == page[-1]
    assert pages.forming_row(BTC, "1m", END_MS) is None
    # What was shown while it formed is not what is shown after.
    assert pages.page(BTC, "1m", END_MS, start_ms=START_MS, end_ms=None, limit=2)[1][1] == ROWS[START_MS + MINUTE_MS]


def test_a_coarser_bucket_that_began_before_the_first_candle() -> None:
    market = SpotMarket(FileSource({(BTC, "1m"): make_candles(minutes(60, START_MS + 20 * MINUTE_MS))}))
    pages = KlinePages(market)
    for start_ms in (None, 0, START_MS):
        page = pages.page(BTC, "1h", END_MS, start_ms=start_ms, end_ms=None, limit=500)
        assert [time_ms for time_ms, _ in page] == [START_MS, START_MS + 60 * MINUTE_MS]
    assert pages.page(BTC, "1h", END_MS, start_ms=START_MS + 1, end_ms=None, limit=1)[0][0] == START_MS + 60 * MINUTE_MS


def test_a_timeframe_that_there_is_not_costs_no_search() -> None:
    pages = KlinePages(SpotMarket(GeneratorSource(7, [BTC])))  # from 1970 on, in seconds: two million blocks
    assert pages.page(BTC, "1s", END_MS, start_ms=0, end_ms=None, limit=500) == []


@pytest.mark.parametrize("timeframe", ["1m", "5m"])
def test_a_hole_appears_when_the_blocks_are_forgotten(timeframe: str) -> None:
    market = SpotMarket(FileSource({(BTC, "1m"): make_candles(minutes(60))}))
    pages = KlinePages(market)
    before = pages.page(BTC, timeframe, END_MS, start_ms=0, end_ms=None, limit=1000)
    market.add_hole(BTC, START_MS, START_MS + 30 * MINUTE_MS)
    pages.forget()
    after = pages.page(BTC, timeframe, END_MS, start_ms=0, end_ms=None, limit=1000)
    assert after == before[len(before) // 2 :]
    assert json.loads(after[0][1])[0] == START_MS + 30 * MINUTE_MS
