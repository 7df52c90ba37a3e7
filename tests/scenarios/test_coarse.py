"""Strategies on coarser candles: what the candles hold, when they close, when they are decided on.

An answer stands on the row of the session's candle with which its coarse candle opens.
"""

import asyncio
from typing import ClassVar

import pytest

from app.models.events import EndOfData
from app.models.market import Candle
from app.models.orders import Signal
from app.strategies.base import FLAT, View
from tests.scenarios.harness import Scripted, at, build, play, read_table, scenario_settings

FIVE = "strategy.timeframe=5m"


def told(candles: list[Candle]) -> list[str]:
    """`symbol minute open high low close volume` of each candle."""
    return [
        f"{c.symbol} {(c.open_time_ms - at('00:00')) // 60_000} "
        f"{c.open:g} {c.high:g} {c.low:g} {c.close:g} {c.volume:g}"
        for c in candles
    ]  # fmt: skip


def test_first_open_highest_high_lowest_low_last_close_summed_volume() -> None:
    played = play("""
        00:00 A 10 12 9  11 1
        00:01 A 11 15 10 12 2
        00:02 A 12 13 7  8  0
        00:03 A 8  9  8  9  4
        00:04 A 9  10 9  10 8
        00:05 A 10 11 10 11 1   # not finished at the end: it never closes
        00:06 A 11 99 1  12 1
    """, FIVE)  # fmt: skip
    assert told(played.asked) == ["A 0 10 15 7 10 15"]
    assert played.asked[0].timeframe == "5m"
    assert played.asked[0].close_time_ms == at("00:05")


def test_a_coarse_candle_is_built_from_the_candles_that_exist() -> None:
    played = play("""
        00:01 A 11 15 10 12 2   # nothing at 00:00, 00:02 and 00:03: nothing is invented
        00:04 A 9  10 8  10 8
        00:15 A 20 21 19 20 1   # no candle at all from 00:05 to 00:15: no candle of 5m either
        00:19 A 20 21 19 20 1
    """, FIVE)  # fmt: skip
    assert told(played.asked) == ["A 0 11 15 8 10 10", "A 15 20 21 19 20 2"]


def test_a_bucket_whose_last_candle_is_absent_closes_with_the_next_slice() -> None:
    # A's 5m candle ends at 00:05, its last candle is absent; the slice of B at 00:05 closes it, before A is back.
    played = play("""
        00:02 A 100 100 100 100 1
        00:05 B 50  50  50  50  1
        00:06 A 101 101 101 101 1
        00:07 A 102 102 102 102 1
    """, FIVE)  # fmt: skip
    assert told(played.asked) == ["A 0 100 100 100 100 1"]


def test_the_order_goes_out_with_the_slice_that_the_coarse_candle_closes_with() -> None:
    played = play("""
        00:00 A 100 100 100 100 1 | LONG stop=95
        00:01 A 100 100 100 100 1
        00:06 B 50  50  50  50  1   # closes at 00:07: the first slice after 00:05
        00:07 A 102 103 101 102 1
        00:08 A 104 104 104 104 1
    """, FIVE)  # fmt: skip
    played.assert_fills("""
        00:07 A OPEN  LONG 102 10 signal   # reference: the mark, 100
        00:09 A CLOSE LONG 104 10 end_of_data
    """)


def test_two_buckets_of_a_symbol_may_close_with_one_slice_oldest_first() -> None:
    played = play("""
        00:03 A 10 11 9 10 1
        00:03 B 50 51 49 50 1
        00:09 A 20 21 19 20 1   # closes its own bucket, and the one before it
        00:10 A 30 30 30 30 1
    """, FIVE, answer=lambda candle, view: FLAT)  # fmt: skip
    assert told(played.asked) == ["A 0 10 11 9 10 1", "A 5 20 21 19 20 1", "B 0 50 51 49 50 1"]


def test_symbols_are_asked_in_config_order() -> None:
    played = play("""
        00:03 C 10 11 9 10 1
        00:03 A 10 11 9 10 1
        00:04 B 10 11 9 10 1
    """, FIVE)  # fmt: skip
    assert [candle.symbol for candle in played.asked] == ["A", "B", "C"]


def test_a_candle_cut_by_the_start_of_the_warm_up_is_a_candle_too() -> None:
    played = play("~00:03 A 10 11 9 10 1\n~00:04 A 10 12 9 11 1\n00:05 A 11 11 11 11 1", FIVE)
    assert told(played.asked) == ["A 0 10 12 9 11 2"]


@pytest.mark.parametrize(("warmup", "signals"), [(4, 1), (5, 0)])
def test_a_coarse_candle_is_decided_on_when_its_slice_belongs_to_the_run(warmup: int, signals: int) -> None:
    marks = ["~" if minute < warmup else "" for minute in range(7)]
    table = "\n".join(f"{mark}00:0{minute} A 100 100 100 100 1" for minute, mark in enumerate(marks))
    played = play(table.replace("1\n", "1 | LONG stop=95\n", 1), FIVE)
    assert played.count("signals", "LONG") == signals
    assert len(played.asked) == 1


def test_broker_and_guard_always_use_the_sessions_timeframe() -> None:
    # Entered on a 5m candle, stopped out inside the next one, at the minute.
    rows = [f"00:{minute:02} A 100 100 100 100 1" for minute in range(5)]
    rows[0] += " | LONG stop=95"
    rows += ["00:05 A 100 101 99 100 1", "00:06 A 100 100 94 99 1", "00:07 A 99 99 99 99 1"]
    played = play("\n".join(rows), FIVE)
    played.assert_fills("""
        00:05 A OPEN  LONG 100 10 signal
        00:07 A CLOSE LONG 95  10 stop_loss
    """)
    assert len(played.rows) == 8


def test_a_strategy_may_look_at_coarser_candles() -> None:
    """Only closed ones, its own candle included; the books of all symbols are up to date before the first is asked."""
    seen: list[tuple[int, int, int]] = []

    class Looking(Scripted):
        timeframes: ClassVar[tuple[str, ...]] = ("5m",)

    def look(candle: Candle, view: View) -> Signal:
        if candle.symbol == "A":
            other = view.candles(symbol="B")
            seen.append((len(view.candles()), len(view.candles(timeframe="5m")), len(other)))
            assert view.candles(1) == (candle,)
            assert all(past.close_time_ms <= candle.close_time_ms for past in view.candles(timeframe="5m"))
        return FLAT

    table = "\n".join(f"00:{m:02} A 1 1 1 1 1\n00:{m:02} B 1 1 1 1 1" for m in range(11))
    events, _ = read_table(table)
    played = build(scenario_settings(), look, Looking)

    asyncio.run(played.runtime.handle([*events, EndOfData()]))
    assert seen == [(n + 1, (n + 1) // 5, n + 1) for n in range(11)]
