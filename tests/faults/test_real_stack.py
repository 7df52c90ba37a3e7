"""Faults against the whole stack of real orders: what may be called never arrived, and when what was refused is tried
again. Sessions run on a virtual clock; after each of them all that the seeded sessions hold is held, too.
"""

from dataclasses import replace

import pytest

from app.exchange.order_times import OrderTimes
from app.models.events import AccountSnapshot, Execution, Halt
from app.models.orders import Reason
from app.strategies.base import exit_position, long
from app.testnet.exchange_variants import Variants
from tests.real_stack import fates
from tests.real_stack.fates import Fate
from tests.real_stack.scripted import buys, executions, fate_of, longest_gap_s, play, sent, until_minute
from tests.real_stack.session import RealSession, _decode

ENTRY = long(stop=95.0, target=110.0)
T_S = 30.0


# What is called never arrived.


async def _says_nothing(session: RealSession) -> None:
    session.exchange.is_silent = True


@pytest.mark.parametrize("held", [fates.cut_while_inside(12.9), replace(fates.late_inside(12.9), answer="lost")])
def test_a_request_that_was_held_for_long_is_not_called_never_arrived(held: Fate) -> None:
    """The exchange may hold what arrived in its window for 10 s, and it is executed then."""
    session = play({2: ENTRY}, fate=fate_of(e=held), script=_says_nothing)
    assert not [one for one in executions(session) if "never arrived" in one.why]
    assert len(buys(session)) == 1
    assert longest_gap_s(session) < T_S


def test_a_deadline_that_is_too_early_is_found_out() -> None:
    """The same, and the order is taken for dead after 8 s: what every session is held to does not hold then."""
    with pytest.raises(AssertionError, match="a fill of an order that was over"):
        play(
            {2: ENTRY}, fate=fate_of(e=fates.cut_while_inside(12.9)), waits=OrderTimes(late_ms=5_000),
            script=_says_nothing,
        )  # fmt: skip


def test_an_order_that_never_arrived_is_called_so_with_its_evidence_on_the_tape() -> None:
    session = play({2: ENTRY, 4: ENTRY}, fate=fate_of(e=fates.LOST_BEFORE))
    said = [(record.at_s, event) for record in session.tape
            if isinstance(event := _decode(record.event), Execution) and "never arrived" in event.why]  # fmt: skip
    assert len(said) == 1
    sent_s = sent(session, "e")[0]
    assert 13.0 < said[0][0] - sent_s < 16.0
    assert session.met["never arrived"] == 1, "with server time, deadline and what it is absent from"
    assert len(buys(session)) == 1, "the second entry, a new order of its own"


def test_a_halt_keeps_the_protection() -> None:
    """A halt is no kill: positions and their stops stay at the exchange."""
    session = play({2: ENTRY, 5: ENTRY}, command=lambda number: Halt("a test") if number == 3 else None)
    snapshots = [one for record in session.tape if isinstance(one := _decode(record.event), AccountSnapshot)]
    assert snapshots
    assert len(sent(session, "e")) == 1
    assert len(sent(session, "c")) == 1, "the sale at the end of the session"


# Found by the seeded sessions.


def test_what_protects_an_entry_does_not_wait_for_the_refusal_of_the_entry_before() -> None:
    """A refusal that may pass makes protection wait for 10 s; that of an entry says nothing about it."""

    busy = fates.refused(-1021, "Timestamp for this request is outside of the recvWindow.")

    async def script(session: RealSession) -> None:
        await until_minute(1.1)
        session.exchange.jump(109_000)  # candle 2 comes late, a moment before candle 3
        session.desk.ask_snapshot()  # and the desk learns what time it is

    session = play({2: ENTRY, 3: ENTRY}, fate=fate_of(e=busy), script=script)
    assert len(sent(session, "e")) == 2
    assert longest_gap_s(session) < 1.0


@pytest.mark.parametrize("leg", ["l", "c"])
@pytest.mark.parametrize(
    "refusal",
    [
        fates.refused(-1008, "Server is currently overloaded with other requests.", 503),
        fates.refused(-1003, "Too much request weight used.", 429, **{"retry-after": "3"}),
        fates.refused(-1021, "Timestamp for this request is outside of the recvWindow."),
        fates.refused(-1013, "Market is closed."),
    ],
)
def test_a_refusal_that_may_pass_is_tried_again_without_waiting_for_a_candle(refusal: Fate, leg: str) -> None:
    """It is no reason to sell either: the position is protected, or closed as it was to be, a little later."""
    session = play({2: ENTRY, 4: exit_position()}, fate=fate_of(**{leg: refusal}))
    assert 10.0 < longest_gap_s(session) < 15.0
    assert [fill.reason for fill in session.books.fills if not fill.opens] == [Reason.SIGNAL_EXIT]


def test_a_refusal_is_tried_again_although_the_process_was_killed_meanwhile() -> None:
    async def script(session: RealSession) -> None:
        await until_minute(2.02)
        session.kill("a test")

    busy = fates.refused(-1008, "Server is currently overloaded with other requests.", 503)
    session = play({2: ENTRY}, fate=fate_of(l=busy), script=script)
    assert longest_gap_s(session) < 1.2 + 3.0 + 15.0


def test_an_order_that_was_accepted_is_not_called_never_arrived_after_a_restart() -> None:
    """What the tape says of it counts for more than answers that do not know it."""

    async def script(session: RealSession) -> None:
        await until_minute(3.3)
        session.exchange.lag_s = 200.0
        session.kill("a test")
        await until_minute(4.5)
        session.exchange.lag_s = 0.0

    session = play({2: ENTRY}, script=script)
    assert not [one for one in executions(session) if "never arrived" in one.why]
    assert len(sent(session, "l")) == 1


def test_an_order_that_was_cancelled_as_the_process_died_is_over_though_nobody_finds_it() -> None:
    """Found by the seeded sessions, with an exchange that knows a cancelled order no longer by its first id."""
    moments = ["DELETE orderList leaves", "before an event is on the tape"]  # so the tape does not say that it was sent

    def dies(moment: str) -> bool:
        if moments and moment == moments[0]:
            moments.pop(0)
            return not moments
        return False

    session = play({2: ENTRY, 4: exit_position()}, chance=dies, options={"variants": Variants(finds_cancelled=False)})
    assert session.met["kills"] == 1
    assert [fill.reason for fill in session.books.fills if not fill.opens] == [Reason.SIGNAL_EXIT]
    assert longest_gap_s(session) < T_S
