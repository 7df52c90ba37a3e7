"""Numbers as exact text."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.exchange.decimals import decimal_of, floor_to_step, on_step, text_of


@pytest.mark.parametrize(
    ("value", "step", "text"),
    [
        (0.00001, "0.00001000", "0.00001"),
        (1e-8, "0.00000001", "0.00000001"),
        (60_000.0, "0.01", "60000"),
        (0.1 + 0.2, "0.1", "0.3"),
        (3 * 0.1, "0.10000000", "0.3"),
        (123_456_789.12, "0.01", "123456789.12"),
        (1e16, "1", "10000000000000000"),
        (2.5, "0.5", "2.5"),
        (100.0, "100", "100"),
    ],
)
def test_a_double_that_stands_for_a_multiple_is_that_multiple(value: float, step: str, text: str) -> None:
    number = on_step(value, Decimal(step))
    assert number is not None
    assert text_of(number) == text


@pytest.mark.parametrize(("value", "step"), [(0.35, "0.1"), (0.000015, "0.00001"), (0.3000001, "0.1"), (1.0, "0.3")])
def test_what_is_no_multiple_is_none(value: float, step: str) -> None:
    assert on_step(value, Decimal(step)) is None


def test_without_a_step_every_digit_of_the_double_is_kept() -> None:
    assert text_of(decimal_of(127.49228571428571)) == "127.49228571428571"
    assert on_step(127.49228571428571, Decimal(0)) == Decimal("127.49228571428571")
    assert text_of(Decimal("1E+3")) == "1000"
    assert text_of(Decimal("0.00")) == "0"


def test_floored() -> None:
    assert floor_to_step(Decimal("1.239"), Decimal("0.01")) == Decimal("1.23")
    assert floor_to_step(Decimal("1.239"), Decimal(0)) == Decimal("1.239")


@given(st.integers(0, 10**12), st.sampled_from(["0.00000001", "0.00001", "0.01", "0.5", "1", "10"]))
def test_every_multiple_that_a_double_can_hold_comes_back_exactly(count: int, step: str) -> None:
    exact = count * Decimal(step)
    number = on_step(float(exact), Decimal(step))
    assert number == exact
    text = text_of(exact)
    assert "E" not in text.upper()
    assert len(text.partition(".")[2]) <= len(step.partition(".")[2])
