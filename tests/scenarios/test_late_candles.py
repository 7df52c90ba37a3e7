"""What comes late fills nothing that was ordered after it (RULES.md, Live): kill, guard, EXIT, stop and target."""

import pytest

from tests.scenarios.harness import play

# A is held from 00:01 on; its candle of 00:02 is not there when B's slice goes.
HELD = """
    00:00 A 100 100 100 100 1 | LONG stop=50
    00:00 B 100 100 100 100 1
    00:01 A 100 100 100 100 1
    00:01 B 100 100 100 100 1
    00:02 B 100 100 100 100 1
"""
GUARD = ("max_position_pct=0.5", "risk_per_trade=1", "safety.max_exposure=1", "safety.max_drawdown=0.05")
OPENED = "00:01 A OPEN LONG 100 2 signal\n"


def test_an_operators_kill_does_not_fill_on_a_candle_that_opened_before_it() -> None:
    played = play(HELD + """
        kill
        late 00:02 A 130 131 129 130 1
        00:03 A 99 99 99 99 1
    """)  # fmt: skip
    played.assert_fills(OPENED + "00:03 A CLOSE LONG 99 2 kill_switch")


def test_an_exit_decided_on_a_late_candle_waits_for_one_that_opens_after_the_last_slice() -> None:
    played = play(HELD + """
        00:03 B 100 100 100 100 1
        late 00:02 A 100 100 100 100 1 | EXIT
        late 00:03 A 130 131 129 130 1
        00:04 A 99 99 99 99 1
    """)  # fmt: skip
    played.assert_fills(OPENED + "00:04 A CLOSE LONG 99 2 signal_exit")


def test_the_guards_close_orders_wait_too() -> None:
    played = play("""
        00:00 A 100 100 100 100 1 | LONG stop=1
        00:00 B 100 100 100 100 1 | LONG stop=1
        00:01 A 100 100 100 100 1
        00:01 B 100 100 100 100 1
        00:02 B 80 80 80 80 1          # 50 * -20: 10 % under the peak
        late 00:02 A 130 131 129 130 1
        00:03 A 99 99 99 99 1
        00:03 B 80 80 80 80 1
    """, *GUARD, "safety.max_exposure=2")  # fmt: skip
    assert [(fill.symbol, fill.price, fill.reason) for fill in played.fills if not fill.opens] == [
        ("A", 99, "kill_switch"), ("B", 80, "kill_switch"),
    ]  # fmt: skip


def test_an_entry_waits_too() -> None:
    # The strategy candle of A closes with a slice that A's own candle missed.
    played = play("""
        00:00 A 100 100 100 100 1 | LONG stop=50
        00:01 B 100 100 100 100 1
        00:02 B 100 100 100 100 1
        late 00:02 A 130 131 129 130 1
        00:03 A 99 99 99 99 1
    """, "strategy.timeframe=3m")  # fmt: skip
    played.assert_fills("00:03 A OPEN LONG 99 2 signal\n00:04 A CLOSE LONG 99 2 end_of_data")


def test_what_was_ordered_before_the_candle_opened_fills_on_it() -> None:
    played = play("""
        00:00 A 100 100 100 100 1 | LONG stop=50
        00:00 B 100 100 100 100 1
        00:01 B 100 100 100 100 1
        late 00:01 A 101 101 101 101 1
        00:02 A 102 102 102 102 1 | EXIT
        00:03 B 100 100 100 100 1
        late 00:03 A 103 103 103 103 1
    """)  # fmt: skip
    played.assert_fills("00:01 A OPEN LONG 101 2 signal\n00:03 A CLOSE LONG 103 2 signal_exit")


def test_a_stop_that_stood_before_the_kill_is_reached_by_a_late_candle() -> None:
    played = play(HELD + """
        kill
        late 00:02 A 60 60 40 45 1
        00:03 A 99 99 99 99 1
    """)  # fmt: skip
    played.assert_fills(OPENED + "00:03 A CLOSE LONG 50 2 stop_loss")


@pytest.mark.parametrize("late", ["100 100 40 100", "100 190 100 100", "40 100 40 100", "190 190 100 100"])
def test_a_position_filled_at_a_close_is_not_closed_by_a_candle_from_before(late: str) -> None:
    played = play(f"""
        00:00 A 100 100 100 100 1 | LONG stop=50 target=180
        00:01 B 100 100 100 100 1
        00:02 B 100 100 100 100 1
        late 00:02 A {late} 1
        00:03 A 100 100 100 100 1
    """, "strategy.timeframe=3m", "fill=close")  # fmt: skip
    played.assert_fills("00:03 A OPEN LONG 100 2 signal\n00:04 A CLOSE LONG 100 2 end_of_data mae=0 mfe=0")
