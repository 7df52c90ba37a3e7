"""What users of other systems reported of real orders, each as a test that it does not happen at the order desk."""

import asyncio
from collections import deque

from app.exchange.order_reports import Refused, Unknown
from app.models.orders import OrderState
from tests.order_desks import Table, at_the_desk, entry, oco
from tests.scripted_spot import ScriptedSpot, Way

LONG_S = 600.0


async def _enter(table: Table) -> None:
    await asyncio.sleep(5.0)
    table.desk.send([entry()])
    await asyncio.sleep(LONG_S)


def test_freqtrade_an_order_after_a_timeout_is_not_unknown_to_the_bot() -> None:
    # The answer is lost after the order was executed; the stream is silent, too.
    table = at_the_desk(_enter, ScriptedSpot(ways=deque([Way(0.05, None)]), stream_s=None))
    assert (table.fills(1), table.states(1)[-1]) == ({"1000": 1.0}, "filled")
    assert table.at_s(1, "filled") < 5.0 + 3.0  # so that it can be protected at once


def test_freqtrade_an_order_that_is_not_found_at_the_start_is_not_taken_for_cancelled() -> None:
    async def start(table: Table) -> None:
        await asyncio.sleep(LONG_S)

    def sent_before(spot: ScriptedSpot) -> None:
        asyncio.get_running_loop().call_later(2.5, lambda: spot.rest(entry().client_id, 1.0, buys=True))

    table = at_the_desk(start, ScriptedSpot(stream_s=None), open_before=[entry()], prepare=sent_before)
    assert table.states(1) == ["accepted"]


def test_nautilus_no_order_is_rejected_without_evidence() -> None:
    # Live stops, declared rejected because no answer came (#4411): here no question is answered for minutes, either.
    spot = ScriptedSpot(ways=deque([Way(0.05, None)]), stream_s=None, outages=[(5.0, 305.0)])

    async def protect(table: Table) -> None:
        await asyncio.sleep(5.0)
        table.desk.send([oco()])
        await asyncio.sleep(LONG_S)

    table = at_the_desk(protect, spot)
    for leg in "ts":
        assert table.states(2, leg) == ["sent", "unknown", "accepted"]


def test_nautilus_4215_nothing_is_sent_again_after_an_unknown_outcome() -> None:
    table = at_the_desk(_enter, ScriptedSpot(ways=deque([Way(1.0, 10.0, Unknown("-1007 Timeout waiting"))])))
    assert table.posts == [entry().client_id]
    assert table.spot.held["BTC"] == 1.0


def test_nautilus_3878_fills_have_the_same_ids_at_each_start() -> None:
    def traded(spot: ScriptedSpot) -> None:
        spot.rest(entry().client_id, 1.0, buys=True)
        for _ in range(4):
            spot.fill(entry().client_id, 0.25)

    async def start(table: Table) -> None:
        await asyncio.sleep(60.0)

    first, again = (at_the_desk(start, open_before=[entry()], prepare=traded) for _ in range(2))
    assert first.fills(1) == again.fills(1) == {str(1000 + n): 0.25 for n in range(4)}
    assert [one.time_ms for one in first.of(1) if one.fill_id] == [one.time_ms for one in again.of(1) if one.fill_id]


def test_nautilus_no_fill_is_invented_where_a_report_tells_more_than_the_trades() -> None:
    # The order is reported filled, and the history never shows its trades (#4739): the state is said, and no fill.
    spot = ScriptedSpot(stream_s=None)

    async def reported(table: Table) -> None:
        table.desk.send([entry(limit=90.0)])
        await table.until_said(1, "accepted")
        told = spot.orders[entry().client_id]
        spot.orders[entry().client_id] = type(told)(
            told.symbol, told.client_id, told.exchange_id, OrderState.FILLED, True, 1.0, 1.0, spot.now_ms
        )
        await asyncio.sleep(LONG_S)

    table = at_the_desk(reported, spot)
    assert table.states(1)[-1] == "filled"
    assert table.fills(1) == {}


def test_hummingbot_no_duplicate_after_an_order_does_not_exist() -> None:
    # -2013 for nine seconds, then it is there (#601, #5502).
    spot = ScriptedSpot(ways=deque([Way(0.05, 0.1, Unknown("HTTP 503"))]), shown_late_s=9.0, stream_s=None)
    table = at_the_desk(_enter, spot)
    assert table.posts == [entry().client_id]
    assert "refused" not in table.states(1)
    assert table.states(1)[-1] == "filled"


def test_hummingbot_a_refused_order_is_not_sent_a_hundred_thousand_times() -> None:
    busy = Refused(-1008, "overloaded", is_passing=True)
    table = at_the_desk(_enter, ScriptedSpot(ways=deque([Way(instead=busy)] * 50)))
    assert table.posts == [entry().client_id]
    assert len(table.spot.asked) < 200  # nor is anything asked for in a hurry
