"""Amounts of an account, exact: decimals that add up to the last digit, made of texts and of doubles.

A double is the shortest decimal that reads back to it, as it is printed on the wire; products and sums keep every digit
(60 of them), so that money can be counted.
"""

from collections.abc import Iterable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal
from functools import reduce

ZERO = Decimal(0)
EXACT = Context(prec=60)
_EIGHT = Decimal("1e-8")


def exact(value: float) -> Decimal:
    """A double as the wire prints it."""
    return Decimal(repr(value))


def times(left: Decimal, right: Decimal) -> Decimal:
    """The product with all of its digits."""
    return EXACT.multiply(left, right)


def plus(left: Decimal, right: Decimal) -> Decimal:
    """The sum with all of its digits."""
    return EXACT.add(left, right)


def minus(left: Decimal, right: Decimal) -> Decimal:
    """The difference with all of its digits."""
    return EXACT.subtract(left, right)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The sum of many."""
    return reduce(plus, amounts, ZERO)


def eight_digits(value: Decimal, *, rounded: bool = False) -> Decimal:
    """What is kept of an amount that the exchange computes: 8 decimals, cut or rounded."""
    return value.quantize(_EIGHT, ROUND_HALF_UP if rounded else ROUND_DOWN, context=EXACT)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The greatest multiple of `step` that is not above; without a step the value itself."""
    return value if step == 0 else times(EXACT.divide_int(value, step), step)


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Whether it lies on the grid; without a step everything does."""
    return step == 0 or EXACT.remainder(value, step) == 0


def text_of(value: Decimal) -> str:
    """At least 8 decimals, more where there are more, never an exponent."""
    plain = format(value.normalize(EXACT) if value else ZERO, "f")
    whole, _, decimals = plain.partition(".")
    return f"{whole}.{decimals:0<8}"
