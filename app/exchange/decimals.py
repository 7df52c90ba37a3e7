"""Numbers for an exchange as exact decimal text: no exponent, and no more digits than its step or tick has.

A double stands for a multiple of a step if it is one but for what rounding has left; nothing else is rounded.
"""

from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

_CLOSE = Decimal("1e-9")  # of the number: what rounding of doubles may have left


def decimal_of(value: float | str) -> Decimal:
    """The shortest decimal that reads back as this double; of text, the number that it says."""
    return Decimal(repr(value) if isinstance(value, float) else str(value))


def on_step(value: float, step: Decimal) -> Decimal | None:
    """The multiple of `step` that a double stands for; None if it is none. A step of 0 is no rule."""
    number = decimal_of(value)
    if step <= 0:
        return number
    nearest = (number / step).to_integral_value(ROUND_HALF_EVEN) * step
    return nearest if abs(nearest - number) <= abs(number) * _CLOSE else None


def floor_to_step(value: Decimal, step: Decimal) -> Decimal:
    """The next multiple of `step` that is not above."""
    return value if step <= 0 else (value / step).to_integral_value(ROUND_FLOOR) * step


def text_of(value: Decimal) -> str:
    """`0.00001`, `60000`, never `1E-5`."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
