"""An operator's close of one symbol on paper in each state: as by the strategy's own EXIT, for a reason of its own."""

import pytest

from app.models.market import Candle
from app.models.orders import Fill, Signal
from app.strategies.base import FLAT, View, long
from tests.scenarios.harness import at, play

ENTER = "00:00 A 100 100 100 100 1 | LONG stop=95\n"


def test_a_position_is_closed_at_the_next_open() -> None:
    played = play(
        ENTER
        + """
        00:01 A 100 101 99  100 1
        close A
        00:02 A 103 105 102 104 1
    """
    )
    played.assert_fills("""
        00:01 A OPEN  LONG 100 10 signal
        00:02 A CLOSE LONG 103 10 operator realized_pnl=30
    """)
    assert played.count("exits_ordered") == played.count("signals", "EXIT") == 0, "no strategy asked for it"


def test_with_fill_close_it_is_closed_at_the_mark_and_the_row_says_so() -> None:
    played = play(ENTER + """
        00:01 A 100 102 99  101 1
        close A
    """, "fill=close", "slippage_rate=0.01", end=False)  # fmt: skip
    played.assert_fills("""
        00:01 A OPEN  LONG 101   10 signal      # 100 * 1.01
        00:02 A CLOSE LONG 99.99 10 operator    # 101 * 0.99
    """)
    played.assert_rows("00:02 9989.9 9989.9")


def test_a_close_order_waits_for_a_traded_candle_and_fills_before_the_stop() -> None:
    played = play(
        ENTER
        + """
        00:01 A 100 101 99 100 1
        close A
        00:02 A 98  112 80 98  0
        00:03 A 90  112 80 97  1   # opens below the stop: the close order comes first
    """
    )
    played.assert_fills("""
        00:01 A OPEN  LONG 100 10 signal
        00:03 A CLOSE LONG 90  10 operator
    """)


@pytest.mark.parametrize("command", ["", "close A"])
def test_a_pending_limit_entry_is_cancelled(command: str) -> None:
    played = play(f"""
        00:00 A 100 100 100 100 1 | LONG stop=90 limit=99
        {command}
        00:01 A 100 100 98  99  1   # trades through the limit
    """)
    assert len(played.fills) == (0 if command else 2)
    assert played.count("cancelled", "operator") == bool(command)
    assert played.count("orders_submitted") == 1
    assert played.count("unfilled_at_end") == 0


def test_a_pending_market_entry_is_cancelled_and_the_next_signal_enters() -> None:
    played = play(
        ENTER
        + """
        close A
        00:01 A 100 101 99 100 1 | LONG stop=95
        00:02 A 102 102 102 102 1
    """
    )
    played.assert_fills("""
        00:02 A OPEN  LONG 102 10 signal
        00:03 A CLOSE LONG 102 10 end_of_data
    """)


@pytest.mark.parametrize(
    ("command", "closed"), [("close A slow", ["slow"]), ("close A", ["fast", "slow"]), ("close A other", [])]
)
def test_of_two_strategies_on_a_symbol_the_one_that_is_named_or_both(command: str, closed: list[str]) -> None:
    played = play(
        ENTER
        + f"""
        00:01 A 100 101 99  100 1
        {command}
        00:02 A 103 105 102 104 1
    """,
        ids=("fast", "slow"),
    )
    # Half of 10,000 each: 10 % of it at a price of 100.
    assert [(fill.strategy, fill.quantity) for fill in played.fills if fill.opens] == [("fast", 5.0), ("slow", 5.0)]
    ended = [(fill.strategy, fill.price, fill.reason.value) for fill in played.fills if not fill.opens]
    kept = [one for one in ("fast", "slow") if one not in closed]
    assert ended == [(one, 103, "operator") for one in closed] + [(one, 104, "end_of_data") for one in kept]


def test_a_close_that_is_pending_keeps_its_reason() -> None:
    played = play(
        ENTER
        + """
        00:01 A 100 101 99 100 1 | EXIT
        close A
        00:02 A 100 101 99 100 0
        close A
        00:03 A 104 104 104 104 1
    """
    )
    played.assert_fills("""
        00:01 A OPEN  LONG 100 10 signal
        00:03 A CLOSE LONG 104 10 signal_exit
    """)
    assert played.runtime.account.last_order_id == 2, "it was ordered once"


def test_an_exit_after_it_is_ignored_and_nothing_enters_before_it_is_filled() -> None:
    played = play(
        ENTER
        + """
        00:01 A 100 101 99 100 1
        close A
        close A
        00:02 A 100 101 99 100 0 | EXIT
        00:03 A 100 101 99 100 0 | LONG stop=95
        00:04 A 104 104 104 104 1 | LONG stop=99
        00:05 A 105 105 105 105 1
    """
    )
    played.assert_fills("""
        00:01 A OPEN  LONG 100 10 signal
        00:04 A CLOSE LONG 104 10 operator
        00:05 A OPEN  LONG 105 9.65384615 signal   # 10 % of 10,040 at 104
        00:06 A CLOSE LONG 105 9.65384615 end_of_data
    """)
    assert played.funnel["ignored"] == {"position_open": 1, "exit_pending": 1}


def test_what_legs_have_left_is_closed() -> None:
    def answer(candle: Candle, view: View) -> Signal:
        if candle.open_time_ms != at("00:00"):
            return FLAT
        return long(stop=95.0, target=120.0, exits={"partial": [{"at_r": 1.0, "fraction": 0.5}]})

    played = play(
        """
        00:00 A 100 100 100 100 1
        00:01 A 100 106 99  104 1   # the leg at 105
        close A
        00:02 A 104 104 104 104 1
    """,
        answer=answer,
    )
    played.assert_fills("""
        00:01 A OPEN  LONG 100 10 signal
        00:02 A CLOSE LONG 105 5  partial_target realized_pnl=25
        00:02 A CLOSE LONG 104 5  operator realized_pnl=20
    """)


def test_it_changes_neither_latch_nor_peak_and_passes_a_halt() -> None:
    table = ENTER + """
        00:01 A 100 101 99 110 1
        close A
        00:02 A 104 104 104 104 1
    """  # fmt: skip
    safety = play(table, end=False).runtime.safety
    assert (safety.halted, safety.killed, safety.trips, safety.peak) == (False, False, [], 10_100.0)
    killed = play(table.replace("close A", "kill\nclose A"), end=False)
    assert [fill.reason.value for fill in killed.fills] == ["signal", "kill_switch"]
    assert killed.runtime.safety.killed


@pytest.mark.parametrize("command", ["close B", "close A", "close NONE", "close A nobody"])
def test_where_nothing_is_open_nothing_changes(command: str) -> None:
    table = "00:00 A 100 100 100 100 1\nCOMMAND\n00:01 A 100 100 100 100 1 | LONG stop=95\n00:02 A 101 101 101 101 1"
    played, without = play(table.replace("COMMAND", command)), play(table.replace("COMMAND", ""))
    assert _money(played.fills) == _money(without.fills)
    assert (played.rows, played.funnel) == (without.rows, without.funnel)
    assert played.runtime.account.last_order_id == without.runtime.account.last_order_id


def _money(fills: list[Fill]) -> list[tuple[int, str, float, float]]:
    return [(fill.time_ms, fill.reason.value, fill.price, fill.balance) for fill in fills]
