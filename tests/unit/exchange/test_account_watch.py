"""What is found without the stream, and snapshots that hold exactly what was said before them."""

import asyncio
from collections import deque

import pytest

from app.exchange.order_times import DEFAULT_TIMES
from app.models.events import AccountSnapshot
from app.models.orders import OrderState
from tests.order_desks import BTC, Table, at_the_desk, entry, oco
from tests.scripted_spot import BEGIN_MS, ScriptedSpot, Way

LIMIT = entry(limit=90.0)


def test_a_silent_stream_is_made_good_by_the_poll() -> None:
    spot = ScriptedSpot(stream_s=None)

    async def script(table: Table) -> None:
        table.desk.send([LIMIT, oco()])
        await table.until_said(2, "accepted", "s")
        await asyncio.sleep(5.0)
        spot.fill(LIMIT.client_id, 0.5, 90.0)
        spot.fill("seed1-1-2-s", 1.0, 89.0)
        await asyncio.sleep(32.0)

    table = at_the_desk(script, spot)
    assert table.fills(1) == {"1000": 0.5}
    assert table.states(1)[-1] == "partly_filled"
    assert table.states(2, "s")[-1] == "filled"
    assert table.states(2, "t")[-1] == "expired"


def test_a_stream_that_was_cut_is_made_good_when_it_is_back() -> None:
    spot = ScriptedSpot()

    async def script(table: Table) -> None:
        table.desk.send([LIMIT])
        await table.until_said(1, "accepted")
        await asyncio.sleep(5.0)
        spot.cut(up_again_s=2.0)
        await asyncio.sleep(1.0)
        spot.fill(LIMIT.client_id, 1.0, 90.0)
        assert table.desk.status().link == "cut"
        await asyncio.sleep(2.0)
        assert table.desk.status().link == ""

    table = at_the_desk(script, spot)
    assert table.states(1)[-1] == "filled"
    assert table.fills(1) == {"1000": 1.0}
    assert table.told == ["orders: the user stream is down: cut"]


def test_trades_come_in_pages_and_each_is_said() -> None:
    spot = ScriptedSpot(stream_s=None, page=2)

    async def script(table: Table) -> None:
        table.desk.send([LIMIT])
        await table.until_said(1, "accepted")
        await asyncio.sleep(5.0)
        for _ in range(7):
            spot.fill(LIMIT.client_id, 0.125, 90.0)
        await asyncio.sleep(35.0)
        assert table.fills(1) == {str(1000 + n): 0.125 for n in range(7)}
        asked = len(spot.asked)
        await asyncio.sleep(DEFAULT_TIMES.poll_s + 5.0)
        later = [one for one in spot.asked[asked:] if one.startswith("trades")]
        assert set(later) == {f"trades {BTC} 1007"}
        assert len(later) <= 2, "a page each time"

    at_the_desk(script, spot)


def test_a_report_that_tells_more_than_the_trades_has_them_asked_for() -> None:
    # The stream tells the end of an order and loses its trade.
    class Lossy(ScriptedSpot):
        def _tell(self, on_heard, one):  # type: ignore[no-untyped-def]
            if not hasattr(one, "trade_id"):
                super()._tell(on_heard, one)

    spot = Lossy(shown_late_s=2.0)

    async def script(table: Table) -> None:
        table.desk.send([LIMIT])
        await table.until_said(1, "accepted")
        await asyncio.sleep(5.0)
        spot.fill(LIMIT.client_id, 1.0, 90.0)
        await asyncio.sleep(10.0)

    assert at_the_desk(script, spot).fills(1) == {"1000": 1.0}


def test_a_trade_that_the_history_shows_late_is_found_though_a_later_one_was_shown() -> None:
    class Late(ScriptedSpot):
        async def trades(self, symbol, from_trade_id, since_ms=None):  # type: ignore[no-untyped-def]
            shown = await super().trades(symbol, from_trade_id, since_ms)
            return [one for one in shown if one.trade_id != 1000 or self.now_s > 60.0]

    spot = Late(stream_s=None)

    async def script(table: Table) -> None:
        table.desk.send([LIMIT])
        await table.until_said(1, "accepted")
        spot.fill(LIMIT.client_id, 0.5, 90.0)
        spot.fill(LIMIT.client_id, 0.25, 90.0)
        await asyncio.sleep(150.0)

    assert at_the_desk(script, spot).fills(1) == {"1000": 0.5, "1001": 0.25}


def test_what_was_said_is_not_said_again_because_the_history_is_asked_again() -> None:
    # An order lacks a trade for good: the whole history is asked for again and again, and floods no tape.
    class Forgetful(ScriptedSpot):
        async def trades(self, symbol, from_trade_id, since_ms=None):  # type: ignore[no-untyped-def]
            shown = await super().trades(symbol, from_trade_id, since_ms)
            return [one for one in shown if one.trade_id != 1002]

    spot = Forgetful(stream_s=None)

    async def script(table: Table) -> None:
        table.desk.send([LIMIT])
        await table.until_said(1, "accepted")
        for _ in range(3):
            spot.fill(LIMIT.client_id, 0.25, 90.0)
        await asyncio.sleep(300.0)
        assert spot.asked.count(f"trades {BTC}") > 5

    table = at_the_desk(script, spot)
    assert [one.fill_id for one in table.of(1) if one.fill_id] == ["1000", "1001"]


# Snapshots.


def test_a_snapshot_at_the_start_after_each_break_at_intervals_and_on_request() -> None:
    spot = ScriptedSpot()

    async def script(table: Table) -> None:
        await asyncio.sleep(5.0)
        at_start = len(table.snapshots)
        assert at_start in (1, 2)  # and one when the stream came up
        spot.cut(up_again_s=1.0)
        await asyncio.sleep(5.0)
        assert len(table.snapshots) == at_start + 1
        table.desk.ask_snapshot()
        await asyncio.sleep(2.0)
        assert len(table.snapshots) == at_start + 2
        await asyncio.sleep(310.0)
        assert len(table.snapshots) == at_start + 3

    table = at_the_desk(script, spot)
    windows = [(one.since_ms, one.time_ms) for _, one in table.snapshots]
    assert windows[0][0] == BEGIN_MS
    assert [since for since, _ in windows[1:]] == [until for _, until in windows[:-1]]


def test_while_a_symbol_is_not_trading_each_poll_is_a_snapshot() -> None:
    spot = ScriptedSpot(halted=(BTC,))

    async def script(table: Table) -> None:
        await asyncio.sleep(5.0)
        at_start = list(spot.asked).count("not trading")
        await asyncio.sleep(DEFAULT_TIMES.poll_s + 5.0)
        assert list(spot.asked).count("not trading") == at_start + 1
        spot.halted = ()
        await asyncio.sleep(3.0 * DEFAULT_TIMES.poll_s)
        assert list(spot.asked).count("not trading") == at_start + 2, "one shows that it trades again, and is the last"

    at_the_desk(script, spot)


def test_a_snapshot_holds_what_was_said_before_it() -> None:
    # A fill between the question for trades and the one for balances: the balances have it, so it must be said first.
    spot = ScriptedSpot(stream_s=None)

    async def script(table: Table) -> None:
        table.desk.send([entry(), entry(2, limit=90.0)])
        await table.until_said(2, "accepted")
        await asyncio.sleep(5.0)
        parts = [0.25, 0.25]
        spot.on_balances = lambda: spot.fill("seed1-1-2-e", parts.pop(), 90.0) if parts else None
        table.desk.ask_snapshot()
        await asyncio.sleep(10.0)
        assert not parts

    table = at_the_desk(script, spot)
    held, listed = 0.0, dict[str, float]()
    said: dict[str, float] = {}
    for event in table.order:
        if isinstance(event, AccountSnapshot):
            held = event.balances["BTC"]
            listed |= {trade.fill_id: trade.quantity for trade in event.trades}
            assert held == sum(said.values())
            assert listed == said
        elif event.fill_id:
            said[event.fill_id] = event.quantity
    assert held == 1.5


def test_a_history_that_lags_behind_the_stream_is_waited_for() -> None:
    spot = ScriptedSpot(shown_late_s=1.5)

    async def script(table: Table) -> None:
        await asyncio.sleep(5.0)
        table.desk.send([entry()])
        await table.until_said(1, "filled")
        table.desk.ask_snapshot()
        await asyncio.sleep(10.0)

    last = at_the_desk(script, spot).snapshots[-1][1]
    assert [trade.fill_id for trade in last.trades] == ["1000"]
    assert last.balances == {"BTC": 1.0, "USDT": 9_900.0}


def test_a_fill_that_the_history_does_not_have_is_no_reason_to_be_silent_for_ever() -> None:
    spot = ScriptedSpot(shown_late_s=1e6)

    async def script(table: Table) -> None:
        await asyncio.sleep(5.0)
        table.desk.send([entry()])
        await table.until_said(1, "filled")
        table.desk.ask_snapshot()
        await asyncio.sleep(30.0)

    last = at_the_desk(script, spot).snapshots[-1][1]
    assert last.trades == ()
    assert last.balances["BTC"] == 1.0


def test_orders_of_others_are_counted_and_left_alone() -> None:
    spot = ScriptedSpot(halted=("XRP/USDT", BTC))

    async def script(table: Table) -> None:
        await asyncio.sleep(5.0)
        spot.rest("web_1", 1.0, buys=True)
        spot.rest("other-1-1-e", 1.0, buys=True)
        spot.fill("web_1", 0.5)
        table.desk.send([LIMIT])
        await table.until_said(1, "accepted")
        table.desk.ask_snapshot()
        await asyncio.sleep(40.0)

    table = at_the_desk(script, spot)
    last = table.snapshots[-1][1]
    assert (last.foreign_orders, last.open_orders, last.not_trading) == (2, (LIMIT.client_id,), (BTC,))
    assert last.trades == ()
    assert {one.order_id for _, one in table.said} == {1}
    assert table.desk.status().foreign == 2
    assert len(table.told) == 1
    assert table.cancels == []


def test_an_order_that_the_exchange_forgot_is_told_and_shown_by_the_snapshot() -> None:
    spot = ScriptedSpot()

    async def script(table: Table) -> None:
        table.desk.send([LIMIT])
        await table.until_said(1, "accepted")
        await asyncio.sleep(5.0)
        spot.orders.clear()
        table.desk.ask_snapshot()
        await asyncio.sleep(30.0)

    table = at_the_desk(script, spot)
    assert table.snapshots[-1][1].open_orders == ()
    assert table.states(1) == ["sent", "accepted"]
    assert any("was open, and the exchange knows it no longer" in line for line in table.told)


@pytest.mark.parametrize("state", [OrderState.CANCELLED, OrderState.EXPIRED])
def test_an_end_that_nobody_asked_for_is_heard(state: OrderState) -> None:
    spot = ScriptedSpot(ways=deque([Way()]), stream_s=None)

    async def script(table: Table) -> None:
        table.desk.send([oco()])
        await table.until_said(2, "accepted", "s")
        spot.end("seed1-1-2-t", state)
        spot.end("seed1-1-2-s", state)
        await asyncio.sleep(35.0)

    table = at_the_desk(script, spot)
    assert table.states(2, "s")[-1] == table.states(2, "t")[-1] == state.value
