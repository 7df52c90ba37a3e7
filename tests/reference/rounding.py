"""Rounding to quantity steps and price ticks, as RULES.md writes it (part of the independent reference)."""

import math
from decimal import Decimal

TOLERANCE = 1e-9  # a quotient this near to a whole number of steps or ticks counts as that number


def round_to_multiple(value: float, step: float, up: bool) -> float:
    """Down or up to a multiple of a step, as the double nearest to the decimal multiple.

    "a quotient within 1e-9 of a whole number of steps counts as that number" (Decision: ticks too).
    """
    quotient = value / step
    count = round(quotient)
    if abs(quotient - count) > TOLERANCE:
        count = math.ceil(quotient) if up else math.floor(quotient)
    return float(Decimal(repr(step)) * count)


def round_to_tick(price: float, tick: float | None, up: bool) -> float:
    """Up or down to a price tick, if there is one."""
    return round_to_multiple(price, tick, up) if tick else price
