"""The reference's limit entries and managed exits on series that were worked out by hand, long and mirrored short."""

import pytest

from tests.parity.by_hand import FLAT_100, MINUTE, Prices, fills, play, total

BOTH = pytest.mark.parametrize("side", [1, -1])
BUY = {"stop": 98.0, "target": 106.0}  # from 100: R is 2, the quantity 20 / 2 = 10


def limit(price: float, valid: int = 1, **keys: object) -> dict[str, object]:
    """A limit entry with its stop 2 below: the quantity is 10."""
    return {"limit": price, "valid_candles": valid, "stop": price - 2, "target": 106.0, **keys}


# Limit entries.


@BOTH
@pytest.mark.parametrize(("slippage", "price"), [(0.005, 100.5), (0.02, 101.0)])
def test_a_limit_that_arrives_at_a_market_through_it(side: int, slippage: float, price: float) -> None:
    # open 100 is below 101: min(100 * (1 + s), 101), at the open, the taker's rate.
    result = play(
        side, [FLAT_100, (100, 101.5, 100, 101)], {0: limit(101)},
        slippage_rate=slippage, commission_rate=0.001, maker_commission_rate=0.0,
    )  # fmt: skip
    assert fills(result, side)[0] == (1, price, 10, "signal")
    opened = result.trades[0]
    assert opened["commission"] == pytest.approx(0.001 * opened["price"] * 10)
    assert opened["slippage"] == pytest.approx(abs(opened["price"] - 100) * 10)


@BOTH
@pytest.mark.parametrize(("limit_fill", "minute"), [("through", 3), ("touch", 2)])
def test_a_limit_that_rests(side: int, limit_fill: str, minute: int) -> None:
    # The first candle only touches 98; the second opens past it: what rests is filled at its price, at the close time.
    rows: list[Prices] = [FLAT_100, (100, 100, 98, 99), (97.5, 98.5, 97, 98)]
    result = play(
        side, rows, {0: limit(98, valid=3)}, limit_fill=limit_fill, slippage_rate=0.01, commission_rate=0.001,
        maker_commission_rate=-0.0001,
    )  # fmt: skip
    assert fills(result, side)[0] == (minute, 98, 10, "signal")
    opened = result.trades[0]
    assert opened["commission"] == pytest.approx(-0.0001 * opened["price"] * 10)
    assert opened["slippage"] == 0


@BOTH
def test_after_a_candle_without_trades_the_order_rests(side: int) -> None:
    rows: list[Prices] = [FLAT_100, (100, 100, 100, 100, 0), (100, 100.5, 99.5, 100)]
    result = play(side, rows, {0: limit(101, valid=2)}, slippage_rate=0.005)
    assert fills(result, side)[0] == (3, 101, 10, "signal")


@BOTH
@pytest.mark.parametrize("gap", [0, 1])
@pytest.mark.parametrize("late", [(80, 80, 80, 80), (99, 99, 99, 99, 0)])
def test_expiry_comes_first(side: int, late: Prices, gap: int) -> None:
    # Valid for the candles that open at minutes 1 and 2; the next one comes at minute 3 or 4 and trades far below.
    rows: list[Prices] = [FLAT_100, (100, 100, 99, 99), (99, 99, 98, 98), *[()] * gap, late, (98, 98, 98, 98)]
    result = play(side, rows, {0: limit(90, valid=2), 3 + gap: {"stop": 70.0}})
    assert result.cancelled == {"expired": 1, "kill_switch": 0, "signal_exit": 0}
    assert result.orders_submitted == 2 and result.ignored_entries == 0
    assert fills(result, side)[0][:2] == (4 + gap, 98)


def test_a_limit_is_rounded_away_from_the_market_and_is_the_reference() -> None:
    # 98.3 lies on no tick of 0.5: long 98, short 98.5. ATR 2 * 1.5 = 3 from there; reward 6; 20 / 3 in steps of 1: 6.
    rows: list[Prices] = [FLAT_100, (98.2, 99.1, 97.9, 98.5)]
    for side, price, stop, target in ((1, 98.0, 95.0, 104.0), (-1, 98.5, 101.5, 92.5)):
        action = "LONG" if side > 0 else "SHORT"
        signal = {"action": action, "limit": 98.3, "atr": 2.0}
        result = play(1, rows, {0: signal}, instrument={"price_tick": 0.5, "quantity_step": 1.0}, limit_fill="touch")
        opened = result.trades[0]
        assert (opened["price"], opened["quantity"]) == (price, 6)
        assert (opened["stop_loss"], opened["take_profit"]) == (stop, target)


@BOTH
@pytest.mark.parametrize(("levels", "refusal"), [
    ({"stop": 99.0}, "stop_distance"), ({"target": 97.5}, "target_side"), ({"target": 98.0}, "target_side"),
])  # fmt: skip
def test_levels_on_the_wrong_side_of_the_limit(side: int, levels: dict[str, float], refusal: str) -> None:
    result = play(side, [FLAT_100, FLAT_100], {0: limit(98) | levels})
    assert result.refused_by_risk[refusal] == total(result.refused_by_risk) == 1


@BOTH
def test_the_stop_on_the_candle_of_a_limit_fill(side: int) -> None:
    # Low 95.9 reaches the stop 96, high 107 the target 106: only the stop is looked at, and the candle is ambiguous.
    result = play(side, [FLAT_100, (99.5, 107, 95.9, 97)], {0: limit(98)})
    assert fills(result, side) == [(2, 98, 10, "signal"), (2, 96, 10, "stop_loss")]
    assert result.ambiguous["limit_and_target"] == total(result.ambiguous) == 1


@BOTH
def test_an_open_that_is_worse_than_the_stop_of_a_resting_fill(side: int) -> None:
    rows: list[Prices] = [FLAT_100, (100, 100, 99, 99), (95, 97, 94, 97)]
    result = play(side, rows, {0: limit(98, valid=2)})
    assert fills(result, side) == [(3, 98, 10, "signal"), (3, 95, 10, "stop_loss")]
    assert total(result.ambiguous) == 0


@BOTH
def test_the_target_waits_for_the_candle_after_a_limit_fill(side: int) -> None:
    rows: list[Prices] = [FLAT_100, (100, 107, 97, 99), (106.5, 107, 106, 106)]
    result = play(side, rows, {0: limit(98)})
    assert fills(result, side) == [(2, 98, 10, "signal"), (2, 106.5, 10, "take_profit")]
    assert result.ambiguous["limit_and_target"] == total(result.ambiguous) == 1


@BOTH
def test_best_takes_the_close_of_a_limit_fill(side: int) -> None:
    # R is 2. Best is the close 99, not the high 105: the stop trails to 99 - 2 = 97.
    rows: list[Prices] = [FLAT_100, (100, 105, 97.5, 99), (99, 99, 96.9, 97)]
    result = play(side, rows, {0: limit(98, exits={"trailing": {"distance_r": 1.0}})})
    assert fills(result, side) == [(2, 98, 10, "signal"), (3, 97, 10, "trailing_stop")]


@BOTH
def test_a_limit_waits_for_the_next_candle_with_fill_close(side: int) -> None:
    result = play(side, [FLAT_100, (100.2, 100.2, 99.5, 100)], {0: limit(101)}, fill="close")
    assert fills(result, side)[0] == (1, 100.2, 10, "signal")


# Stops that move.


@BOTH
@pytest.mark.parametrize(("close", "then", "price", "minute"), [
    (101, (101, 101, 100.4, 101), 100.5, 3),  # the stop lies below the market and is reached inside the candle
    (100.2, (100.2, 101, 100.2, 101), 100.2, 2),  # it lies beyond: the open is past it
])  # fmt: skip
def test_break_even(side: int, close: float, then: Prices, price: float, minute: int) -> None:
    # The first candle gains 1 R; its low 99 lies under the new stop 100.5, which holds from the next candle on.
    exits = {"break_even": {"at_r": 1.0, "offset_pct": 0.005}}
    result = play(side, [FLAT_100, (100, 102, 99, close), then], {0: {**BUY, "exits": exits}})
    assert fills(result, side) == [(1, 100, 10, "signal"), (minute, price, 10, "break_even")]


@BOTH
@pytest.mark.parametrize(("trailing", "stop", "reason"), [
    ({"distance_r": 1.0}, 100, "break_even"),  # 102 - 2: a tie
    ({"distance_r": 0.5}, 101, "trailing_stop"),
    ({"distance_r": 1.5}, 100, "break_even"),
    ({"distance_r": 0.5, "from_r": 1.1}, 100, "break_even"),  # best is 1 R away: not yet
    ({"distance_atr": 0.5}, 100.5, "trailing_stop"),  # ATR 3
])  # fmt: skip
def test_the_nearer_of_both_moves_the_stop(side: int, trailing: dict[str, float], stop: float, reason: str) -> None:
    exits = {"break_even": {"at_r": 1.0}, "trailing": trailing}
    rows: list[Prices] = [FLAT_100, (100, 102, 99, 101.5), (101.5, 101.5, 95, 95)]
    result = play(side, rows, {0: {**BUY, "atr": 3.0, "exits": exits}})
    assert fills(result, side)[1] == (3, stop, 10, reason)


def test_a_moved_stop_is_rounded_away_from_the_market() -> None:
    # best 102 * 0.99 = 100.98 -> 100.5 in ticks of 0.5; for a short 98 * 1.01 = 98.98 -> 99.
    rows: list[Prices] = [FLAT_100, (100, 102, 99, 101.5), (101.5, 101.5, 95, 95)]
    exits = {"trailing": {"distance_pct": 0.01}}
    for side, stop in ((1, 100.5), (-1, 99.0)):
        result = play(side, rows, {0: {**BUY, "exits": exits}}, instrument={"price_tick": 0.5})
        assert (result.trades[1]["price"], result.trades[1]["reason"]) == (stop, "trailing_stop")


@BOTH
def test_a_stop_never_moves_back(side: int) -> None:
    # Best stays 102 when the market falls; 102 - 1.5 * 2 = 99.
    rows: list[Prices] = [FLAT_100, (100, 102, 99.5, 101), (101, 101, 99.2, 99.5), (99.5, 100, 98.9, 99)]
    result = play(side, rows, {0: {**BUY, "exits": {"trailing": {"distance_r": 1.5}}}})
    assert fills(result, side)[1] == (4, 99, 10, "trailing_stop")


@BOTH
def test_a_signal_without_managed_exits_takes_those_of_the_strategy(side: int) -> None:
    rows: list[Prices] = [FLAT_100, (100, 102, 99.5, 101), (101, 101, 97, 97)]
    own = ({"id": "main", "exits": {"break_even": {"at_r": 1.0}}},)
    for signal, price, reason in ((BUY, 100, "break_even"), ({**BUY, "exits": {}}, 98, "stop_loss")):
        result = play(side, rows, {0: signal}, strategies=own)
        assert fills(result, side)[1] == (3, price, 10, reason)


# Legs.

LEGS = {"partial": [{"at_r": 1.0, "fraction": 0.5}, {"at_r": 2.0, "fraction": 0.25}]}


@BOTH
def test_legs(side: int) -> None:
    # Legs at 102 and 104. A leg at its price; one at the open, after which the same candle reaches the stop.
    rows: list[Prices] = [FLAT_100, (100, 102.5, 99, 102), (104.5, 105, 97.5, 98)]
    result = play(side, rows, {0: {**BUY, "exits": LEGS}}, commission_rate=0.001, maker_commission_rate=0.0)
    assert fills(result, side) == [
        (1, 100, 10, "signal"), (2, 102, 5, "partial_target"), (2, 104.5, 2.5, "partial_target"),
        (3, 98, 2.5, "stop_loss"),
    ]  # fmt: skip
    # The entry's commission 0.001 * 100 * 10 = 1 goes 0.5, 0.25, and what is left; the stop pays its own as a taker.
    exit_commission = 0.001 * result.trades[3]["price"] * 2.5
    pnls = [row["realized_pnl"] for row in result.trades]
    assert pnls == pytest.approx([0, 5 * 2 - 0.5, 2.5 * 4.5 - 0.25, -2.5 * 2 - 0.25 - exit_commission])
    # After the first leg, at the old mark 100: 5 are left with half of the commission; then the mark is 102.
    assert result.trades[1]["equity"] == pytest.approx(10_000 + 9.5 - 0.5)
    assert result.equity[1][1:] == pytest.approx((10_000 + 9.5 + 5 * 2 - 0.5, 10_000 + 9.5))
    assert [(trade["reason"], trade["pnl"]) for trade in result.closed] == [("stop_loss", pytest.approx(sum(pnls)))]
    assert result.ambiguous["stop_and_leg"] == total(result.ambiguous) == 1


@BOTH
def test_legs_and_the_target_in_one_candle(side: int) -> None:
    result = play(side, [FLAT_100, (100, 106.5, 99, 106)], {0: {**BUY, "exits": LEGS}})
    assert fills(result, side)[1:] == [
        (2, 102, 5, "partial_target"), (2, 104, 2.5, "partial_target"), (2, 106, 2.5, "take_profit"),
    ]  # fmt: skip
    result = play(side, [FLAT_100, (100, 101, 99, 101), (107, 108, 90, 95)], {0: {**BUY, "exits": LEGS}})
    assert fills(result, side)[1:] == [
        (2, 107, 5, "partial_target"), (2, 107, 2.5, "partial_target"), (2, 107, 2.5, "take_profit"),
    ]  # fmt: skip
    assert total(result.ambiguous) == 0


@BOTH
def test_legs_that_are_dropped(side: int) -> None:
    # 0.04 of 10 in steps of 1 is nothing; 3 R is the target itself.
    legs = [{"at_r": 1.0, "fraction": 0.04}, {"at_r": 2.0, "fraction": 0.19}, {"at_r": 3.0, "fraction": 0.5}]
    rows: list[Prices] = [FLAT_100, (100, 107, 99, 106)]
    result = play(side, rows, {0: {**BUY, "exits": {"partial": legs}}}, instrument={"quantity_step": 1.0})
    assert fills(result, side)[1:] == [(2, 104, 1, "partial_target"), (2, 106, 9, "take_profit")]
    assert result.legs_dropped == {"zero": 1, "past_target": 1}


# Time.


@BOTH
def test_time_exit(side: int) -> None:
    # Opened at minute 1: due with the candle that closes at minute 3 or later; one without trades does not count.
    exits = {"time": {"candles": 2}}
    flat = (100, 101, 99, 100)
    rows: list[Prices] = [FLAT_100, flat, flat, (100.5, 101, 99, 100)]
    assert fills(play(side, rows, {0: {**BUY, "exits": exits}}), side)[1] == (3, 100.5, 10, "time_exit")
    rows = [FLAT_100, flat, (100, 100, 100, 100, 0), (100.5, 101, 99, 100.2), (100.7, 101, 99, 100)]
    assert fills(play(side, rows, {0: {**BUY, "exits": exits}}), side)[1] == (4, 100.7, 10, "time_exit")
    rows = [FLAT_100, flat, (100, 101, 99, 100.3), flat]
    result = play(side, rows, {0: {**BUY, "exits": exits}}, fill="close")
    assert fills(result, side)[1] == (3, 100.3, 10, "time_exit")
    assert result.equity[2] == pytest.approx((3 * MINUTE, 10_003, 10_003))
