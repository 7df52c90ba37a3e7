"""Cancelling until the order is over: whatever is lost, late or refused, and what was filled meanwhile."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest

from app.exchange.order_reports import Refused, Unknown
from app.models.orders import OrderState
from tests.order_desks import Table, at_the_desk, cancel, entry, oco
from tests.scripted_spot import ScriptedSpot, Way

LIMIT = entry(limit=90.0)
GOOD = Way()


def _cancelling(
    then: Callable[[Table], Awaitable[None]] | None = None, wait_s: float = 120.0
) -> Callable[[Table], Awaitable[None]]:
    async def script(table: Table) -> None:
        table.desk.send([LIMIT])
        await table.until_said(1, "accepted")
        await asyncio.sleep(5.0)
        table.desk.send([cancel(LIMIT)])
        if then is not None:
            await then(table)
        await asyncio.sleep(wait_s)
        assert table.desk.status().unresolved == 0

    return script


def _spot(*ways: Way, **options: object) -> ScriptedSpot:
    return ScriptedSpot(ways=deque((GOOD, *ways)), **options)  # type: ignore[arg-type]


def test_one_that_goes_well() -> None:
    table = at_the_desk(_cancelling(), _spot())
    assert table.states(1) == ["sent", "accepted", "cancel_sent", "cancelled"]
    assert len(table.cancels) == 1
    assert table.of(1)[-1].filled == 0.0


def test_an_answer_lost_after_it_was_done_is_found_by_asking() -> None:
    table = at_the_desk(_cancelling(), _spot(Way(0.05, None), stream_s=None))
    assert table.states(1) == ["sent", "accepted", "cancel_sent", "cancel_unknown", "cancelled"]
    assert len(table.cancels) == 1
    assert table.at_s(1, "cancelled") < 10.0


def test_one_that_never_arrives_is_sent_again_while_the_order_is_open() -> None:
    table = at_the_desk(_cancelling(), _spot(Way(None, 0.1, Unknown("HTTP 502")), Way(None, None)))
    states = table.states(1)
    assert states[:4] == ["sent", "accepted", "cancel_sent", "cancel_unknown"]
    assert states[-1] == "cancelled"
    assert len(table.cancels) == 3


def test_one_that_comes_too_late_meets_an_order_that_is_filled() -> None:
    spot = _spot(Way(1.0, 2.0), stream_s=None)

    async def filled(table: Table) -> None:
        await asyncio.sleep(0.5)
        spot.fill(LIMIT.client_id, 1.0, 90.0)

    table = at_the_desk(_cancelling(filled), spot)
    assert table.states(1)[-1] == "filled"
    assert "cancelled" not in table.states(1)
    assert table.fills(1) == {"1000": 1.0}
    assert len(table.cancels) == 1


def test_the_part_that_was_filled_before_is_told_with_the_end() -> None:
    spot = _spot(stream_s=None)

    async def script(table: Table) -> None:
        table.desk.send([LIMIT])
        await table.until_said(1, "accepted")
        spot.fill(LIMIT.client_id, 0.25, 90.0)
        table.desk.send([cancel(LIMIT)])
        await asyncio.sleep(20.0)  # sooner than the next poll: it is asked for because it is missing

    table = at_the_desk(script, spot)
    assert next(one for one in table.of(1) if one.state == "cancelled").filled == 0.25
    assert table.fills(1) == {"1000": 0.25}


def test_what_passes_is_tried_again_with_waits_that_grow_to_a_minute() -> None:
    busy = Way(instead=Refused(-1008, "overloaded", is_passing=True))
    table = at_the_desk(_cancelling(wait_s=400.0), _spot(*[busy] * 9))
    between = [round(b - a) for a, b in pairwise(table.cancels)]
    assert between == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert table.states(1)[-1] == "cancelled"
    assert table.of(1)[-2].code == 0
    assert next(one for one in table.of(1) if one.state == "cancel_unknown").code == -1008


def test_a_list_is_over_when_both_legs_are() -> None:
    async def script(table: Table) -> None:
        table.desk.send([oco()])
        await table.until_said(2, "accepted", "s")
        await asyncio.sleep(5.0)  # the stream is up, and what it could have missed was asked for
        table.desk.send([cancel(oco())])
        await asyncio.sleep(60.0)

    table = at_the_desk(script, ScriptedSpot(ways=deque([GOOD, Way(0.05, None)]), stream_s=None))
    for leg in "ts":
        assert table.states(2, leg) == ["sent", "accepted", "cancel_sent", "cancel_unknown", "cancelled"]
    assert len(table.cancels) == 1
    assert table.desk.status().unresolved == 0


def test_an_order_that_is_over_gets_no_cancellation() -> None:
    async def script(table: Table) -> None:
        table.desk.send([entry()])
        await table.until_said(1, "filled")
        table.desk.send([cancel(entry())])
        await asyncio.sleep(60.0)

    table = at_the_desk(script)
    assert table.cancels == []
    assert table.states(1)[-1] == "filled"


def test_two_at_once_are_one() -> None:
    async def script(table: Table) -> None:
        table.desk.send([LIMIT])
        await table.until_said(1, "accepted")
        table.desk.send([cancel(LIMIT), cancel(LIMIT)])
        await asyncio.sleep(60.0)

    assert len(at_the_desk(script).cancels) == 1


def test_an_order_whose_answer_is_still_awaited_is_cancelled_once_it_is_there() -> None:
    async def script(table: Table) -> None:
        table.desk.send([LIMIT, cancel(LIMIT)])  # the cancellation arrives first: unknown order
        await asyncio.sleep(120.0)

    table = at_the_desk(script, ScriptedSpot(ways=deque([Way(2.5, 2.6)])))
    assert table.states(1)[-1] == "cancelled"
    assert table.posts == [LIMIT.client_id]
    assert len(table.cancels) > 1
    assert table.spot.orders[LIMIT.client_id].state is OrderState.CANCELLED


def test_one_that_is_found_no_longer_by_its_first_id_is_asked_for_by_its_number() -> None:
    table = at_the_desk(_cancelling(), _spot(Way(0.05, None), stream_s=None, hides_cancelled=True))
    assert table.states(1)[-1] == "cancelled"
    assert table.at_s(1, "cancelled") < 10.0


def test_an_outage_of_all_questions_holds_up_no_cancellation() -> None:
    spot = _spot(*[Way(None, 0.1, Unknown("HTTP 502"))] * 2, outages=[(5.0, 200.0)], stream_s=0.02)
    table = at_the_desk(_cancelling(wait_s=400.0), spot)
    assert table.states(1)[-1] == "cancelled"
    assert table.at_s(1, "cancelled") < 100.0


@pytest.mark.parametrize("code", [-2011, -2015])
def test_a_refusal_says_nothing_of_the_order(code: int) -> None:
    table = at_the_desk(_cancelling(), _spot(Way(instead=Refused(code, "no"))))
    assert table.states(1)[-1] == "cancelled"
    assert len(table.cancels) == 2
    assert [one.code for one in table.of(1) if one.state == "cancel_unknown"] == [] if code == -2011 else [-2015]
