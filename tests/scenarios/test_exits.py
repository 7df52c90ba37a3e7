"""Exits inside a candle: the four rules in their order, long and short, touch and through, gaps, costs, stamps.

Every table enters at 100 with quantity 10, stop 95 and target 110 (a short: 105 and 90); costs where they are named.
"""

import pytest

from tests.scenarios.harness import Played, play

LONG = "00:00 A 100 100 100 100 1 | LONG stop=95 target=110\n00:01 A 100 101 99 100 1\n"
SHORT = "00:00 A 100 100 100 100 1 | SHORT stop=105 target=90\n00:01 A 100 101 99 100 1\n"


def close_of(played: Played) -> str:
    """How the only trade was closed: `minutes-after-midnight price reason both-levels`."""
    opened, closed = played.fills
    assert opened.opens and not closed.opens
    minute = (closed.time_ms - opened.time_ms) // 60_000 + 1
    return f"{minute} {closed.price:g} {closed.reason}{' both' if closed.both_levels else ''}"


# The candle opens at 00:02: an exit at its open is stamped 2, an exit inside it with its close, 3.
@pytest.mark.parametrize(("candle", "through", "touch"), [
    ("100 109 96 100", "3 100 end_of_data", "3 100 end_of_data"),       # between the levels
    ("95 120 90 100", "2 95 stop_loss", "2 95 stop_loss"),              # 1. opens at the stop
    ("93 120 90 100", "2 93 stop_loss", "2 93 stop_loss"),              # 1. a gap: the open, not the stop
    ("110 110 90 100", "3 95 stop_loss", "2 110 take_profit"),          # 2. opens at the target
    ("112 112 111 111", "2 112 take_profit", "2 112 take_profit"),      # 2. opens past it: the open, not the target
    ("112 112 90 100", "2 112 take_profit", "2 112 take_profit"),       # 2. before the low at 90
    ("100 100 95 100", "3 95 stop_loss", "3 95 stop_loss"),             # 3. touched is enough for a stop
    ("100 120 94 100", "3 95 stop_loss both", "3 95 stop_loss both"),   # 3. before 4., and counted
    ("100 110 94 100", "3 95 stop_loss", "3 95 stop_loss both"),        # 3. a high at the target is a level for touch
    ("100 110 99 100", "3 100 end_of_data", "3 110 take_profit"),       # 4. touched
    ("100 110.5 99 100", "3 110 take_profit", "3 110 take_profit"),     # 4. passed: the target, not the high
    ("109 111 109 111", "3 110 take_profit", "3 110 take_profit"),
])  # fmt: skip
def test_exit_of_a_long(candle: str, through: str, touch: str) -> None:
    table = f"{LONG}00:02 A {candle} 1"
    assert close_of(play(table)) == through
    assert close_of(play(table, "limit_fill=touch")) == touch


@pytest.mark.parametrize(("candle", "through", "touch"), [
    ("100 104 91 100", "3 100 end_of_data", "3 100 end_of_data"),
    ("105 110 80 100", "2 105 stop_loss", "2 105 stop_loss"),
    ("107 110 80 100", "2 107 stop_loss", "2 107 stop_loss"),
    ("90 110 90 100", "3 105 stop_loss", "2 90 take_profit"),
    ("88 89 88 89", "2 88 take_profit", "2 88 take_profit"),
    ("88 110 88 100", "2 88 take_profit", "2 88 take_profit"),
    ("100 105 99 100", "3 105 stop_loss", "3 105 stop_loss"),
    ("100 106 80 100", "3 105 stop_loss both", "3 105 stop_loss both"),
    ("100 106 90 100", "3 105 stop_loss", "3 105 stop_loss both"),
    ("100 101 90 100", "3 100 end_of_data", "3 90 take_profit"),
    ("100 101 89.5 100", "3 90 take_profit", "3 90 take_profit"),
])  # fmt: skip
def test_exit_of_a_short(candle: str, through: str, touch: str) -> None:
    table = f"{SHORT}00:02 A {candle} 1"
    assert close_of(play(table)) == through
    assert close_of(play(table, "limit_fill=touch")) == touch


def test_a_stop_pays_slippage_and_the_takers_commission() -> None:
    # in: 100 * 1.001 = 100.1, fee 0.01 * 100.1 * 10 = 10.01; out: 95 * 0.999 = 94.905, fee 9.4905
    played = play(f"{LONG}00:02 A 100 100 94 96 1", "slippage_rate=0.001", "commission_rate=0.01")
    played.assert_fills("""
        00:01 A OPEN  LONG 100.1  10 signal    commission=10.01 slippage=1
        00:03 A CLOSE LONG 94.905 10 stop_loss commission=9.4905 slippage=0.95 realized_pnl=-71.4505
    """)  # 10 * (94.905 - 100.1) - 10.01 - 9.4905


def test_a_gap_through_the_stop_pays_slippage_on_the_open() -> None:
    played = play(f"{LONG}00:02 A 90 91 89 90 1", "slippage_rate=0.01")
    assert play(f"{LONG}00:02 A 90 91 89 90 1").fills[1].price == 90
    assert played.fills[1].price == pytest.approx(90 * 0.99, rel=1e-15)


@pytest.mark.parametrize(("candle", "price"), [("100 111 99 100", 110.0), ("112 113 111 112", 112.0)])
def test_a_target_pays_no_slippage_and_the_makers_commission(candle: str, price: float) -> None:
    costs = ("slippage_rate=0.001", "commission_rate=0.01", "maker_commission_rate=0.002")
    opened, closed = play(f"{LONG}00:02 A {candle} 1", *costs).fills
    assert (closed.price, closed.slippage, closed.reason) == (price, 0.0, "take_profit")
    assert opened.commission == pytest.approx(0.01 * 100.1 * 10, rel=1e-12)  # an entry is never a maker's
    assert closed.commission == pytest.approx(0.002 * price * 10, rel=1e-12)
    assert closed.realized_pnl == pytest.approx(10 * (price - 100.1) - 10.01 - 0.02 * price, rel=1e-12)


def test_a_target_pays_the_takers_commission_where_no_makers_is_given() -> None:
    closed = play(f"{LONG}00:02 A 100 111 99 100 1", "commission_rate=0.01").fills[1]
    assert closed.commission == pytest.approx(0.01 * 110 * 10, rel=1e-12)


def test_a_maker_rate_of_zero_is_a_rate() -> None:
    closed = play(f"{LONG}00:02 A 100 111 99 100 1", "commission_rate=0.01", "maker_commission_rate=0").fills[1]
    assert closed.commission == 0.0


@pytest.mark.parametrize("candle", ["93 93 93 93", "100 100 94 100", "112 112 112 112", "100 111 99 100"])
def test_zero_volume_triggers_no_exit(candle: str) -> None:
    table = f"{LONG}00:02 A {candle} 0\n00:03 A 100 100 100 100 1"
    assert close_of(play(table)) == "4 100 end_of_data"


def test_an_exit_at_the_close_fill_is_checked_from_the_next_candle_on() -> None:
    table = "00:00 A 100 120 90 100 1 | LONG stop=95 target=110\n00:01 A 95 96 95 95 1"
    played = play(table, "fill=close")
    played.assert_fills("""
        00:01 A OPEN  LONG 100 10 signal
        00:01 A CLOSE LONG 95  10 stop_loss   # stamped with the open of the candle, which is 00:01 too
    """)


def test_a_trade_may_open_and_close_again_within_one_symbol_and_slice() -> None:
    # A close order, then the pending entry of the other symbol: each symbol's candle is handled to its end.
    played = play("""
        00:00 A 100 100 100 100 1 | LONG stop=95
        00:00 B 100 100 100 100 1 | LONG stop=95
        00:01 A 100 111 100 111 1
        00:01 B 100 100 90  90  1
    """)
    played.assert_fills("""
        00:01 A OPEN  LONG 100 10 signal
        00:02 A CLOSE LONG 110 10 take_profit balance=10100
        00:01 B OPEN  LONG 100 10 signal      balance=10100
        00:02 B CLOSE LONG 95  10 stop_loss   balance=10050
    """)
