"""Risk and gate: distances, the three bounds, rounding, refusals; and orders that must never reach a broker."""

import asyncio
from math import inf, nan

import pytest

from app.errors import OrderError
from app.models.orders import Bound, CloseOrder, EntryOrder, Order, Reason, Side
from app.trading.execution import ExecutionEngine
from app.trading.exit_rules import FillRules
from app.trading.ledger import Ledger
from app.trading.paper_trader import PaperTrader
from tests.made import MINUTE_MS, made_account
from tests.scenarios.harness import Played, play


def entry(answer: str, *overrides: str, price: str = "100") -> Played:
    """One signal at this price, filled at the same price."""
    row = f"{price} {price} {price} {price} 1"
    return play(f"00:00 A {row} | {answer}\n00:01 A {row}", *overrides)


@pytest.mark.parametrize(("overrides", "quantity", "bound"), [
    (["risk_per_trade=0.001"], 10000 * 0.001 / 5, "risk_per_trade"),
    ([], 10000 * 0.10 / 100, "max_position_pct"),
    (["safety.max_exposure=0.05"], 10000 * 0.05 / 100, "max_exposure"),
    (["risk_per_trade=0.005", "max_position_pct=0.1", "safety.max_exposure=0.1"], 10, "risk_per_trade"),  # all equal
    (["max_position_pct=0.1", "safety.max_exposure=0.1"], 10, "max_position_pct"),
])  # fmt: skip
def test_the_least_of_three_bounds(overrides: list[str], quantity: float, bound: str) -> None:
    played = entry("LONG stop=95", *overrides)
    assert played.fills[0].quantity == pytest.approx(quantity, rel=1e-12)
    assert played.fills[0].sized_by == bound
    assert played.count("sized_by", bound) == 1


@pytest.mark.parametrize(("answer", "stop", "target"), [
    ("LONG atr=2", 100 - 3, 100 + 6),
    ("SHORT atr=2", 100 + 3, 100 - 6),
    ("LONG stop=96", 96, 108),
    ("SHORT stop=104", 104, 92),
    ("LONG stop=96 target=101", 96, 101),
    ("SHORT atr=2 target=99", 103, 99),
    ("LONG atr=99 stop=96", 96, 108),  # an own stop goes before the ATR
])  # fmt: skip
def test_levels_are_set_at_the_signal(answer: str, stop: float, target: float) -> None:
    played = entry(answer)
    assert (played.fills[0].stop, played.fills[0].target) == (stop, target)


def test_an_own_stop_is_taken_as_it_is() -> None:
    """To the bit: 0.7 - (0.7 - 0.1) is 0.09999999999999998."""
    assert entry("LONG stop=0.1", price="0.7").fills[0].stop == 0.1


def test_levels_stay_where_they_are_when_the_fill_is_elsewhere() -> None:
    played = play("00:00 A 100 100 100 100 1 | LONG atr=2\n00:01 A 104 104 104 104 1")
    assert (played.fills[0].price, played.fills[0].stop, played.fills[0].target) == (104, 97, 106)


@pytest.mark.parametrize(("answer", "stop", "target"), [
    ("LONG atr=2.1", 96.5, 106.5),    # 96.85 down, 106.3 up
    ("SHORT atr=2.1", 103.5, 93.5),   # 103.15 up, 93.7 down
    ("LONG stop=96.5 target=103.5", 96.5, 103.5),
    ("LONG stop=96.4 target=103.4", 96.0, 103.5),
    ("SHORT stop=103.4 target=96.6", 103.5, 96.5),
])  # fmt: skip
def test_levels_are_rounded_away_from_the_entry(answer: str, stop: float, target: float) -> None:
    played = entry(answer, "instruments={A: {price_tick: 0.5}}")
    assert (played.fills[0].stop, played.fills[0].target) == (stop, target)


@pytest.mark.parametrize(("step", "price", "quantity"), [
    ("0.3", "100", 9.9),          # 10 / 0.3 = 33.3 steps
    ("0.1", "100", 10.0),         # 100 steps exactly
    ("1e-5", "333.33", 3.00003),  # 3.000030000300003
    ("0.00000003", "3", 333.33333333),
    ("7", "100", 7.0),
    ("0.7", "14.2857142857142857", 70.0),  # 70.00000000000001 / 0.7 or 99.99999999999999: within 1e-9 of 100
])  # fmt: skip
def test_quantities_are_rounded_down_to_the_step(step: str, price: str, quantity: float) -> None:
    played = entry("LONG atr=0.1", f"instruments={{A: {{quantity_step: {step}}}}}", price=price)
    assert played.fills[0].quantity == quantity  # to the bit: the double nearest to the decimal multiple


def test_a_quotient_within_1e_9_of_a_whole_number_is_that_number() -> None:
    """0.3 / 0.1 is 2.9999999999999996 in doubles: three steps, three ticks."""
    played = entry("LONG stop=95 size_factor=0.03", "instruments={A: {quantity_step: 0.1}}")
    assert played.fills[0].quantity == 0.3
    played = entry("LONG stop=0.3 target=1.7", "instruments={A: {price_tick: 0.1}}", price="1")
    assert (played.fills[0].stop, played.fills[0].target) == (0.3, 1.7)
    almost = entry("LONG stop=95 size_factor=0.0299999999", "instruments={A: {quantity_step: 0.1}}")
    assert almost.fills[0].quantity == 0.2  # 2.99999999 steps


def test_the_size_factor_scales_before_rounding() -> None:
    played = entry("LONG stop=95 size_factor=0.33", "instruments={A: {quantity_step: 0.5}}")
    assert played.fills[0].quantity == 3.0


@pytest.mark.parametrize(("answer", "overrides", "refusal"), [
    ("LONG atr=0", [], "stop_distance"),
    ("LONG atr=-1", [], "stop_distance"),
    ("LONG atr=nan", [], "stop_distance"),
    ("LONG atr=inf", [], "stop_distance"),
    ("LONG stop=100", [], "stop_distance"),
    ("LONG stop=101", [], "stop_distance"),
    ("SHORT stop=99", [], "stop_distance"),
    ("LONG atr=1e-18", [], "stop_distance"),  # lost in the subtraction
    ("LONG stop=100.2", ["instruments={A: {price_tick: 0.5}}"], "stop_distance"),  # rounding does not save it
    ("LONG stop=95 target=100", [], "target_side"),
    ("SHORT stop=105 target=101", [], "target_side"),
    ("LONG stop=95", ["instruments={A: {quantity_step: 11}}"], "no_quantity"),
    ("LONG stop=95", ["instruments={A: {min_quantity: 10.1}}"], "min_quantity"),
    ("LONG stop=95", ["instruments={A: {min_notional: 1000.1}}"], "min_notional"),
])  # fmt: skip
def test_refused_by_risk(answer: str, overrides: list[str], refusal: str) -> None:
    played = entry(answer, *overrides, price="100.1" if "100.2" in answer else "100")
    assert played.fills == []
    assert played.funnel["refused_by_risk"] == {refusal: 1}
    assert played.count("orders_submitted") == 0


@pytest.mark.parametrize("limit", ["min_quantity: 10", "min_notional: 1000"])
def test_a_minimum_that_is_met_exactly_is_met(limit: str) -> None:
    assert len(entry("LONG stop=95", f"instruments={{A: {{{limit}}}}}").fills) == 2


def test_exposure_is_taken_at_the_marks_of_this_slice() -> None:
    # A: 10 units, now at 150: exposure 1500, equity 10500, room 0.2 * 10500 - 1500 = 600 for B.
    played = play("""
        00:00 A 100 100 100 100 1 | LONG stop=50 target=900
        00:01 A 100 150 100 150 1
        00:01 B 10  10  10  10  1 | LONG stop=9
        00:02 B 10  10  10  10  1
    """, "risk_per_trade=0.05")  # fmt: skip
    assert played.fills[1].quantity == pytest.approx(600 / 10, rel=1e-12)
    assert played.fills[1].sized_by == "max_exposure"


def test_the_exposure_of_a_short_takes_room_too() -> None:
    # A: 10 units short, now at 90: exposure 900, equity 10100, room 0.2 * 10100 - 900 = 1120 for B.
    played = play("""
        00:00 A 100 100 100 100 1 | SHORT stop=150 target=1
        00:01 A 100 100 90  90  1
        00:01 B 10  10  10  10  1 | LONG stop=9
        00:02 B 10  10  10  10  1
    """, "risk_per_trade=0.05", "max_position_pct=0.15")  # fmt: skip
    assert [fill.quantity for fill in played.fills[:2]] == [10, 112]
    assert played.fills[1].sized_by == "max_exposure"


def test_equity_counts_the_entry_commission_of_open_positions() -> None:
    # A costs 1 % of 1000 = 10; B is sized on 9990.
    played = play("""
        00:00 A 100 100 100 100 1 | LONG stop=95
        00:01 A 100 100 100 100 1
        00:01 B 10  10  10  10  1 | LONG stop=9
        00:02 B 10  10  10  10  1
    """, "commission_rate=0.01", "safety.max_exposure=1", "risk_per_trade=0.02")  # fmt: skip
    assert played.fills[1].quantity == pytest.approx(9990 * 0.1 / 10, rel=1e-12)


def test_no_room_left_is_refused() -> None:
    played = play("""
        00:00 A 100 100 100 100 1 | LONG stop=95
        00:01 A 100 101 100 101 1
        00:01 B 10  10  10  10  1 | LONG stop=9
        00:02 B 10  10  10  10  1
    """, "safety.max_exposure=0.1")  # fmt: skip
    assert played.funnel["refused_by_risk"] == {"no_quantity": 1}  # room is negative: 0.1 * 10010 - 1010


def impossible(**changes: object) -> Order:
    values: dict[str, object] = {
        "order_id": 1, "symbol": "A", "side": Side.LONG, "quantity": 1.0, "reference": 100.0, "stop": 95.0,
        "target": 110.0, "sized_by": Bound.RISK, "tag": "", "signal_time_ms": 0,
    }  # fmt: skip
    return EntryOrder(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("order", [
    impossible(symbol="UNKNOWN"),
    CloseOrder(1, "UNKNOWN", Reason.SIGNAL_EXIT, 0, ""),
    impossible(quantity=0.0), impossible(quantity=-1.0), impossible(quantity=nan), impossible(quantity=inf),
    impossible(stop=100.0), impossible(stop=101.0), impossible(stop=nan),
    impossible(side=Side.SHORT, stop=99.0, target=90.0),
    impossible(target=100.0), impossible(target=nan),
], ids=str)  # fmt: skip
def test_an_impossible_order_never_reaches_a_broker(order: Order) -> None:
    account = made_account(10000.0, "A", "B")
    account.marks["A"] = 100.0
    broker = PaperTrader(Ledger(account, lambda fill: None, MINUTE_MS), FillRules(fill_at_close=True))
    engine = ExecutionEngine(broker, account, MINUTE_MS)
    with pytest.raises(OrderError, match=order.symbol):
        asyncio.run(engine.submit_order(order))
    assert not account.positions
    assert not account.pending
