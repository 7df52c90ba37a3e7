"""In how many trades an order is filled: one, or some of different size, drawn from the seed and the order's id.

The parts add up to the quantity, each on the symbol's step; those of a resting order may come one after the other.
"""

import hashlib
from collections.abc import Callable
from decimal import Decimal

from app.testnet.amounts import exact, floor_to, minus, times
from app.testnet.spot_orders import Order


class OrderParts:
    """`most` trades for an order (1: never split); a resting one's come `spread_ms` apart."""

    def __init__(self, seed: int, most: int, spread_ms: int, step_of: Callable[[str], Decimal]) -> None:
        self._seed, self._most, self.spread_ms = seed, most, spread_ms
        self._step_of = step_of

    def of(self, order: Order, quantity: Decimal) -> list[Decimal]:
        """The quantities, in order; at least one."""
        count = 1 + int(self._unit(order, "count") * self._most) if self._most > 1 else 1
        step, parts = self._step_of(order.symbol), []
        for place in range(count - 1):
            share = exact(round(0.2 + 0.6 * self._unit(order, str(place)), 3))
            part = floor_to(times(quantity, share), step)
            if 0 < part < quantity:
                parts.append(part)
                quantity = minus(quantity, part)
        return [*parts, quantity]

    def _unit(self, order: Order, what: str) -> float:
        return unit(self._seed, f"{order.order_id}:{order.executed}:{what}")


def unit(seed: int, what: str) -> float:
    """A number from 0 to below 1 that depends on nothing else."""
    digest = hashlib.blake2b(f"{seed}:{what}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2.0**64
