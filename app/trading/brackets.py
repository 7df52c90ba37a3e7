"""Brackets: how a position's stop, target and legs become OCO orders, each with a part of the quantity.

Every part of a position that can be sold is in exactly one of them.
"""

from dataclasses import dataclass

from app.models.orders import Position, Reason
from app.trading.instruments import Instrument


@dataclass
class Bracket:
    """One OCO that a position should have: sell `quantity` at `target`, or at the position's stop."""

    target: float
    quantity: float
    reason: Reason


def wanted_brackets(position: Position, instrument: Instrument) -> dict[float, Bracket]:
    """By target: one for each leg, the last one for all that is left.

    A leg that is too small for an order of its own is left to the next one, and the last to the one before it; legs at
    one price are one.
    """
    left, carried = instrument.round_quantity(position.quantity), 0.0
    brackets: list[Bracket] = []
    targets = [(leg.price, leg.quantity, Reason.PARTIAL_TARGET) for leg in position.legs]
    for target, asked, reason in [*targets, (position.target, left, Reason.TAKE_PROFIT)]:
        is_last = reason is Reason.TAKE_PROFIT
        quantity = left if is_last else min(left, instrument.round_quantity(asked + carried))
        if not instrument.is_enough(quantity, position.stop):
            carried = 0.0 if is_last else quantity
            if is_last and quantity > 0.0 and brackets:
                brackets[-1].quantity = instrument.round_quantity(brackets[-1].quantity + quantity)
            continue
        carried = 0.0
        left = instrument.round_quantity(left - quantity)
        if brackets and brackets[-1].target == target:
            quantity = instrument.round_quantity(brackets.pop().quantity + quantity)
        brackets.append(Bracket(target, quantity, reason))
    return {one.target: one for one in brackets}
