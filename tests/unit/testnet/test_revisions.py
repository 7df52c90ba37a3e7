"""A candle that is told differently later: from which answer, from when, and only that one."""

import json
from typing import Any

from app.testnet.faults import parse_fault
from app.testnet.kline_pages import KlinePages, Row
from app.testnet.market import FileSource
from app.testnet.revisions import Revision
from app.testnet.spot import SpotMarket
from tests.candle_columns import MINUTE_MS, START_MS
from tests.testnets import BTC, END_MS, ETH, SERIES

MARKET = SpotMarket(FileSource(SERIES))
AT_MS = START_MS + 5 * MINUTE_MS
ROWS = tuple(KlinePages(MARKET).page(BTC, "1m", END_MS, start_ms=START_MS, end_ms=None, limit=10))


def revision(**values: Any) -> Revision:
    return Revision.of(parse_fault({"fault": "revised", "symbol": BTC, "at": AT_MS, **values}))


def applied(one: Revision, now_ms: int = END_MS, rows: tuple[Row, ...] = ROWS) -> tuple[Row, ...]:
    return one.applied(MARKET, BTC, "1m", rows, now_ms)


def test_only_its_row_and_it_stays_a_candle() -> None:
    changed = applied(revision(close=1.0))
    assert [place for place in range(10) if changed[place] != ROWS[place]] == [5]
    before, after = json.loads(ROWS[5][1]), json.loads(changed[5][1])
    assert (after[0], after[1], after[2], after[5]) == (before[0], before[1], before[2], before[5])
    assert (float(after[4]), float(after[3])) == (1.0, 1.0)


def test_without_values_the_volume_is_another() -> None:
    before, after = json.loads(ROWS[5][1]), json.loads(applied(revision())[5][1])
    assert after[1:5] == before[1:5]
    assert float(after[5]) > float(before[5])


def test_from_the_nth_answer_that_holds_it() -> None:
    one = revision(from_answer=3)
    assert applied(one, rows=ROWS[:5]) == ROWS[:5]
    assert [applied(one) == ROWS for _ in range(4)] == [True, True, False, False]


def test_so_many_virtual_seconds_after_its_close() -> None:
    one = revision(after_s=10)
    close_ms = AT_MS + MINUTE_MS
    assert applied(one, close_ms + 9_999) == ROWS
    assert applied(one, close_ms + 10_000) != ROWS


def test_another_symbol_timeframe_or_a_forming_candle_stays() -> None:
    one = revision()
    assert one.applied(MARKET, ETH, "1m", ROWS, END_MS) == ROWS
    assert one.applied(MARKET, BTC, "5m", ROWS, END_MS) == ROWS
    assert applied(one, AT_MS + MINUTE_MS - 1) == ROWS
    assert one.answers == 0
