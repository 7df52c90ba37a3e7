"""What is said of an order that is placed: by its answer, by the stream, by asking, and by the proof that it cannot be.

The rule: whatever happens to a message, one request to place, no order taken for dead that lives, no fill lost.
"""

import asyncio
from collections import deque

import pytest

from app.exchange.order_reports import OrderReport, Refused, Unknown
from app.exchange.order_times import OrderTimes
from app.exchange.placements import RequestError
from app.models.intents import Intent
from tests.order_desks import BTC, Table, at_the_desk, cancel, entry, oco
from tests.scripted_spot import BEGIN_MS, ScriptedSpot, Way

LOST_BEFORE, LOST_AFTER = Way(None, None), Way(0.05, None)
SETTLED_S = 120.0


async def _one_entry(table: Table) -> None:
    table.desk.send([entry()])
    await asyncio.sleep(SETTLED_S)


async def _one_oco(table: Table) -> None:
    table.desk.send([oco()])
    await asyncio.sleep(SETTLED_S)


def _spot(*ways: Way, **options: object) -> ScriptedSpot:
    return ScriptedSpot(ways=deque(ways), **options)  # type: ignore[arg-type]


def test_a_market_order_that_goes_well() -> None:
    table = at_the_desk(_one_entry)
    assert table.states(1) == ["sent", "accepted", "filled"]
    fill = next(one for one in table.of(1) if one.fill_id)
    assert (fill.fill_id, fill.quantity, fill.price, fill.fee, fill.fee_asset) == ("1000", 1.0, 100.0, 0.001, "BTC")
    assert fill.commission == pytest.approx(0.1)
    assert table.of(1)[-1].filled == 1.0 or table.of(1)[-1].fill_id
    assert table.posts == ["seed1-1-1-e"]


@pytest.mark.parametrize("is_passing", [False, True])
def test_a_refusal_is_said_with_its_code_and_not_tried_again(is_passing: bool) -> None:
    table = at_the_desk(_one_entry, _spot(Way(instead=Refused(-2010, "no money", is_passing=is_passing))))
    assert table.states(1) == ["sent", "refused"]
    assert (table.of(1)[-1].code, table.of(1)[-1].why) == (-2010, "no money")
    assert table.posts == ["seed1-1-1-e"]


@pytest.mark.parametrize(
    ("way", "states"),
    [
        (Way(), ["sent", "accepted"]),
        (Way(instead=Refused(-2010, "would trigger")), ["sent", "refused"]),
        (LOST_AFTER, ["sent", "accepted"]),
        (LOST_BEFORE, ["sent", "unknown", "refused"]),
    ],
)
@pytest.mark.parametrize("leg", ["l", "t", "s"])
def test_a_list_is_said_for_itself_and_for_each_leg(way: Way, states: list[str], leg: str) -> None:
    table = at_the_desk(_one_oco, _spot(way))
    assert list(dict.fromkeys(table.states(2, leg))) == states
    assert table.posts == ["seed1-1-2-l"]


def test_the_same_order_is_never_sent_twice() -> None:
    async def again(table: Table) -> None:
        table.desk.send([entry()])
        with pytest.raises(RequestError, match="seed1-1-1-e would be sent twice"):
            table.desk.send([entry()])
        await table.until_said(1, "filled")

    assert at_the_desk(again).posts == ["seed1-1-1-e"]


# An answer that does not come.


def test_an_answer_that_is_lost_costs_as_long_as_asking_takes() -> None:
    table = at_the_desk(_one_entry, _spot(LOST_AFTER, stream_s=None))
    assert table.states(1) == ["sent", "filled"]
    assert table.at_s(1, "filled") < 3.0
    assert any(one.why.startswith("found by its id: filled (1.0 of 1.0)") for one in table.of(1))
    assert table.fills(1) == {"1000": 1.0}
    assert table.posts == ["seed1-1-1-e"]


def test_an_order_that_never_arrived_is_called_so_after_its_deadline_with_the_evidence() -> None:
    async def later(table: Table) -> None:
        await asyncio.sleep(1.0)  # the stream is up
        await _one_entry(table)

    table = at_the_desk(later, _spot(Way(None, 0.1, Unknown("HTTP 503"))))
    assert table.states(1) == ["sent", "unknown", "refused"]
    last = table.of(1)[-1]
    assert 14.0 < table.at_s(1, "refused") < 15.0, "as soon as the deadline is past, and not before"
    assert last.code == 1, "the broker's word for it"
    assert last.why.startswith("never arrived: server time ")
    assert f"deadline {BEGIN_MS + 14_000} (time stamp {BEGIN_MS + 1_000})" in last.why
    assert "absent from the query by id, from 0 trades since" in last.why
    assert "from the stream, which was up all the time" in last.why
    assert table.posts == ["seed1-1-1-e"]


@pytest.mark.parametrize("late_ms", [10_000, 0])
def test_not_found_before_the_deadline_proves_nothing(late_ms: int) -> None:
    # The exchange shows the order only 9 s after it was made, as users of a peer saw it: not found, not found, there.
    # A deadline that is too early (0) takes it for dead, and this test shows that it would.
    spot = _spot(Way(2.9, 0.1, Unknown("HTTP 504")), shown_late_s=9.0, stream_s=None)
    table = at_the_desk(_one_entry, spot, waits=OrderTimes(late_ms=late_ms))
    assert ("refused" in table.states(1)) is (late_ms == 0)
    assert table.states(1)[-1] == "filled"  # said also where the inference was wrong: the broker has to know
    assert table.fills(1) == {"1000": 1.0}
    assert table.posts == ["seed1-1-1-e"]


def test_the_deadline_is_the_exchange_s_clock_and_not_ours() -> None:
    # The exchange's clock stands 40 s behind what it was at sending: a minute of ours proves nothing.
    spot = _spot(Way(None, 0.1, Unknown("HTTP 503")))

    async def with_slow_clock(table: Table) -> None:
        table.desk.send([entry()])
        await asyncio.sleep(1.0)
        spot.server_skew_ms = -40_000
        await asyncio.sleep(SETTLED_S)

    table = at_the_desk(with_slow_clock, spot)
    assert 53.0 < table.at_s(1, "refused") < 90.0


def test_an_absence_by_id_from_before_the_deadline_is_asked_for_again() -> None:
    # The server's clock is past the deadline at once; the first query after it finds the order.
    spot = _spot(Way(0.05, 0.1, Unknown("HTTP 503")), shown_late_s=1.9, stream_s=None, server_skew_ms=60_000)
    table = at_the_desk(_one_entry, spot)
    assert table.states(1) == ["sent", "unknown", "filled"]


def test_trades_of_it_prove_that_it_arrived() -> None:
    class Forgetful(ScriptedSpot):
        async def order(self, symbol: str, client_id: str) -> None:
            await self._ask(f"order {client_id}")

    spot = Forgetful(ways=deque([Way(0.05, 0.1, Unknown("HTTP 503"))]), stream_s=None)
    table = at_the_desk(_one_entry, spot)
    assert "refused" not in table.states(1)
    assert table.fills(1) == {"1000": 1.0}
    assert table.states(1)[-1] == "filled"  # asked for by the number that the trade told


def test_after_a_break_of_the_stream_the_proof_asks_for_all_that_it_would_have_told() -> None:
    spot = _spot(Way(None, 0.1, Unknown("HTTP 503")))

    async def cut(table: Table) -> None:
        await asyncio.sleep(5.0)
        table.desk.send([entry()])
        await asyncio.sleep(1.0)
        spot.cut()
        await table.until_said(1, "refused")

    table = at_the_desk(cut, spot)
    assert "the stream, which was not up all the time, may have missed" in table.of(1)[-1].why


def test_nothing_is_concluded_while_nothing_is_answered() -> None:
    spot = _spot(Way(None, 0.1, Unknown("HTTP 503")), outages=[(1.0, 300.0)])

    async def long(table: Table) -> None:
        table.desk.send([entry()])
        await table.until_said(1, "refused")

    table = at_the_desk(long, spot)
    assert table.at_s(1, "refused") > 300.0
    assert table.told
    assert len(table.told) < 30


def test_a_request_that_hangs_for_ever_is_unknown() -> None:
    spot = _spot(LOST_AFTER, answer_s=1e6, stream_s=None, shown_late_s=30.0)
    table = at_the_desk(_one_entry, spot)
    assert table.states(1) == ["sent", "unknown", "filled"]
    assert table.at_s(1, "unknown") == 17.0


# What comes in another order, twice, or beside the answer.


@pytest.mark.parametrize("is_backwards", [False, True])
@pytest.mark.parametrize("copies", [1, 2])
def test_the_stream_may_be_quicker_than_the_answer(is_backwards: bool, copies: int) -> None:
    spot = _spot(Way(0.05, 10.0), stream_backwards=is_backwards, stream_copies=copies)
    table = at_the_desk(_one_entry, spot)
    states = table.states(1)
    assert states.count("filled") == 1
    assert states[-1] == "filled"
    assert "unknown" not in states
    assert table.fills(1) == {"1000": 1.0}


def test_a_refusal_that_the_stream_tells_first_is_said_once_with_the_answer_s_code() -> None:
    spot = _spot(Way(0.05, 0.5, Refused(-2010, "no money")))

    async def rejected(table: Table) -> None:
        await asyncio.sleep(1.0)
        table.desk.send([entry()])
        await asyncio.sleep(0.1)
        spot.rejected("seed1-1-1-e")
        await asyncio.sleep(SETTLED_S)

    table = at_the_desk(rejected, spot)
    assert [(one.state.value, one.code) for one in table.of(1)] == [("sent", 0), ("refused", -2010)]


def test_a_refusal_that_only_the_stream_tells() -> None:
    spot = _spot(LOST_BEFORE)

    async def rejected(table: Table) -> None:
        await asyncio.sleep(1.0)
        table.desk.send([entry()])
        await asyncio.sleep(0.1)
        spot.rejected("seed1-1-1-e")
        await asyncio.sleep(SETTLED_S)

    table = at_the_desk(rejected, spot)
    assert table.states(1) == ["sent", "refused"]
    assert table.of(1)[-1].why.startswith("by the stream: refused")


def test_an_answer_without_reports_is_asked_for() -> None:
    table = at_the_desk(_one_entry, _spot(Way(is_bare=True), stream_s=None))
    assert table.states(1) == ["sent", "accepted", "filled"]
    assert table.fills(1) == {"1000": 1.0}


def test_a_refusal_of_an_order_that_exists_is_no_refusal() -> None:
    # As "Duplicate order sent." is for a request that the network doubled.
    spot = _spot(Way(0.05, 3.0, Refused(-2010, "Duplicate order sent."), executes=True))
    table = at_the_desk(_one_entry, spot)
    assert table.states(1)[-1] == "filled"
    assert "refused" not in table.states(1)
    assert table.told == ["orders: seed1-1-1-e exists, and the answer refuses it: Duplicate order sent."]


def test_a_leg_that_was_filled_without_an_answer_ends_its_list() -> None:
    spot = _spot(LOST_AFTER, stream_s=None)

    async def filled(table: Table) -> None:
        table.desk.send([oco()])
        await asyncio.sleep(1.0)
        spot.fill("seed1-1-2-t", 1.0, 110.0)
        await asyncio.sleep(SETTLED_S)

    table = at_the_desk(filled, spot)
    assert table.states(2, "t") == ["sent", "accepted", "filled"]
    assert table.states(2, "s") == ["sent", "accepted", "expired"]
    assert table.states(2, "l") == ["sent", "accepted"]
    assert table.fills(2, "t") == {"1000": 1.0}


def test_orders_go_out_in_their_order_and_none_waits_for_another() -> None:
    async def three(table: Table) -> None:
        table.desk.send([entry(1), entry(2), oco(3)])
        await table.until_said(3, "accepted", "l")

    table = at_the_desk(three, _spot(Way(0.05, 14.0)))
    assert table.posts == ["seed1-1-1-e", "seed1-1-2-e", "seed1-1-3-l"]
    assert table.at_s(3, "accepted", "l") < 1.0


def test_a_cancellation_of_an_order_that_never_arrived_ends_with_it() -> None:
    async def both(table: Table) -> None:
        table.desk.send([entry(limit=90.0), cancel(entry())])
        await asyncio.sleep(SETTLED_S)

    table = at_the_desk(both, _spot(LOST_BEFORE))
    assert table.states(1)[-1] == "cancelled"
    assert table.of(1)[-1].why.startswith("gone: server time")
    assert table.desk.status().unresolved == 0
    assert table.posts == [entry().client_id]
    assert table.spot.asked.count(f"trades {BTC}") > 1


def test_the_trades_of_the_proof_are_asked_for_page_by_page() -> None:
    spot = _spot(Way(None, 0.1, Unknown("HTTP 503")), page=2)

    async def busy(table: Table) -> None:
        spot.rest("web_1", 10.0, buys=True)
        for _ in range(5):
            spot.fill("web_1", 1.0)
        await _one_entry(table)

    assert "from 5 trades since" in at_the_desk(busy, spot).of(1)[-1].why


def test_a_cancelled_order_with_trades_that_is_found_nowhere_is_not_called_gone() -> None:
    class Forgetful(ScriptedSpot):
        async def order(self, symbol: str, client_id: str) -> None:
            await self._ask(f"order {client_id}")

        async def order_by_exchange_id(self, symbol: str, exchange_id: int) -> OrderReport | None:
            found = await super().order_by_exchange_id(symbol, exchange_id)
            return found if self.asked.count(f"number {exchange_id}") == 1 else None  # whose the trade is, and no more

    def filled(spot: ScriptedSpot) -> None:
        spot.rest(entry().client_id, 1.0, buys=True)
        spot.fill(entry().client_id, 0.5)
        spot.end(entry().client_id)

    async def wait(table: Table) -> None:
        await asyncio.sleep(SETTLED_S)
        assert table.desk.status().unresolved > 0

    before: list[Intent] = [entry(limit=90.0), cancel(entry())]
    table = at_the_desk(wait, Forgetful(stream_s=None), open_before=before, prepare=filled)
    assert table.fills(1) == {"1000": 0.5}
    assert not {"cancelled", "refused"} & set(table.states(1))
