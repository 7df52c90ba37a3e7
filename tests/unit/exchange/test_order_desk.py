"""The desk as a whole: what it takes up after a kill, what it says of itself, how it ends."""

import asyncio
from collections import deque

import pytest

from app.errors import UnavailableError
from app.exchange.order_desk import OrderDesk
from app.exchange.order_reports import Outcome, Refused, Unknown
from app.models.events import AccountSnapshot, Execution
from app.models.intents import Intent
from app.models.orders import OrderState
from tests.order_desks import BTC, TAG, Table, at_the_desk, cancel, entry, oco
from tests.scripted_spot import BEGIN_MS, ScriptedSpot, Way
from tests.virtual_loop import run_virtual


async def _a_while(table: Table) -> None:
    await asyncio.sleep(120.0)
    assert table.desk.status().unresolved == 0


# After a kill.


def test_an_order_that_was_sent_before_the_kill_is_found() -> None:
    def executed(spot: ScriptedSpot) -> None:
        spot.rest(entry().client_id, 1.0, buys=True)
        spot.fill(entry().client_id, 0.25)
        spot.fill(entry().client_id, 0.75)

    table = at_the_desk(_a_while, open_before=[entry()], prepare=executed)
    assert table.states(1) == ["filled"]
    assert table.fills(1) == {"1000": 0.25, "1001": 0.75}
    assert table.posts == []


def test_an_order_that_the_kill_kept_from_being_sent_is_proved_never_to_have_arrived() -> None:
    table = at_the_desk(_a_while, open_before=[entry()])
    assert table.states(1) == ["refused"]
    assert table.of(1)[-1].why.startswith("never arrived: server time")
    assert f"(time stamp {BEGIN_MS + 50})" in table.of(1)[-1].why  # the exchange's time when it was first asked
    assert 13.0 < table.at_s(1, "refused") < 20.0
    assert table.posts == []


def test_one_that_is_under_way_while_the_next_process_starts_is_not_called_dead() -> None:
    def under_way(spot: ScriptedSpot) -> None:
        asyncio.get_running_loop().call_later(2.8, lambda: spot.rest(entry().client_id, 1.0, buys=True))

    table = at_the_desk(_a_while, ScriptedSpot(stream_s=None), open_before=[entry()], prepare=under_way)
    assert table.states(1) == ["accepted"]


def test_what_never_reached_the_tape_was_never_sent() -> None:
    table = at_the_desk(_a_while, open_before=[entry(), oco()], unsent=[entry().client_id, oco().client_id])
    assert table.states(1) == table.states(2, "t") == table.states(2, "s") == table.states(2, "l") == ["refused"]
    assert table.of(1)[0].why.startswith("never sent: ")
    assert table.said[-1][0] == 0.0
    assert table.posts == []


def test_an_unsent_cancellation_is_not_taken_for_an_unsent_order() -> None:
    # One client id for both: the order rests, and only its cancellation was not sent.
    resting = entry(limit=90.0)

    def rests(spot: ScriptedSpot) -> None:
        spot.rest(resting.client_id, 1.0, buys=True)

    both: list[Intent] = [resting, cancel(resting)]
    table = at_the_desk(_a_while, open_before=both, unsent=[resting.client_id], prepare=rests)
    assert "refused" not in table.states(1)
    assert table.states(1)[-1] == "cancelled"


@pytest.mark.parametrize("has_placement", [True, False])
@pytest.mark.parametrize("is_done", [True, False])
def test_a_cancellation_from_before_the_kill_is_ended(is_done: bool, has_placement: bool) -> None:
    def prepared(spot: ScriptedSpot) -> None:
        for leg in (oco().target_id, oco().stop_id):
            spot.rest(leg, 1.0, buys=False, list_id=oco().client_id)
            if is_done:
                spot.end(leg)
        spot.lists[oco().client_id] = oco().target_id, oco().stop_id

    before: list[Intent] = [oco(), cancel(oco())] if has_placement else [cancel(oco())]
    table = at_the_desk(_a_while, open_before=before, prepare=prepared)
    assert table.states(2, "t")[-1] == table.states(2, "s")[-1] == "cancelled"
    assert len(table.cancels) == (0 if is_done else 1)


def test_a_cancelled_order_that_is_found_no_longer_by_its_id_is_gone_after_the_deadline() -> None:
    resting = entry(limit=90.0)

    def gone(spot: ScriptedSpot) -> None:
        spot.rest(resting.client_id, 1.0, buys=True)
        spot.end(resting.client_id)

    both: list[Intent] = [resting, cancel(resting)]
    table = at_the_desk(_a_while, ScriptedSpot(hides_cancelled=True), open_before=both, prepare=gone)
    assert table.states(1)[-1] == "cancelled"
    assert table.of(1)[-1].why.startswith("gone: server time")


def test_a_leg_that_is_found_no_longer_is_gone_with_its_list() -> None:
    def filled(spot: ScriptedSpot) -> None:
        for leg in (oco().target_id, oco().stop_id):
            spot.rest(leg, 1.0, buys=False, list_id=oco().client_id)
        spot.fill(oco().target_id, 1.0, 110.0)
        spot.end(oco().stop_id)

    table = at_the_desk(_a_while, ScriptedSpot(hides_cancelled=True), open_before=[oco()], prepare=filled)
    assert table.states(2, "t") == ["filled"]
    assert table.states(2, "s") == ["cancelled"]
    assert table.states(2, "l") == ["accepted"]


def test_trades_of_the_session_are_said_again_from_its_start_page_for_page() -> None:
    def traded(spot: ScriptedSpot) -> None:
        spot.rest(entry().client_id, 1.0, buys=True)
        for _ in range(5):
            spot.fill(entry().client_id, 0.125)

    table = at_the_desk(_a_while, ScriptedSpot(page=2), prepare=traded)
    assert len(table.fills(1)) == 5
    assert len(table.snapshots[0][1].trades) == 5
    older = at_the_desk(_a_while, ScriptedSpot(), prepare=traded, since_ms=BEGIN_MS + 1)
    assert older.fills(1) == {}


# Of itself.


def test_the_status_tells_what_is_not_known_and_for_how_long() -> None:
    async def script(table: Table) -> None:
        assert table.desk.status().link == "not dialled yet"
        await asyncio.sleep(5.0)
        table.desk.send([entry()])
        await asyncio.sleep(10.0)
        status = table.desk.status()
        assert (status.link, status.unresolved) == ("", 1)
        assert status.oldest_unresolved_s == pytest.approx(10.0)
        assert status.snapshot_ms == table.snapshots[-1][1].time_ms
        await asyncio.sleep(60.0)
        assert table.desk.status()[1:3] == (0, None)

    at_the_desk(script, ScriptedSpot(ways=deque([Way(None, None)])))


def test_times_are_the_exchange_s() -> None:
    async def script(table: Table) -> None:
        await asyncio.sleep(5.0)
        table.desk.send([entry(), oco()])
        await asyncio.sleep(60.0)

    table = at_the_desk(script, ScriptedSpot(ways=deque([Way(0.05, None)])))
    sent = next(one for one in table.of(1) if one.state is OrderState.SENT)
    assert BEGIN_MS + 4_800 <= sent.time_ms <= BEGIN_MS + 5_100
    assert all(BEGIN_MS <= one.time_ms <= BEGIN_MS + 70_000 for _, one in table.said)


def test_a_full_queue_loses_nothing_and_changes_no_order() -> None:
    async def main() -> list[Execution | AccountSnapshot]:
        desk = OrderDesk(ScriptedSpot(), TAG, [BTC], since_ms=BEGIN_MS)
        queue: asyncio.Queue[tuple[Execution | AccountSnapshot, ...]] = asyncio.Queue(1)
        running = asyncio.create_task(desk.run(queue))  # type: ignore[arg-type]
        desk.send([entry(number) for number in range(1, 20)])
        await asyncio.sleep(100.0)
        events: list[Execution | AccountSnapshot] = []
        while sum(isinstance(one, Execution) and one.state is OrderState.FILLED for one in events) < 19:
            events += await queue.get()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return events

    events = run_virtual(main())
    sent = [one.order_id for one in events if isinstance(one, Execution) and one.state is OrderState.SENT]
    assert sent == list(range(1, 20))


# The end.


def test_a_bug_ends_it_loudly() -> None:
    class Broken(ScriptedSpot):
        async def send(self, intent: Intent) -> Outcome:
            raise KeyError("a bug")

    async def script(table: Table) -> None:
        table.desk.send([entry()])
        await asyncio.sleep(60.0)

    with pytest.raises(ExceptionGroup) as caught:
        at_the_desk(script, Broken())
    assert caught.group_contains(KeyError, match="a bug")


def test_cancelled_in_the_middle_of_everything_it_leaves_no_task() -> None:
    async def script(table: Table) -> None:
        table.desk.send([entry(1), entry(2, limit=90.0), oco(3), cancel(entry(2))])
        await asyncio.sleep(1.0)

    spot = ScriptedSpot(ways=deque([Way(None, None), Way(0.05, None)]), outages=[(0.5, 1e9)])
    at_the_desk(script, spot)  # run_virtual raises where a task is left


def test_a_stream_that_ends_or_fails_is_listened_to_again() -> None:
    class Ending(ScriptedSpot):
        tries = 0

        async def listen(self, on_heard, on_link):  # type: ignore[no-untyped-def]
            self.tries += 1
            if self.tries == 1:
                raise UnavailableError("no such host")
            if self.tries > 2:
                await super().listen(on_heard, on_link)

    spot = Ending()

    async def script(table: Table) -> None:
        await asyncio.sleep(20.0)
        assert table.desk.status().link == ""

    table = at_the_desk(script, spot)
    assert table.told[0] == "orders: the user stream is down: no such host"
    assert spot.tries == 3


def test_an_expected_fault_that_a_request_raises_is_unknown_and_no_end() -> None:
    class Raising(ScriptedSpot):
        async def send(self, intent: Intent) -> Outcome:
            await super().send(intent)
            raise UnavailableError("cut")

    async def script(table: Table) -> None:
        table.desk.send([entry()])
        await _a_while(table)

    table = at_the_desk(script, Raising(stream_s=None))
    assert table.states(1) == ["sent", "unknown", "filled"]
    assert Unknown("cut").why in {one.why for one in table.of(1)}


def test_a_process_that_goes_on_takes_a_second_snapshot_when_what_was_refused_is_due_again() -> None:
    async def script(table: Table) -> None:
        await asyncio.sleep(60.0)

    goes_on, begins = (at_the_desk(script, goes_on=one).snapshots for one in (True, False))
    assert 12.0 < goes_on[-1][0] < 14.0
    assert begins[-1][0] < 12.0


async def _protected(table: Table) -> None:
    table.desk.send([oco()])
    await asyncio.sleep(120.0)


def test_an_order_whose_answer_never_comes_is_called_never_arrived_when_the_answer_is_given_up() -> None:
    table = at_the_desk(_protected, ScriptedSpot(ways=deque([Way(None, None)])))
    assert table.states(2, "s") == ["sent", "unknown", "refused"]
    assert 15.0 < table.at_s(2, "refused", "s") < 18.0, "a position without a stop waits for it"


def test_a_refusal_of_what_protects_is_said_again_when_it_is_time_to_try_again() -> None:
    busy = Refused(-1008, "Server is currently overloaded with other requests.", is_passing=True)
    table = at_the_desk(_protected, ScriptedSpot(ways=deque([Way(0.05, 0.1, busy)])))
    said = [(at_s, one) for at_s, one in table.said if (one.state, one.leg) == (OrderState.REFUSED, "l")]
    assert [(one.code, one.is_passing) for _, one in said] == [(-1008, True), (-1008, False)]
    assert said[1][0] - said[0][0] == pytest.approx(12.0, abs=0.1)
    assert said[1][1].time_ms - said[0][1].time_ms >= 11_900, "it tells the time"
    assert said[1][1].why == "refused 12 s ago: Server is currently overloaded with other requests."
    assert table.posts == ["seed1-1-2-l"], "the broker decides whether another one is sent"
