"""Rounding, done once: quantities down, prices away from the entry, always to the exchange's own decimals."""

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.trading.instruments import Instrument

STEPS = st.sampled_from([1e-8, 1e-5, 0.001, 0.01, 0.1, 0.25, 0.3, 1.0, 5.0, 10.0])
VALUES = st.floats(1e-6, 1e6)


@pytest.mark.parametrize(
    ("quantity", "step", "expected"),
    [
        (0.123456789, 1e-8, 0.12345678),
        (0.29999, 0.1, 0.2),
        (0.3, 0.1, 0.3),  # 0.3 / 0.1 is 2.9999999999999996
        (0.1 + 0.2, 0.1, 0.3),
        (0.7 - 1e-11, 0.1, 0.7),  # within 1e-9 of a whole number of steps: that number
        (0.7 - 1e-9, 0.1, 0.6),
        (0.009, 0.01, 0.0),
        (7.0, 5.0, 5.0),
        (1e-9, 1e-8, 0.0),
    ],
)
def test_quantities_go_down(quantity: float, step: float, expected: float) -> None:
    assert Instrument(quantity_step=step).round_quantity(quantity) == expected


@pytest.mark.parametrize("quantity", [0.0, -1.0, float("nan"), float("inf"), float("-inf")])
def test_what_is_no_quantity_is_none(quantity: float) -> None:
    assert Instrument().round_quantity(quantity) == 0.0


@pytest.mark.parametrize(
    ("price", "up", "expected"),
    [
        (100.001, True, 100.01),
        (100.009, False, 100.0),
        (100.01, True, 100.01),
        (100.01, False, 100.01),
        (0.07 * 3, True, 0.21),  # 0.21000000000000002
        (0.07 * 3, False, 0.21),
    ],
)
def test_prices_go_the_way_they_are_told(price: float, up: bool, expected: float) -> None:
    assert Instrument(price_tick=0.01).round_price(price, up=up) == expected


def test_without_a_tick_a_price_stays() -> None:
    assert Instrument().round_price(1 / 3, up=True) == 1 / 3


def test_the_defaults_are_those_of_the_rules() -> None:
    assert Instrument() == Instrument(quantity_step=1e-8, min_quantity=0.0, min_notional=0.0, price_tick=None)


@given(VALUES, STEPS)
def test_a_rounded_quantity_is_a_multiple_never_above_by_more_than_the_tolerance(value: float, step: float) -> None:
    rounded = Instrument(quantity_step=step).round_quantity(value)
    count = round(Decimal(rounded) / Decimal(repr(step)))
    assert rounded == float(count * Decimal(repr(step)))
    assert rounded <= value + 1.1e-9 * step + 1e-15 * value
    assert value - rounded < step * (1 + 1e-9)


@given(VALUES, STEPS, st.booleans())
def test_rounding_twice_is_rounding_once(value: float, step: float, up: bool) -> None:
    # From some ten million steps on, neighbouring quotients lie farther apart than RULES.md's 1e-9, and a multiple
    # may count as the one below: 114 of 0.00001 is 11399999.999999998 steps.
    assume(value / step < 1e6)
    instrument = Instrument(quantity_step=step, price_tick=step)
    price, quantity = instrument.round_price(value, up=up), instrument.round_quantity(value)
    assert instrument.round_price(price, up=up) == price
    assert quantity == 0.0 or instrument.round_quantity(quantity) == quantity
