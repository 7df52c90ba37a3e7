"""Amounts add up to the last digit, and read back to the doubles that they came from."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.testnet.amounts import eight_digits, exact, floor_to, is_multiple, minus, plus, text_of, times, total

AMOUNTS = st.floats(1e-6, 1e9)


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_what_is_moved_comes_back(left: float, right: float, factor: float) -> None:
    moved = times(exact(right), exact(factor))
    assert minus(plus(exact(left), moved), moved) == exact(left)
    assert total([exact(left), moved, moved.copy_negate()]) == exact(left)


@given(AMOUNTS)
def test_text_reads_back(value: float) -> None:
    text = text_of(exact(value))
    assert float(text) == value and Decimal(text) == exact(value)
    assert "E" not in text and len(text.partition(".")[2]) >= 8


def test_texts_as_binance_prints_them() -> None:
    assert [text_of(Decimal(one)) for one in ("0", "1E+3", "0.5", "0E-8", "1.123456789")] == [
        "0.00000000", "1000.00000000", "0.50000000", "0.00000000", "1.123456789",
    ]  # fmt: skip


def test_steps_and_digits() -> None:
    step = Decimal("0.001")
    assert floor_to(Decimal("1.2349"), step) == Decimal("1.234") and floor_to(Decimal("1.2"), Decimal(0)) == Decimal(
        "1.2"
    )
    assert is_multiple(Decimal("1.234"), step) and not is_multiple(Decimal("1.2345"), step)
    assert eight_digits(Decimal("0.123456785")) == Decimal("0.12345678")
    assert eight_digits(Decimal("0.123456785"), rounded=True) == Decimal("0.12345679")
