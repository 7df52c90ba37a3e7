"""What an exchange accepts for a symbol: quantity step, price tick, minimum quantity and notional.

All rounding of the project happens here, once: quantities down, protective prices away from the entry.
A rounded value is the double nearest to the decimal multiple, so it equals the price an exchange would print.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from math import floor, isfinite

_TOLERANCE = 1e-9  # RULES: a quotient this close to a whole number of steps counts as that number


@dataclass(frozen=True, slots=True)
class Instrument:
    """Limits of one symbol; zero or None means that there is none. Defaults are those of RULES.md."""

    quantity_step: float = 1e-8
    min_quantity: float = 0.0
    min_notional: float = 0.0
    price_tick: float | None = None

    def round_quantity(self, quantity: float) -> float:
        """Down to the quantity step; 0.0 for what is not a finite number above zero."""
        if not isfinite(quantity) or quantity <= 0.0:
            return 0.0
        return _multiple(_steps(quantity, self.quantity_step, up=False), self.quantity_step)

    def is_enough(self, quantity: float, price: float) -> bool:
        """Whether an exchange takes an order of so much."""
        return quantity > 0.0 and quantity >= self.min_quantity and quantity * price >= self.min_notional

    def without_error(self, quantity: float) -> float:
        """A sum or difference of quantities without the error of the sum, where it lies on the grid; else as it is (a
        fee that is kept in the base asset leaves quantities between the steps).
        """
        steps = round(quantity / self.quantity_step)
        nearest = _multiple(steps, self.quantity_step)
        return nearest if abs(quantity / self.quantity_step - steps) <= _TOLERANCE * max(1, steps) else quantity

    def round_price(self, price: float, *, up: bool) -> float:
        """To the price tick in the given direction; unchanged without a tick."""
        tick = self.price_tick
        return price if tick is None else _multiple(_steps(price, tick, up=up), tick)


def _steps(value: float, step: float, *, up: bool) -> int:
    quotient = value / step
    nearest = round(quotient)
    if abs(quotient - nearest) <= _TOLERANCE:
        return nearest
    return floor(quotient) + up


def _multiple(count: int, step: float) -> float:
    # 3 * 0.1 is 0.30000000000000004, a price that no exchange knows and that a candle's low of 0.3 would miss.
    # Whole numbers divide exactly and round once.
    numerator, denominator = _decimal_ratio(step)
    return count * numerator / denominator


@cache
def _decimal_ratio(step: float) -> tuple[int, int]:
    # repr() is the shortest decimal that means this double: the step as the exchange writes it.
    return Decimal(repr(step)).as_integer_ratio()
