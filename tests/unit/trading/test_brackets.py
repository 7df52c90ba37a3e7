"""Brackets: every part of a position in one OCO, whatever its legs and the exchange's smallest order."""

from typing import Any

import pytest

from app.models.events import Execution
from app.models.exits import Leg
from app.models.intents import TARGET
from app.models.orders import HeldRange, OrderState, Position, Reason, Side
from app.strategies.base import long
from app.trading.brackets import wanted_brackets
from app.trading.instruments import Instrument
from tests.broker_scenes import A, Scene, ocos

GRID = Instrument(quantity_step=0.1, price_tick=0.1, min_notional=100.0)


def shape(
    quantity: float, legs: tuple[tuple[float, float], ...], grid: Instrument = GRID
) -> list[tuple[float, Any, str]]:
    """Target, quantity and reason of each, of a position with stop 90 and target 120."""
    position = Position(
        1, A, Side.LONG, quantity, quantity, 100.0, 0.0, 0, 90.0, 120.0, 90.0, 120.0, "", HeldRange(100.0, 100.0),
        legs=tuple(Leg(*one) for one in legs),
    )  # fmt: skip
    found = wanted_brackets(position, grid)
    assert all(target == one.target for target, one in found.items())
    return [(one.target, pytest.approx(one.quantity), one.reason.value) for one in found.values()]


def test_without_legs_one_bracket_has_all_that_can_be_sold() -> None:
    assert shape(9.99, ()) == [(120.0, 9.9, "take_profit")]


def test_each_leg_and_what_is_left() -> None:
    assert shape(10.0, ((105.0, 3.0), (110.0, 2.0))) == [
        (105.0, 3.0, "partial_target"), (110.0, 2.0, "partial_target"), (120.0, 5.0, "take_profit"),
    ]  # fmt: skip


def test_a_leg_below_the_smallest_order_is_left_to_the_next_one() -> None:
    assert shape(10.0, ((105.0, 1.0), (110.0, 2.0))) == [(110.0, 3.0, "partial_target"), (120.0, 7.0, "take_profit")]


def test_a_last_leg_below_the_smallest_order_is_left_to_the_target() -> None:
    assert shape(10.0, ((105.0, 3.0), (110.0, 1.0))) == [(105.0, 3.0, "partial_target"), (120.0, 7.0, "take_profit")]


def test_a_rest_below_the_smallest_order_goes_with_the_leg_before_it() -> None:
    assert shape(4.0, ((105.0, 1.5), (110.0, 2.0))) == [(105.0, 1.5, "partial_target"), (110.0, 2.5, "partial_target")]


def test_a_position_below_the_smallest_order_has_none() -> None:
    assert shape(1.1, ((105.0, 0.5),)) == [] and shape(0.05, ()) == []
    assert shape(5.0, (), Instrument(0.1, 6.0)) == []


def test_two_legs_at_one_price_are_one_bracket() -> None:
    """Half an R apart and a tick of one: both at 101."""
    assert shape(10.0, ((101.0, 3.0), (101.0, 3.0))) == [(101.0, 6.0, "partial_target"), (120.0, 4.0, "take_profit")]


def test_legs_at_one_price_protect_all_of_the_position() -> None:
    exits = {"partial": [{"at_r": 0.02, "fraction": 0.3}, {"at_r": 0.05, "fraction": 0.3}]}
    scene = Scene(instrument=Instrument(quantity_step=0.001, price_tick=1.0))
    found = scene.protected(long(stop=90.0, target=120.0, exits=exits))
    assert [(one.target, one.quantity) for one in found] == [(101.0, 6.0), (120.0, 4.0)]
    scene.fill(found[0], 101.0, TARGET)
    assert scene.position().legs == () and scene.new == [] and scene.reasons == ["partial_target"]


def test_a_leg_that_was_left_to_the_next_one_is_gone_with_it() -> None:
    """Else it would be asked for again, at a price that is past, and be refused."""
    exits = {"partial": [{"at_r": 0.5, "fraction": 0.1}, {"at_r": 1.0, "fraction": 0.3}]}
    scene = Scene(instrument=Instrument(quantity_step=0.001, price_tick=0.01, min_notional=100.0))
    found = scene.protected(long(stop=90.0, target=120.0, exits=exits))
    assert [(one.target, one.quantity) for one in found] == [(110.0, 4.0), (120.0, 6.0)]
    scene.part(found[0], 1.5, 110.0, TARGET)
    assert [leg.quantity for leg in scene.position().legs] == [2.5]
    scene.part(found[0], 2.5, 110.0, TARGET)
    assert scene.position().legs == () and scene.new == []
    assert scene.reasons == ["partial_target"] * 2 and scene.position().quantity == 6.0


def test_a_leg_filled_in_part_and_its_rest_too_small_is_joined_to_the_next() -> None:
    exits = {"partial": [{"at_r": 0.5, "fraction": 0.3}]}
    scene = Scene(instrument=Instrument(quantity_step=0.001, price_tick=0.01, min_notional=100.0))
    leg, last = scene.protected(long(stop=90.0, target=120.0, exits=exits))
    scene.part(leg, 2.0, 105.0, TARGET)
    scene.handle(Execution(leg.order_id, OrderState.EXPIRED, scene.time_ms, leg="s", filled=0.0))
    scene.tell(leg, OrderState.CANCELLED, TARGET, filled=2.0)
    (whole,) = ocos(scene.gone(last))
    assert (whole.quantity, whole.target, whole.stop) == (8.0, 120.0, 90.0), "nothing is left without a stop"
    assert scene.books.fills[-1].reason is Reason.PARTIAL_TARGET
