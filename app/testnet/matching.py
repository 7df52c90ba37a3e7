"""What the engine asks of a way of matching: prices for a taker now, and what happens to what rests, and when.

A matching books nothing. It answers with prices and quantities; whether they can be paid is the engine's business.
"""

from decimal import Decimal
from typing import NamedTuple, Protocol

from app.testnet.spot_orders import Order, OrderGroup

Part = tuple[Decimal, Decimal]  # price, quantity


class Step(NamedTuple):
    """What happens to one resting order: it triggers, or is filled, or both."""

    order: Order
    fills: list[Part]
    is_maker: bool
    triggers: bool = False


class Matching(Protocol):
    """Symbols are those of the market, like `BTC/USDT`."""

    def reference(self, symbol: str, now_ms: int) -> float | None:
        """The last price, which stops and targets are compared with; None if there is no market at all."""

    def takes(self, symbol: str, order: Order, now_ms: int) -> list[Part]:
        """What an order gets at once, which is not more than what is left of it."""

    def first_check_ms(self, symbol: str, group: OrderGroup, now_ms: int) -> int | None:
        """When what came to rest now is looked at for the first time; None if never."""

    def check(self, symbol: str, group: OrderGroup, at_ms: int) -> list[Step]:
        """What happens to it at that time."""

    def next_check_ms(self, symbol: str, group: OrderGroup, at_ms: int) -> int | None:
        """When it is looked at again after the check at `at_ms`."""
