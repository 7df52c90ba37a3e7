"""How many orders of the account are open, as far as it was told: filters of the exchange limit their number.

It may be behind what the exchange knows, so it holds back entries only (spot_api.py).
"""

from collections.abc import Container, Sequence
from typing import NamedTuple

from app.exchange.order_reports import OrderReport
from app.models.orders import RESTING


class OpenCounts(NamedTuple):
    """Of one symbol, and of the whole account; `position` is the base asset that is there or is being bought."""

    orders: int = 0
    algo_orders: int = 0
    lists: int = 0
    all_orders: int = 0
    all_algo_orders: int = 0
    all_lists: int = 0
    position: float = 0.0


class OpenOrders:
    """Learns from every report, and is put right whenever all open orders were asked for."""

    def __init__(self) -> None:
        self._orders: dict[int, tuple[OrderReport, bool]] = {}

    def note(self, order: OrderReport, *, is_algo: bool) -> None:
        """One order as it is now."""
        if order.state in RESTING:
            self._orders[order.exchange_id] = order, is_algo
        else:
            self._orders.pop(order.exchange_id, None)

    def replace(self, orders: Sequence[OrderReport], algo: Container[int]) -> None:
        """All that are open."""
        self._orders = {order.exchange_id: (order, order.exchange_id in algo) for order in orders}

    def counts(self, symbol: str, held: float) -> OpenCounts:
        """Now; `held` is what the account has of the symbol's base asset."""
        rows = list(self._orders.values())
        own = [(order, is_algo) for order, is_algo in rows if order.symbol == symbol]
        return OpenCounts(
            len(own),
            sum(is_algo for _, is_algo in own),
            len({order.list_client_id for order, _ in own if order.list_client_id}),
            len(rows),
            sum(is_algo for _, is_algo in rows),
            len({order.list_client_id for order, _ in rows if order.list_client_id}),
            held + sum(max(0.0, order.quantity - order.filled) for order, _ in own if order.buys),
        )
