"""EXIT in every state, entries that are ignored, and the order in which one slice is decided."""

import pytest

from app.models.market import Candle
from app.models.orders import Action, Signal
from app.strategies.base import FLAT, View, exit_position, long
from tests.scenarios.harness import at, play

ENTER = "00:00 A 100 100 100 100 1 | LONG stop=95\n"


def test_exit_closes_a_position_at_the_next_open() -> None:
    played = play(
        ENTER
        + """
        00:01 A 100 101 99  100 1 | EXIT
        00:02 A 103 105 102 104 1
    """
    )
    played.assert_fills("""
        00:01 A OPEN  LONG 100 10 signal
        00:02 A CLOSE LONG 103 10 signal_exit realized_pnl=30
    """)
    assert played.count("exits_ordered") == played.count("signals", "EXIT") == 1


def test_exit_closes_a_position_at_the_mark_with_fill_close() -> None:
    played = play(ENTER + """
        00:01 A 100 102 99  101 1 | EXIT
        00:02 A 103 103 103 103 1
    """, "fill=close", "slippage_rate=0.01")  # fmt: skip
    played.assert_fills(
        """
        00:01 A OPEN  LONG 101   10 signal        # 100 * 1.01
        00:02 A CLOSE LONG 99.99 10 signal_exit   # 101 * 0.99
    """.replace("9.9  ", "10  ")
    )


def test_a_close_order_fills_before_the_stop_of_the_same_candle() -> None:
    played = play(
        ENTER
        + """
        00:01 A 100 101 99 100 1 | EXIT
        00:02 A 90  112 80 90  1   # opens below the stop: the close order comes first
    """
    )
    played.assert_fills("""
        00:01 A OPEN  LONG 100 10 signal
        00:02 A CLOSE LONG 90  10 signal_exit
    """)


def test_a_close_order_waits_for_a_traded_candle() -> None:
    played = play(
        ENTER
        + """
        00:01 A 100 101 99 100 1 | EXIT
        00:02 A 90  112 80 98  0
        00:03 A 97  98  96 97  1
    """
    )
    assert (played.fills[1].price, played.fills[1].reason) == (97, "signal_exit")


def test_exit_again_while_the_close_order_is_pending_is_ignored() -> None:
    played = play(
        ENTER
        + """
        00:01 A 100 101 99 100 1 | EXIT
        00:02 A 100 101 99 100 0 | EXIT
        00:03 A 100 101 99 100 1 | EXIT
    """
    )
    assert played.count("signals", "EXIT") == 3
    assert played.count("exits_ordered") == 1
    assert played.funnel["ignored"] == {"nothing_to_exit": 1, "exit_pending": 1}
    assert len(played.fills) == 2


def test_exit_cancels_a_pending_entry() -> None:
    played = play(
        ENTER
        + """
        00:01 A 100 101 99 100 0 | EXIT
        00:02 A 100 101 99 100 1
    """
    )
    assert played.fills == []
    assert played.funnel["cancelled"] == {"session_end": 0, "signal_exit": 1}
    assert played.count("orders_submitted") == 1
    assert played.count("unfilled_at_end") == 0


def test_exit_without_position_and_order_is_counted_and_ignored() -> None:
    played = play("00:00 A 100 100 100 100 1 | EXIT")
    assert played.fills == []
    assert played.count("signals", "EXIT") == played.count("ignored", "nothing_to_exit") == 1


def test_exit_passes_no_limit() -> None:
    # Halted, at the limit of positions and without room: the position is closed all the same.
    played = play(ENTER + """
        00:01 A 100 101 99 100 1
        kill
        00:02 A 100 101 99 100 0 | EXIT
        00:03 A 100 101 99 100 1
    """, "safety.max_open_positions=1", "safety.max_exposure=0.1")  # fmt: skip
    assert [fill.reason for fill in played.fills] == ["signal", "kill_switch"]
    assert played.count("ignored", "exit_pending") == 1


def test_an_entry_in_the_slice_of_the_exit_is_ignored_as_long_as_the_position_is_there() -> None:
    played = play(
        ENTER
        + """
        00:01 A 100 101 99 100 1 | EXIT
        00:02 A 100 101 99 100 0 | LONG stop=95
        00:03 A 100 101 99 100 1 | LONG stop=95
        00:04 A 100 101 99 100 1
    """
    )
    assert [fill.reason for fill in played.fills] == ["signal", "signal_exit", "signal", "end_of_data"]
    assert played.funnel["ignored"] == {"position_open": 1}


def test_symbols_are_decided_in_config_order_and_earlier_orders_count() -> None:
    # Room for 20 % of equity: A takes 10 %, B what is left after A's pending order, C finds none.
    played = play("""
        00:00 A 100 100 100 100 1 | LONG stop=95
        00:00 B 50  50  50  50  1 | LONG stop=49
        00:00 C 10  10  10  10  1 | LONG stop=9
        00:01 A 100 100 100 100 1
        00:01 B 50  50  50  50  1
        00:01 C 10  10  10  10  1
    """, "max_position_pct=0.15", "safety.max_exposure=0.2", "risk_per_trade=0.1")  # fmt: skip
    played.assert_fills("""
        00:01 A OPEN  LONG 100 15 signal        # 15 % of 10000
        00:01 B OPEN  LONG 50  10 signal        # (2000 - 1500) / 50
        00:02 A CLOSE LONG 100 15 end_of_data
        00:02 B CLOSE LONG 50  10 end_of_data
    """)
    assert played.funnel["refused_by_risk"] == {"no_quantity": 1}
    assert played.count("sized_by", "max_position_pct") == played.count("sized_by", "max_exposure") == 1


def test_fills_of_the_same_slice_count_under_fill_close() -> None:
    # A fills at once and pays 1 % of 1500 = 15; B is sized on equity 9985: 15 % / 50, room is large.
    played = play("""
        00:00 A 100 100 100 100 1 | LONG stop=95
        00:00 B 50  50  50  50  1 | LONG stop=49
    """, "fill=close", "commission_rate=0.01", "max_position_pct=0.15", "risk_per_trade=0.1",
         "safety.max_exposure=1")  # fmt: skip
    assert [fill.quantity for fill in played.fills[:2]] == pytest.approx([15.0, 9985 * 0.15 / 50], rel=1e-9)


def test_a_strategy_is_asked_for_every_candle_of_the_run() -> None:
    """Also while a position or an order exists, and while halted."""
    played = play(
        ENTER
        + """
        00:01 A 100 101 99 100 0
        00:02 A 100 101 99 100 1
        kill
        00:03 A 100 101 99 100 1 | LONG stop=95
        00:04 A 100 101 99 100 1
    """
    )
    assert [candle.open_time_ms for candle in played.asked] == [at(f"00:0{minute}") for minute in range(5)]
    assert played.funnel["refused_by_gate"] == {"halted": 1}


def test_an_exit_brings_its_own_tag_and_else_keeps_the_entrys() -> None:
    answers = {
        at("00:00"): long(stop=95.0, tag="in"),
        at("00:01"): exit_position(tag="out"),
        at("00:02"): long(stop=95.0, tag="again"),
        at("00:03"): exit_position(),
        at("00:04"): long(stop=95.0, tag="last"),
    }
    rows = [f"00:0{minute} A 100 100 100 100 1" for minute in range(5)] + ["00:05 A 100 100 90 100 1"]
    played = play("\n".join(rows), answer=lambda candle, view: answers.get(candle.open_time_ms, FLAT))
    assert [fill.reason for fill in played.fills[1::2]] == ["signal_exit", "signal_exit", "stop_loss"]
    assert [fill.tag for fill in played.fills] == ["in", "out", "again", "again", "last", "last"]


def test_a_flat_of_ones_own_is_flat_too() -> None:
    played = play("00:00 A 100 100 100 100 1\n00:01 A 100 100 100 100 1", answer=lambda *_: Signal(Action.FLAT))
    assert played.runtime.funnel.signals_generated == 0
    assert played.fills == []


def test_warm_up_updates_strategies_and_nothing_else() -> None:
    """No signal is counted, no order placed, no row recorded, and a mark of the warm-up is no reference."""

    def answer(candle: Candle, view: View) -> Signal:
        assert view.position is None or candle.open_time_ms == at("00:03")
        return long(stop=candle.close / 2) if candle.open_time_ms < at("00:03") else FLAT

    played = play("""
        ~00:00 A 100 100 100 100 1
        ~00:01 A 100 100 100 100 1
        00:02 A 200 200 200 200 1
        00:03 A 201 201 201 201 1
    """, answer=answer)  # fmt: skip
    assert len(played.asked) == 4
    assert played.count("signals", "LONG") == 1
    assert [(fill.opens, fill.price) for fill in played.fills] == [(True, 201), (False, 201)]
    assert len(played.rows) == 2


def test_the_view_shows_the_position_and_the_pending_entry() -> None:
    seen: list[tuple[bool, bool, float]] = []

    def answer(candle: Candle, view: View) -> Signal:
        seen.append((view.pending_entry is not None, view.position is not None, view.equity))
        if len(seen) == 1:
            return long(stop=90.0)
        return exit_position() if len(seen) == 3 else FLAT

    play("""
        00:00 A 100 100 100 100 1
        00:01 A 100 101 99 100 0
        00:02 A 100 101 99 101 1
        00:03 A 102 102 102 102 1
    """, answer=answer)  # fmt: skip
    assert seen == [(False, False, 10000), (True, False, 10000), (False, True, 10010), (False, False, 10020)]
