"""The end of a session: end of data, an operator's stop, positions that survive one; the last row says the truth."""

import asyncio

import pytest

from app.models.orders import MAIN, Line, Reason
from tests.scenarios.harness import at, build, play, read_table, scenario_settings

TWO = """
    00:00 A 100 100 100 100 1 | LONG stop=95
    00:01 B 50  50  50  50  1 | SHORT stop=55
    00:01 A 100 100 100 100 1
    00:02 B 50  50  50  50  1
    00:02 A 101 102 101 102 1
    00:03 B 49  49  49  49  1
"""


@pytest.mark.parametrize(("last", "reason"), [("", "end_of_data"), ("stop", "shutdown")])
def test_positions_close_in_the_order_of_opening_at_their_last_marks(last: str, reason: str) -> None:
    # A is absent from the last slice: it closes at 102, its mark, all the same.
    played = play(f"{TWO}\n{last}", end=not last)
    played.assert_fills(f"""
        00:01 A OPEN  LONG  100 10 signal
        00:02 B OPEN  SHORT 50  20 signal
        00:04 A CLOSE LONG  102 10 {reason} realized_pnl=20 balance=10020 equity=10040
        00:04 B CLOSE SHORT 49  20 {reason} realized_pnl=20 balance=10040 equity=10040
    """)
    assert played.runtime.ended


def test_a_flatten_is_a_market_order_and_the_last_row_holds_the_values_after_it() -> None:
    # out at 102 * 0.99 = 100.98 and 49 * 1.01 = 49.49
    played = play(TWO, "slippage_rate=0.01", "commission_rate=0.001")
    account = played.runtime.account
    # A: 10 * (100.98 - 101) - 1.01 - 1.0098; B: 20 * (49.5 - 49.49) - 0.99 - 0.9898 (equity 9989.00 sizes 19.98)
    assert played.fills[2].price == pytest.approx(100.98, rel=1e-15)
    assert played.fills[2].realized_pnl == pytest.approx(-2.2198, rel=1e-9)
    assert played.fills[3].price == pytest.approx(49.49, rel=1e-15)
    assert played.rows[-1] == (at("00:04"), account.equity(), account.balance)
    assert account.equity() == account.balance
    assert played.rows[-2][1] != played.rows[-2][2]  # the row before is as it was


def test_a_pending_close_order_keeps_its_reason_at_the_end() -> None:
    played = play("""
        00:00 A 100 100 100 100 1 | LONG stop=95
        00:01 A 100 100 100 100 1 | EXIT
    """)
    played.assert_fills("""
        00:01 A OPEN  LONG 100 10 signal
        00:02 A CLOSE LONG 100 10 signal_exit
    """)


def test_a_kill_that_is_pending_keeps_its_reason_at_the_end() -> None:
    played = play("00:00 A 100 100 100 100 1 | LONG stop=95\n00:01 A 100 100 100 100 1\nkill")
    assert [fill.reason for fill in played.fills] == [Reason.SIGNAL, Reason.KILL_SWITCH]
    assert played.fills[1].time_ms == at("00:02")


def test_pending_entries_are_cancelled_and_counted() -> None:
    played = play("""
        00:00 A 100 100 100 100 1 | LONG stop=95
        00:00 B 50  50  50  50  1 | SHORT stop=55
        00:01 A 100 100 100 100 1
    """)
    assert played.count("orders_submitted") == 2
    assert played.count("unfilled_at_end") == len([fill for fill in played.fills if fill.opens]) == 1
    assert not played.runtime.account.pending


def test_nothing_is_handled_after_the_end() -> None:
    """Also where the rest of a burst is already there."""
    events, answers = read_table("""
        00:00 A 100 100 100 100 1
        stop
        00:01 A 100 100 100 100 1 | LONG stop=95
        kill
        00:02 A 100 100 100 100 1
    """)
    played = build(scenario_settings(), answers)
    asyncio.run(played.runtime.handle(events))
    assert played.runtime.ended
    assert len(played.asked) == 1
    assert not played.runtime.safety.halted
    played.assert_rows("00:01 10000 10000")
    assert len(played.rows) == 1


def test_positions_survive_a_stop_with_on_stop_keep() -> None:
    played = play("""
        00:00 A 100 100 100 100 1 | LONG stop=95
        00:01 A 100 101 100 101 1
        stop
    """, "on_stop=keep", end=False)  # fmt: skip
    played.assert_fills("00:01 A OPEN LONG 100 10 signal")
    played.assert_rows("00:02 10010 10000")
    assert Line(MAIN, "A") in played.runtime.account.positions


def test_on_stop_keep_is_no_matter_at_the_end_of_the_data() -> None:
    played = play("00:00 A 100 100 100 100 1 | LONG stop=95\n00:01 A 100 101 100 101 1", "on_stop=keep")
    assert played.fills[1].reason is Reason.END_OF_DATA


def test_an_end_without_a_slice_is_an_empty_run() -> None:
    played = play("~00:00 A 100 100 100 100 1")
    assert played.rows == []
    assert played.fills == []
    assert played.runtime.account.equity() == 10000


def test_a_flatten_during_warm_up_leaves_no_row() -> None:
    played = play("~00:00 A 100 100 100 100 1\nstop", end=False)
    assert played.runtime.ended
    assert played.rows == []
