"""Known failures of other trading programs with real orders, each played here against the whole stack.

Sessions run on a virtual clock from the strategy to the testnet's engine; after each of them all that the seeded
sessions hold (tests/real_stack/checks.py) is held, too. The numbers are those of the peers' issues.
"""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from app.exchange.order_times import OrderTimes
from app.models.events import Kill, Stop
from app.models.orders import OrderState, Reason
from app.strategies.base import exit_position, long
from app.trading.exchange_lines import StopPlace
from tests.exchange_books import LIMITS
from tests.real_stack import fates
from tests.real_stack.fates import Call, EventFate, Fate
from tests.real_stack.scripted import NAME, buys, executions, fate_of, longest_gap_s, play, sent, until_minute
from tests.real_stack.session import RealSession

ENTRY = long(stop=95.0, target=110.0)
T_S = 30.0


@pytest.mark.parametrize("fate", [fates.LOST_AFTER, fates.UNANSWERED, fates.CUT, fates.HTML, fates.late_after(20.0)])
def test_an_entry_whose_answer_is_lost_is_known_and_protected(fate: Fate) -> None:
    """freqtrade: a timeout after create leaves an order that the bot does not know of, without a stop for ever."""
    session = play({2: ENTRY}, fate=fate_of(e=fate), script=_silent_stream)
    assert len(sent(session, "e")) == 1
    assert [fill.opens for fill in session.books.fills] == [True, False]
    assert longest_gap_s(session) < T_S


async def _silent_stream(session: RealSession) -> None:
    await asyncio.sleep(20.0)
    session.exchange.is_silent = True


@pytest.mark.parametrize("by", ["kill", "exit"])
@pytest.mark.parametrize(
    "fate",
    [fates.UNANSWERED, fates.VANISHED, fates.late_inside(9.5), fates.unknown(-1007, 504, executed=True)],
)
def test_nothing_is_bought_while_a_forced_exit_is_under_way(fate: Fate, by: str) -> None:
    """freqtrade #228, #4023: it bought again while a forced exit ran."""
    signals = dict.fromkeys(range(2, 9), ENTRY)
    if by == "exit":
        signals[4] = exit_position()
    session = play(
        signals, fate=fate_of(c=fate), command=lambda number: Kill("a test") if by == "kill" and number == 4 else None
    )
    sold_ms = next(one.time_ms for one in session.exchange.account.trades if not one.is_buyer)
    began_s = sent(session, "c")[0]
    sold_s = (sold_ms - session.exchange.now_ms_at_0) / 1000.0
    assert not [at_s for at_s in sent(session, "e") if began_s <= at_s < sold_s]
    assert len(sent(session, "e")) == (1 if by == "kill" else 2), "after a kill none, after an exit a new trade"


@pytest.mark.parametrize("fate", [fates.UNANSWERED, fates.LOST_AFTER, fates.unknown(-1006, 502, executed=True)])
def test_a_stop_that_rests_is_never_called_rejected(fate: Fate) -> None:
    """nautilus #4152, #4411: live stops were declared rejected (INFLIGHT_TIMEOUT) while they rested at the venue."""

    async def script(session: RealSession) -> None:
        session.exchange.is_silent = True
        session.exchange.lag_s = 3.0
        await until_minute(4)
        position = session.books.account.positions[next(iter(session.books.account.positions))]
        assert session.books.broker.lines.stop_place(position) is StopPlace.EXCHANGE

    session = play({2: ENTRY}, fate=fate_of(l=fate), script=script)
    assert len(sent(session, "l")) == 1
    assert not [one for one in executions(session) if one.state is OrderState.REFUSED]


def test_reconciliation_never_invents_a_fill() -> None:
    """nautilus #4739: its reconciliation invented fills to make up for balances that differed."""

    async def script(session: RealSession) -> None:
        await until_minute(3.5)
        session.exchange.engine.adjust("me", "AAA", 7.0, session.exchange.now_ms)  # somebody's deposit
        session.exchange.false_balance = ("X", -15_000.0)  # and a wrong answer
        session.desk.ask_snapshot()
        await until_minute(3.9)
        found = session.books.broker.reconciliation.differences
        assert len(found) == 1
        assert "less" in found[0]
        session.desk.ask_snapshot()
        await until_minute(5.5)
        assert session.books.broker.reconciliation.differences == [], "a deposit is somebody else's"

    session = play({2: ENTRY, 4: exit_position(), 5: ENTRY}, script=script)
    assert Counter(fill.opens for fill in session.books.fills) == {True: 2, False: 2}


def test_after_a_restart_a_position_is_what_the_exchange_has() -> None:
    """nautilus #3104: -65 was read as +75 when it reconciled after a restart."""

    async def script(session: RealSession) -> None:
        await until_minute(4.5)
        before = {line: one.quantity for line, one in session.books.account.positions.items()}
        session.kill("a test")
        await until_minute(5.5)
        after = {line: one.quantity for line, one in session.books.account.positions.items()}
        assert after == before
        assert sum(after.values()) == pytest.approx(float(session.exchange.protection.held[NAME]), abs=1e-3)
        assert len([fill for fill in session.books.fills if not fill.opens]) == 1, "a part was sold before"

    entry = long(stop=95.0, target=110.0, exits={"partial": [{"at_r": 0.4, "fraction": 0.3}]})
    play({2: entry}, rows={4: (100.0, 103.5, 100.0, 103.0)}, script=script)


def test_a_working_order_is_not_dropped_over_a_restart() -> None:
    """nautilus #5000: working orders were dropped when its reconciliation did not find them among the open ones."""

    async def script(session: RealSession) -> None:
        await until_minute(3.3)
        session.exchange.lag_s = 200.0  # open orders and queries of a copy that does not know it
        session.kill("a test")
        await until_minute(4.5)
        assert session.books.account.pending, "it is still waited for"
        session.exchange.lag_s = 0.0

    session = play({2: long(stop=90.0, target=110.0, limit=97.0, valid_candles=6)}, slices=7,
                   rows={5: (100.0, 100.0, 96.0, 99.0)}, script=script)  # fmt: skip
    assert len(sent(session, "e")) == 1
    assert [fill.price for fill in session.books.fills if fill.opens] == [97.0]


def test_an_order_that_is_told_again_and_again_is_one_order() -> None:
    """nautilus #3176: orders were doubled when events came again after a restart."""

    async def script(session: RealSession) -> None:
        session.exchange.event_fate = lambda _batch: EventFate("doubled", copies=5)
        for minute in (3.2, 4.2, 5.2):
            await until_minute(minute)
            session.kill("a test")

    session = play({2: ENTRY}, script=script)
    assert len(session.exchange.own_orders()) == 4, "entry, target, stop and the last sale"
    assert session.met["kills"] == 3


@pytest.mark.parametrize("fate", [fates.late_inside(9.0), replace(fates.late_inside(5.0), answer="lost")])
def test_not_found_is_no_reason_to_send_it_again(fate: Fate) -> None:
    """hummingbot #601, #5502: a few answers of -2013 make an order FAILED, and it is sent again: two positions."""

    async def script(session: RealSession) -> None:
        session.exchange.is_silent, session.exchange.lag_s = True, 3.0

    session = play({2: ENTRY}, fate=fate_of(e=fate), script=script)
    assert len(sent(session, "e")) == 1
    assert len(buys(session)) == 1


def test_refused_orders_halt_entries_after_a_few() -> None:
    """hummingbot #462: 100,000 refused orders in a day."""

    def refuse(call: Call) -> Fate:
        is_entry = call.method == "POST" and call.leg == "e"
        return fates.refused(-2010, "Account has insufficient balance.") if is_entry else fates.GOOD

    limits = type(LIMITS)(max_order_notional=None, max_daily_orders=None, refusals_in_a_row=5)
    session = play(dict.fromkeys(range(2, 60), ENTRY), slices=60, fate=refuse, limits=limits)
    assert len(sent(session, "e")) == 5
    assert session.books.safety.halted


def test_an_unknown_order_is_not_sent_again_although_it_was_accepted() -> None:
    """nautilus #4215: it sent again after -1007 although the order had been accepted."""
    session = play({2: ENTRY}, fate=fate_of(e=fates.unknown(-1007, 504, executed=True)))
    assert len(sent(session, "e")) == len(buys(session)) == 1
    assert longest_gap_s(session) < 5.0


def test_a_warm_restart_leaves_position_and_protection_alone() -> None:
    """nautilus #4736: a cached Binance position was flattened at a warm restart."""
    resting: list[list[int]] = []

    async def script(session: RealSession) -> None:
        await until_minute(3.5)
        resting.append([one.order_id for one in session.exchange.account.open_orders()])
        session.kill("a test")
        await until_minute(6.5)
        resting.append([one.order_id for one in session.exchange.account.open_orders()])

    session = play({2: ENTRY}, script=script)
    assert resting[0] == resting[1]
    assert len(resting[0]) == 2
    assert len(sent(session, "c")) == 1, "the sale at the end of the session"


def test_a_fill_has_the_same_id_at_each_start() -> None:
    """nautilus #3878: fills were given other trade ids at each start, so they counted again."""

    async def script(session: RealSession) -> None:
        for minute in (3.5, 4.5, 5.5):
            await until_minute(minute)
            session.kill("a test")

    session = play({2: ENTRY}, script=script)
    told = [one for one in executions(session) if one.quantity > 0.0 and one.leg == "e"]
    assert len(told) >= 4, "told again at each start"
    assert len({(one.fill_id, one.price, one.quantity) for one in told}) == 1
    assert sum(fill.opens for fill in session.books.fills) == 1


def test_a_market_order_is_booked_at_the_exchange_s_price() -> None:
    """nautilus #5054: a market order was filled at a stale midnight price."""
    session = play({3: ENTRY}, rows={4: (104.0, 104.0, 104.0, 104.0)})  # decided at 100, and the market went on
    opened = session.books.fills[0]
    assert opened.price == float(session.exchange.account.trades[0].price) == pytest.approx(104.0, rel=0.001)


def test_a_stop_that_keeps_positions_sells_nothing() -> None:
    """hummingbot #8018: `stop` sold at market against `keep_position`."""
    session = play({2: ENTRY}, end=Stop("a test"), flattens=False, is_flat=False)
    assert session.books.account.positions
    assert sent(session, "c") == []
    assert len(session.exchange.account.open_orders()) == 2, "target and stop stay at the exchange"


def test_a_user_stream_that_is_dead_is_made_good_by_asking() -> None:
    """hummingbot #8035: the user stream was dead with HTTP 410, for the listen key is retired."""

    async def script(session: RealSession) -> None:
        session.exchange.takes_dials = False
        session.exchange.cut_stream()

    rows = {4: (100.0, 100.0, 94.0, 96.0)}
    session = play({2: ENTRY}, rows=rows, script=script)
    assert not [call for _, call, _ in session.exchange.calls if "userDataStream" in call.path]
    stopped = [fill for fill in session.books.fills if fill.reason is Reason.STOP_LOSS]
    assert len(stopped) == 1
    heard_s = next(one.at_s for one in session.tape if b'"leg":"s"' in one.event and b'"fill_id"' in one.event)
    traded_s = (stopped[0].time_ms - session.exchange.now_ms_at_0) / 1000.0
    assert heard_s - traded_s < OrderTimes().poll_s + 2.0


def test_a_stop_fills_once() -> None:
    """freqtrade #12824: its dry run created stop fills without end."""

    async def script(session: RealSession) -> None:
        session.exchange.event_fate = lambda _batch: EventFate("doubled", copies=4)
        for minute in (5.2, 6.2):
            await until_minute(minute)
            session.kill("a test")

    session = play({2: ENTRY}, rows={4: (100.0, 100.0, 94.0, 96.0)}, script=script)
    assert [fill.reason for fill in session.books.fills if not fill.opens] == [Reason.STOP_LOSS]


@pytest.mark.parametrize(
    ("fate", "most_s"), [(fates.GOOD, 0.5), (fates.UNANSWERED, T_S), (fates.VANISHED, T_S), (fates.LOST_AFTER, T_S)]
)
@pytest.mark.parametrize("faulty", ["l", "cancel_l"])
def test_a_stop_that_is_moved_leaves_a_gap_that_is_bounded(faulty: str, fate: Fate, most_s: float) -> None:
    """freqtrade #5451: trailing on the exchange is cancel, then create, with a gap that nobody bounds."""
    entry = long(stop=95.0, target=130.0, exits={"trailing": {"distance_r": 0.5}})
    rows = {place: (98.0 + place, 99.5 + place, 97.9 + place, 99.0 + place) for place in range(3, 10)}
    hits = fate_of(**{faulty: fate})
    moved = {"after": 150.0}

    def later(call: Call) -> Fate:
        return hits(call) if asyncio.get_running_loop().time() > moved["after"] else fates.GOOD

    session = play({2: entry}, rows=rows, fate=later, slices=9)
    assert len(sent(session, "l")) >= 4, "the stop was moved"
    assert longest_gap_s(session) <= most_s
