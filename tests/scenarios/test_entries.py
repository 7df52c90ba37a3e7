"""Entries: when and where a market order fills, what it costs, what its row says."""

from tests.scenarios.harness import play


def test_next_open_fills_at_the_open_of_the_next_candle() -> None:
    # reference 100: risk 10000 * 1 % / 5 = 20, position 10000 * 10 % / 100 = 10, room 20 % * 10000 / 100 = 20
    played = play("""
        00:00 A 99  101 98  100 1 | LONG stop=95
        00:01 A 102 103 101 103 1
        00:02 A 104 105 103 104 1
    """)
    played.assert_fills("""
        00:01 A OPEN  LONG 102 10 signal      balance=10000 equity=9980 realized_pnl=0 stop=95 target=110
        00:03 A CLOSE LONG 104 10 end_of_data balance=10020 equity=10020 realized_pnl=20
    """)  # equity of the OPEN: the mark is still 100, 10 * (100 - 102) = -20
    played.assert_rows("""
        00:01 10000 10000   # the order is placed at 00:01, after the row
        00:02 10010 10000   # 10 * (103 - 102)
        00:03 10020 10020   # rewritten after the flatten
    """)


def test_close_fills_at_once_at_the_mark() -> None:
    played = play("""
        00:00 A 99  101 98  100 1 | LONG stop=95
        00:01 A 102 103 94  103 1
        00:02 A 104 105 103 104 1
    """, "fill=close")  # fmt: skip
    played.assert_fills("""
        00:01 A OPEN  LONG 100 10 signal    balance=10000 equity=10000
        00:02 A CLOSE LONG 95  10 stop_loss balance=9950 realized_pnl=-50
    """)


def test_close_never_checks_the_signal_candle_itself() -> None:
    # The candle of the signal went down to 90 before it closed at 100: that was before the fill.
    played = play("""
        00:00 A 99  111 90 100 1 | LONG stop=95 target=110
        00:01 A 100 101 99 100 1
    """, "fill=close")  # fmt: skip
    played.assert_fills("""
        00:01 A OPEN  LONG 100 10 signal
        00:02 A CLOSE LONG 100 10 end_of_data
    """)


def test_next_open_checks_exits_from_the_fills_own_candle_on() -> None:
    played = play("""
        00:00 A 100 100 100 100 1 | LONG stop=95
        00:01 A 101 102 94  96  1
    """)
    played.assert_fills("""
        00:01 A OPEN  LONG 101 10 signal
        00:02 A CLOSE LONG 95  10 stop_loss realized_pnl=-60
    """)


def test_an_entry_that_gaps_past_its_stop_is_stopped_at_that_open() -> None:
    played = play("""
        00:00 A 100 100 100 100 1 | LONG stop=95
        00:01 A 94  96  93  95  1
    """)
    played.assert_fills("""
        00:01 A OPEN  LONG 94 10 signal
        00:01 A CLOSE LONG 94 10 stop_loss realized_pnl=0
    """)


def test_slippage_and_commission_are_against_the_trader() -> None:
    # buy 100 * 1.01 = 101, fee 0.002 * 101 * 10 = 2.02; the flatten sells 110 * 0.99 = 108.9, fee 2.178
    played = play("""
        00:00 A 100 100 100 100 1 | LONG stop=50
        00:01 A 100 101 99  100 1
        00:02 A 100 112 99  110 1
    """, "slippage_rate=0.01", "commission_rate=0.002")  # fmt: skip
    played.assert_fills("""
        00:01 A OPEN  LONG 101   2 signal      commission=0.404 slippage=2 balance=10000 equity=9997.596
        00:03 A CLOSE LONG 108.9 2 end_of_data commission=0.4356 slippage=2.2 balance=10014.9604 realized_pnl=14.9604
    """)  # risk 100 / 50 = 2 units; 2 * (108.9 - 101) - 0.404 - 0.4356 = 14.9604
    played.assert_rows("""
        00:01 10000      10000
        00:02 9997.596   10000   # 2 * (100 - 101) - 0.404
        00:03 10014.9604 10014.9604
    """)


def test_slippage_of_a_short_mirrors() -> None:
    # sell 100 * 0.99 = 99, buy back 90 * 1.01 = 90.9
    played = play("""
        00:00 A 100 100 100 100 1 | SHORT stop=110
        00:01 A 100 101 99  100 1
        00:02 A 100 100 90  90  1
    """, "slippage_rate=0.01", "commission_rate=0.001")  # fmt: skip
    played.assert_fills("""
        00:01 A OPEN  SHORT 99   10 signal      commission=0.99 slippage=10 equity=9989.01
        00:03 A CLOSE SHORT 90.9 10 end_of_data commission=0.909 slippage=9 realized_pnl=79.101
    """)  # 10 * (99 - 90.9) - 0.99 - 0.909


def test_zero_volume_fills_nothing_and_only_sets_the_mark() -> None:
    played = play("""
        00:00 A 100 100 100 100 1 | LONG stop=95
        00:01 A 90  120 80  101 0   # nobody traded: no entry
        00:02 A 102 103 101 102 1
        00:03 A 90  120 80  99  0   # no stop, no target
        00:04 A 103 104 102 103 1
    """)
    played.assert_fills("""
        00:02 A OPEN  LONG 102 10 signal equity=9990   # marked at 101 by the candle without volume
        00:05 A CLOSE LONG 103 10 end_of_data
    """)
    played.assert_rows("""
        00:02 10000 10000
        00:03 10000 10000
        00:04 9970  10000   # marked at 99
        00:05 10010 10010
    """)


def test_an_order_waits_while_its_symbol_is_absent() -> None:
    played = play("""
        00:00 A 100 100 100 100 1 | LONG stop=95
        00:00 B 10  10  10  10  1
        00:01 B 10  10  10  10  1
        00:07 A 98  99  97  98  1
    """)
    played.assert_fills("""
        00:07 A OPEN  LONG 98 10 signal
        00:08 A CLOSE LONG 98 10 end_of_data
    """)


def test_an_entry_on_a_position_or_a_pending_order_is_ignored() -> None:
    played = play("""
        00:00 A 100 100 100 100 1 | LONG stop=95
        00:01 A 100 100 100 100 0 | SHORT stop=105   # the first is still pending: no volume
        00:02 A 100 100 100 100 1 | LONG stop=90     # now it is open
        00:03 A 100 100 100 100 1
    """)
    played.assert_fills("""
        00:02 A OPEN  LONG 100 10 signal stop=95
        00:04 A CLOSE LONG 100 10 end_of_data
    """)
    assert played.count("ignored", "order_pending") == played.count("ignored", "position_open") == 1
    assert played.count("signals", "LONG") == 2
    assert played.count("signals", "SHORT") == 1
    assert played.count("orders_submitted") == 1


def test_an_entry_pending_at_the_end_stays_unfilled() -> None:
    played = play("00:00 A 100 100 100 100 1 | LONG stop=95")
    assert played.fills == []
    assert played.count("orders_submitted") == played.count("unfilled_at_end") == 1
    played.assert_rows("00:01 10000 10000")
    assert not played.runtime.account.pending


def test_trade_ids_count_fills_and_join_open_with_close() -> None:
    played = play("""
        00:00 A 100 100 100 100 1 | LONG stop=95
        00:00 B 50  50  50  50  1 | SHORT stop=55
        00:01 A 100 100 100 100 1
        00:01 B 50  56  50  50  1
        00:02 A 100 100 100 100 1
        00:02 B 50  50  50  50  1 | SHORT stop=55
        00:03 B 50  50  50  50  1
    """)
    played.assert_fills("""
        00:01 A OPEN  LONG  100 10 signal      trade_id=1
        00:01 B OPEN  SHORT 50  20 signal      trade_id=2
        00:02 B CLOSE SHORT 55  20 stop_loss   trade_id=2
        00:03 B OPEN  SHORT 50  19.6 signal    trade_id=3   # the room: (20 % * 9900 - 1000) / 50
        00:04 A CLOSE LONG  100 10 end_of_data trade_id=1   # opened first
        00:04 B CLOSE SHORT 50  19.6 end_of_data trade_id=3
    """)
