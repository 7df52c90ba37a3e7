"""The guard: the drawdown limit under both fill modes, resume, daily loss, the limit of positions.

A position of 50 units at 100 (equity 10,000) makes every point of price 0.5 % of equity.
"""

import pytest

from tests.scenarios.harness import at, play

HALF = ("max_position_pct=0.5", "risk_per_trade=1", "safety.max_exposure=1", "safety.max_drawdown=0.05")
ENTER = "00:00 A 100 100 100 100 1 | LONG stop=50\n"


def test_the_kill_switch_trips_at_the_limit_and_closes_at_the_next_open() -> None:
    played = play(ENTER + """
        00:01 A 100 100 90 90.5 1   # 50 * -9.5 = -475: 4.75 %
        00:02 A 90  90  90 90   1   # -500: 5 %
        00:03 A 91  91  91 91   1   # closes at 91
        00:04 A 80  80  80 80   1
    """, *HALF)  # fmt: skip
    played.assert_fills("""
        00:01 A OPEN  LONG 100 50 signal
        00:03 A CLOSE LONG 91  50 kill_switch realized_pnl=-450
    """)
    played.assert_rows("""
        00:02 9525 10000
        00:03 9500 10000   # tripped here; the close order waits for the next open
        00:04 9550 9550
        00:05 9550 9550
    """)
    assert [trip.time_ms for trip in played.runtime.safety.trips] == [at("00:03")]
    assert "5.00%" in played.runtime.safety.trips[0].why


@pytest.mark.parametrize("limit", ["max_drawdown=0.25", "max_daily_loss=0.25"])
@pytest.mark.parametrize(("price", "trips"), [("50", 1), ("50.000001", 0)])
def test_a_limit_that_is_met_exactly_trips(limit: str, price: str, trips: int) -> None:
    # 50 * -50 = -2500, and 1 - 7500 / 10000 is 0.25 to the bit.
    enter = "00:00 A 100 100 100 100 1 | LONG stop=10\n"
    table = f"{enter}00:01 A 100 100 {price} {price} 1\n00:02 A 60 60 60 60 1"
    played = play(table, *HALF, "safety.max_drawdown=null", f"safety.{limit}")
    assert len(played.runtime.safety.trips) == trips


def test_under_fill_close_the_kill_switch_closes_at_once_and_the_row_says_so() -> None:
    # The flatten sells at 90 * 0.99 = 89.1 and pays 0.1 % on both sides: the row holds the values after it.
    played = play(ENTER + """
        00:01 A 100 100 89 90 1
        00:02 A 90  90  90 90 1
    """, *HALF, "fill=close", "commission_rate=0.001", "slippage_rate=0.01")  # fmt: skip
    # in at 101, fee 5.05; at mark 90: -550 - 5.05 = -555.05; out at 89.1, fee 4.455: 50 * -11.9 - 9.505 = -604.505
    played.assert_fills("""
        00:01 A OPEN  LONG 101  50 signal
        00:02 A CLOSE LONG 89.1 50 kill_switch realized_pnl=-604.505
    """)
    played.assert_rows("""
        00:01 10000    10000
        00:02 9395.495 9395.495
        00:03 9395.495 9395.495
    """)


def test_the_peak_is_the_highest_equity_so_far() -> None:
    # Up to 120 (equity 11000), then down to 109 (10450): 5 % off the peak, far above the start.
    played = play(ENTER + """
        00:01 A 100 120 100 120   1
        00:02 A 110 110 109 109.1 1
        00:03 A 109 109 109 109   1
        00:04 A 109 109 109 109   1
    """, *HALF)  # fmt: skip
    assert played.runtime.safety.peak == 11000
    assert [trip.time_ms for trip in played.runtime.safety.trips] == [at("00:04")]


def test_the_starting_balance_is_the_first_peak() -> None:
    # The fee alone is 6 % of equity: 0.12 * 100 * 50.
    played = play(ENTER + "00:01 A 100 100 100 100 1\n00:02 A 100 100 100 100 1", *HALF, "commission_rate=0.12")
    assert [trip.time_ms for trip in played.runtime.safety.trips] == [at("00:02")]
    assert played.runtime.safety.peak == 10000


def test_the_kill_switch_cancels_entries_and_closes_in_the_order_of_opening() -> None:
    played = play("""
        00:00 B 100 100 100 100 1 | LONG stop=50
        00:01 A 100 100 100 100 1 | LONG stop=50
        00:01 B 100 100 100 100 1
        00:02 A 100 100 100 100 1
        00:02 B 100 100 100 100 1
        00:02 C 100 100 100 100 1 | LONG stop=50
        00:03 A 80  80  80  80  1
        00:03 B 100 100 100 100 1
        00:04 A 80  80  80  80  1
        00:04 B 100 100 100 100 1
        00:04 C 100 100 100 100 1
    """, *HALF, "max_position_pct=0.3")  # fmt: skip
    assert [fill.symbol for fill in played.fills] == ["B", "A", "A", "B"]  # fills go by candle: config order
    assert played.funnel["cancelled"] == {"kill_switch": 1, "session_end": 0}
    at_close = play("""
        00:00 B 100 100 100 100 1 | LONG stop=50
        00:01 A 100 100 100 100 1 | LONG stop=50
        00:01 B 100 100 100 100 1
        00:02 A 80  80  80  80  1
        00:02 B 100 100 100 100 1
    """, *HALF, "max_position_pct=0.3", "fill=close")  # fmt: skip
    at_close.assert_fills("""
        00:01 B OPEN  LONG 100 30 signal
        00:02 A OPEN  LONG 100 30 signal
        00:03 B CLOSE LONG 100 30 kill_switch   # opened first
        00:03 A CLOSE LONG 80  30 kill_switch
    """)


def test_a_close_order_that_is_pending_keeps_its_reason() -> None:
    played = play(ENTER + """
        00:01 A 100 100 95 100 1 | EXIT
        00:02 A 80  80  80 80  0
        00:03 A 79  79  79 79  1
    """, *HALF)  # fmt: skip
    assert len(played.runtime.safety.trips) == 1
    assert (played.fills[1].price, played.fills[1].reason) == (79, "signal_exit")


def test_no_entry_is_accepted_while_halted() -> None:
    played = play("""
        00:00 A 100 100 100 100 1
        kill
        00:01 A 100 100 100 100 1 | LONG stop=95
        00:02 A 100 100 100 100 1 | LONG stop=100   # risk is asked before the gate
        00:03 A 100 100 100 100 1
    """)
    assert played.fills == []
    assert played.funnel["refused_by_gate"] == {"halted": 1}
    assert played.funnel["refused_by_risk"] == {"stop_distance": 1}
    assert "orders_submitted" not in played.funnel


def test_the_kill_switch_trips_once() -> None:
    played = play(ENTER + """
        00:01 A 100 100 80 80 1
        00:02 A 80  80  80 80 0
        kill
        00:03 A 70  70  70 70 0
        00:04 A 70  70  70 70 1
    """, *HALF)  # fmt: skip
    assert len(played.runtime.safety.trips) == 1
    assert [fill.reason for fill in played.fills] == ["signal", "kill_switch"]


def test_resume_accepts_entries_and_sets_the_peak_to_the_equity_of_that_moment() -> None:
    played = play(ENTER + """
        00:01 A 100 100 90 90 1                       # -5 %: trips
        00:02 A 90  90  90 90 1                       # closed: 9500
        resume
        00:03 A 90  90  90 90 1 | LONG stop=45        # 50 % of 9500 / 90 = 52.7777 units
        00:04 A 90  90  90 90 1
        00:05 A 82  82  82 82 1                       # -422.2 of 9500: 4.44 %, but 9 % off the first peak
        00:06 A 80  80  80 80 1                       # -527.8: 5.56 %
        00:07 A 80  80  80 80 1
    """, *HALF)  # fmt: skip
    assert [trip.time_ms for trip in played.runtime.safety.trips] == [at("00:02"), at("00:07")]
    assert played.runtime.safety.peak == 9500
    assert [fill.reason for fill in played.fills] == ["signal", "kill_switch"] * 2


def test_resume_counts_open_positions_at_their_marks() -> None:
    played = play(ENTER + """
        00:01 A 100 100 90 90 1
        resume
        00:02 A 88 88 88 88 0
    """, *HALF)  # fmt: skip
    assert played.runtime.safety.peak == 9500
    assert not played.runtime.safety.halted


def test_an_operators_kill_closes_positions_and_rewrites_the_last_row_under_fill_close() -> None:
    table = (
        ENTER
        + """
        00:01 A 100 101 99 101 1
        kill
        00:02 A 102 102 102 102 1
    """
    )
    played = play(table, *HALF, "fill=close", "slippage_rate=0.01")
    # in at 101, out at 101 * 0.99 = 99.99: 50 * -1.01
    played.assert_rows("""
        00:02 9949.5 9949.5
        00:03 9949.5 9949.5
    """)
    assert played.fills[1].time_ms == at("00:02")
    pending = play(table, *HALF)
    pending.assert_fills("""
        00:01 A OPEN  LONG 100 50 signal
        00:02 A CLOSE LONG 102 50 kill_switch
    """)


def test_without_a_drawdown_limit_nothing_trips() -> None:
    played = play(ENTER + "00:01 A 100 100 51 51 1\n00:02 A 51 51 51 51 1", *HALF, "safety.max_drawdown=null")
    assert played.runtime.safety.trips == []
    assert played.fills[1].reason == "end_of_data"


@pytest.mark.parametrize("fill", ["next_open", "close"])
def test_open_positions_and_pending_entries_count_for_the_limit(fill: str) -> None:
    played = play("""
        00:00 A 100 100 100 100 1 | LONG stop=95
        00:00 B 100 100 100 100 1 | LONG stop=95
        00:00 C 100 100 100 100 1 | LONG stop=95
        00:01 A 100 100 94  95  1
        00:01 B 100 100 100 100 1
        00:01 C 100 100 100 100 1 | LONG stop=95   # A was stopped out in this slice: one is free
        00:02 C 100 100 100 100 1
    """, "safety.max_open_positions=2", f"fill={fill}", "safety.max_exposure=1")  # fmt: skip
    assert played.funnel["refused_by_gate"] == {"max_open_positions": 1}
    assert [fill.symbol for fill in played.fills if fill.opens] == ["A", "B", "C"]


DAILY = ("max_position_pct=0.5", "risk_per_trade=1", "safety.max_exposure=1", "safety.max_daily_loss=0.05")


def test_the_daily_loss_counts_from_the_equity_at_utc_midnight() -> None:
    played = play("""
        23:56 A 100 100 100 100 1 | LONG stop=50
        23:57 A 100 104 100 104 1
        23:58 A 96  96  96  96  1    # 9800: 2 % under the start of the day
        23:59 A 92  92  92  92  1    # closes at midnight with 9600: it ends the first day
        2/00:00 A 84 84 84 84 1      # 9200: 4.17 % under 9600
        2/00:01 A 82.5 82.5 82.5 82.5 1   # 9125: 4.95 %
        2/00:02 A 82.4 82.4 82.4 82.4 1   # 9120: 5 %
        2/00:03 A 82 82 82 82 1
    """, *DAILY)  # fmt: skip
    assert [trip.time_ms for trip in played.runtime.safety.trips] == [at("2/00:03")]
    assert "daily loss" in played.runtime.safety.trips[0].why
    assert (played.fills[1].reason, played.fills[1].price) == ("kill_switch", 82)


def test_the_slice_that_closes_at_midnight_belongs_to_the_day_that_it_ends() -> None:
    played = play("""
        23:57 A 100 100 100 100 1 | LONG stop=50
        23:58 A 100 100 94  94  1    # 9700
        23:59 A 90  90  90  90  1    # 9500 at midnight: 5 % since the start, 2 % since the slice before
    """, *DAILY)  # fmt: skip
    assert [trip.time_ms for trip in played.runtime.safety.trips] == [at("2/00:00")]


def test_resume_begins_the_days_loss_anew() -> None:
    played = play(ENTER + """
        00:01 A 100 100 90 90 1                   # 9500: trips
        00:02 A 90  90  90 90 1
        resume
        00:03 A 90  90  90 90 1 | LONG stop=45    # 52.7777 units
        00:04 A 90  90  82 82 1                   # 9078: 4.44 % of 9500, 9 % since midnight
        00:05 A 80  80  80 80 1
    """, *DAILY)  # fmt: skip
    assert [trip.time_ms for trip in played.runtime.safety.trips] == [at("00:02"), at("00:06")]


def test_the_first_days_loss_counts_from_the_starting_balance() -> None:
    played = play(ENTER + "00:01 A 100 100 90 90 1\n00:02 A 90 90 90 90 1", *DAILY)
    assert [trip.time_ms for trip in played.runtime.safety.trips] == [at("00:02")]


def test_a_day_without_slices_changes_nothing() -> None:
    played = play(ENTER + "00:01 A 100 100 96 96 1\n3/12:00 A 92 92 92 92 1\n3/12:01 A 92 92 92 92 1", *DAILY)
    assert played.runtime.safety.trips == []  # 9600 of 9800


@pytest.mark.parametrize("limit", ["null", "0.5"])
def test_the_day_is_followed_whether_a_limit_asks_for_it_or_not(limit: str) -> None:
    played = play(ENTER + """
        00:01 A 100 100 100 100 1
        12:00 A 90 90 90 90 1    # the first day ends with 9500
        2/12:00 A 86 86 86 86 1  # 9300
        2/23:59 A 88 88 88 88 1  # closes at midnight with 9400
        3/12:00 A 88 88 88 88 1  # flat
        3/12:01 A 88 88 88 88 1
    """, *HALF, "safety.max_drawdown=null", f"safety.max_daily_loss={limit}", end=False)  # fmt: skip
    safety = played.runtime.safety
    assert safety.losses(9400)[1] == 0.0
    assert (safety.memory().day_start_equity, safety.memory().last_equity) == (9400, 9400)


@pytest.mark.parametrize("price", ["90", "85"])
def test_a_day_begins_with_the_last_row_as_it_was_finally_written(price: str) -> None:
    late = play(ENTER + f"""
        00:01 A 100 100 100 100 1
        23:59 B 100 100 100 100 1
        late 23:59 A {price} {price} {price} {price} 1
        2/00:00 A {price} {price} {price} {price} 1
    """, *DAILY, "safety.max_drawdown=null", end=False)  # fmt: skip
    assert late.runtime.safety.trips == []
    assert late.rows[-2][1] == late.runtime.safety.memory().day_start_equity == 10_000 - 50 * (100 - int(price))
