"""The reference's lines, allocations and protections on series that were worked out by hand."""

from typing import Any

import pytest

from tests.parity.by_hand import FLAT_100, SYMBOL, Prices, fills, play

BUY = {"stop": 98.0, "target": 106.0}  # from 100: the quantity is 20 / 2 = 10
FLAT: Prices = (100, 100.5, 99.5, 100)
FALL: Prices = (100, 100, 97, 100)  # reaches the stop 98, and is back at 100
LOSE: list[Prices] = [FLAT, FALL]
TWO = ({"id": "one", "allocation": 0.5}, {"id": "two", "allocation": 0.25})


def accepted(result: Any) -> list[int]:
    """The minutes at which entries were decided that were filled at the next open."""
    return [int(minute) for minute, _, _, reason in fills(result, 1) if reason == "signal"]


def every(rows: list[Prices]) -> dict[int, dict[str, float]]:
    """A signal on each candle."""
    return dict.fromkeys(range(len(rows)), BUY)


def test_cooldown() -> None:
    # Closed in the slice of minute 2 (the candle that opened at 1). Refused while decided < 2 + 3: at 2, 3 and 4.
    rows = [FLAT_100, FALL, *[FLAT] * 6]
    result = play(1, rows, every(rows), protections=[{"kind": "cooldown", "candles": 3}])
    assert accepted(result) == [1, 5]
    assert result.refused_by_gate["cooldown"] == 3


def test_cooldown_counts_from_the_slice_of_a_close_at_an_open() -> None:
    # The gap fills at minute 2, in the slice that closes at minute 3.
    rows = [FLAT_100, FLAT, (97, 97, 97, 100), *[FLAT] * 4]
    result = play(1, rows, every(rows), protections=[{"kind": "cooldown", "candles": 1}])
    assert fills(result, 1)[1] == (2, 97, 10, "stop_loss")
    assert accepted(result) == [1, 4]
    assert result.refused_by_gate["cooldown"] == 1


@pytest.mark.parametrize(("lookback", "refused"), [(4, 0), (5, 3)])
def test_stop_guard_looks_back(lookback: int, refused: int) -> None:
    # Losing stops at minutes 2 and 6. The first counts when 2 > 6 - L: not with L = 4, with L = 5.
    rows = [FLAT_100, FALL, FLAT, FLAT, FLAT, FALL, *[FLAT] * 6]
    signals = {0: BUY, 4: BUY} | dict.fromkeys(range(5, 12), BUY)
    guard = {"kind": "stop_guard", "lookback_candles": lookback, "stops": 2, "pause_candles": 3}
    result = play(1, rows, signals, protections=[guard])
    assert result.refused_by_gate["stop_guard"] == refused  # at 6, 7 and 8
    assert accepted(result) == [1, 5, 6 + refused]


def test_stop_guard_ignores_a_stop_that_wins() -> None:
    # The trailing stop 104 - 1 is a gain of 3; the time exit loses (10.03 from 10,030), but by no stop.
    rows = [FLAT_100, (100, 104, 100, 103.5), (103.5, 103.5, 100, 100), FLAT, (99, 99, 99, 99), *[FLAT] * 3]
    signals: dict[int, Any] = {
        0: {**BUY, "exits": {"trailing": {"distance_r": 0.5}}}, 2: {**BUY, "exits": {"time": {"candles": 1}}}, 4: BUY,
    }  # fmt: skip
    guard = {"kind": "stop_guard", "lookback_candles": 50, "stops": 1, "pause_candles": 50}
    result = play(1, rows, signals, protections=[guard])
    assert [row["reason"] for row in result.trades if row["action"] == "CLOSE"][:2] == ["trailing_stop", "time_exit"]
    assert [trade["pnl"] for trade in result.closed[:2]] == pytest.approx([30, -10.03])
    assert result.refused_by_gate["stop_guard"] == 0 and result.orders_submitted == 3


def test_losing_streak_starts_anew() -> None:
    # Each entry loses on its own candle. Two losses, at 2 and 3, pause until 5; then two more, at 6 and 7, until 9.
    rows = [FLAT_100, *[FALL] * 10]
    streak = {"kind": "losing_streak", "trades": 2, "pause_candles": 2}
    result = play(1, rows, every(rows), protections=[streak])
    assert accepted(result) == [1, 2, 5, 6, 9, 10]
    assert result.refused_by_gate["losing_streak"] == 5  # at 3, 4, 7, 8, and at 11


def test_a_gain_ends_the_losing_streak() -> None:
    rows = [FLAT_100, FALL, (100, 107, 100, 100), FALL, FALL, *[FLAT] * 2]
    streak = {"kind": "losing_streak", "trades": 2, "pause_candles": 1}
    result = play(1, rows, every(rows), protections=[streak])
    assert accepted(result) == [1, 2, 3, 4, 6]  # two in a row at 4 and 5


@pytest.mark.parametrize(("scope", "refused"), [("line", 0), ("strategy", 0), ("symbol", 1), ("account", 1)])
def test_scopes(scope: str, refused: int) -> None:
    # The trade of `one` is over at minute 2, when `two` has its first signal.
    rows = [FLAT_100, FALL, FLAT, FLAT]
    protections = [{"kind": "cooldown", "candles": 1, "scope": scope}]
    result = play(1, rows, {"one": {0: BUY}, "two": {1: BUY}}, strategies=TWO, protections=protections)
    assert result.refused_by_gate["cooldown"] == refused
    assert result.per_strategy["two"]["total_trades"] == 1 - refused


def test_the_first_that_refuses_is_counted() -> None:
    rows = [FLAT_100, FALL, FLAT, FLAT]
    cooldown = {"kind": "cooldown", "candles": 1}
    streak = {"kind": "losing_streak", "trades": 1, "pause_candles": 2}
    result = play(1, rows, every(rows), protections=[cooldown, streak])
    assert (result.refused_by_gate["cooldown"], result.refused_by_gate["losing_streak"]) == (1, 1)


def test_lines_in_opposite_directions() -> None:
    # E is 5,000 and 2,500: 5,000 * 0.002 / 2 = 5 and 2,500 * 0.002 / 4 = 1.25. The candle's lines in their order.
    sell = {"action": "SHORT", "stop": 104.0, "target": 90.0}
    rows = [FLAT_100, FLAT, (100, 105, 97, 100)]
    result = play(1, rows, {"one": {0: BUY}, "two": {0: sell}}, strategies=TWO)
    assert [(row["strategy"], row["side"], row["quantity"], row["price"]) for row in result.trades] == [
        ("one", "LONG", 5, 100), ("two", "SHORT", 1.25, 100), ("one", "LONG", 5, 98), ("two", "SHORT", 1.25, 104),
    ]  # fmt: skip
    assert result.per_strategy == {
        "one": {"total_trades": 1, "realized_pnl": pytest.approx(-10)},
        "two": {"total_trades": 1, "realized_pnl": pytest.approx(-5)},
    }


def test_what_one_strategy_filled_takes_room_from_the_next() -> None:
    # Room is 0.06 * 10,000 = 600: `one` takes 5 * 100, `two` would take 1.25 and has 100 / 100 left.
    both = {"one": {0: BUY}, "two": {0: {**BUY, "stop": 99.0}}}
    for fill in ("close", "next_open"):
        result = play(1, [FLAT_100, FLAT], both, strategies=TWO, safety={"max_exposure": 0.06}, fill=fill)
        assert [row["quantity"] for row in result.trades if row["action"] == "OPEN"] == [5, 1]


def test_a_time_exit_at_a_close_leaves_the_mark_to_the_end_of_the_candle() -> None:
    # `one` closes at 101 while the mark is still 100; `two`, 1.25 long from 100, is worth nothing yet in that row.
    rows = [FLAT_100, (100, 101, 99.5, 101)]
    timed = {**BUY, "exits": {"time": {"candles": 1}}}
    both: dict[str, Any] = {"one": {0: timed}, "two": {0: {**BUY, "stop": 96.0}}}
    result = play(1, rows, both, strategies=TWO, fill="close")
    closed = next(row for row in result.trades if row["reason"] == "time_exit")
    assert (closed["symbol"], closed["price"], closed["equity"]) == (SYMBOL, 101, pytest.approx(10_005))
    assert result.equity[-1][1] == pytest.approx(10_005 + 1.25)
