"""Orders and the groups that they rest in: one order, or the two of an OCO, which share what they lock.

An order says what was asked and what became of it; nothing here decides or books anything.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from app.testnet.amounts import ZERO, minus, times

Side = Literal["BUY", "SELL"]
STOP_TYPES = ("STOP_LOSS", "STOP_LOSS_LIMIT")
TAKE_TYPES = ("TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
ALGO_TYPES = (*STOP_TYPES, *TAKE_TYPES)
LIMIT_TYPES = ("LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT")
OPEN = ("NEW", "PARTIALLY_FILLED")
NO_LIST = -1


@dataclass(slots=True)
class Order:
    """What was asked for, and how far it got; prices and quantities that were not given are 0."""

    symbol: str
    side: Side
    type: str
    quantity: Decimal
    client_order_id: str
    price: Decimal = ZERO
    stop_price: Decimal = ZERO
    quote_quantity: Decimal = ZERO  # of a MARKET order by its worth
    iceberg_quantity: Decimal = ZERO
    time_in_force: str = "GTC"
    stp: str = "EXPIRE_MAKER"
    strategy: dict[str, int] = field(default_factory=dict)  # strategyId and strategyType, where they were sent
    order_id: int = 0
    status: str = "NEW"
    created_ms: int = 0
    updated_ms: int = 0
    working_ms: int = -1
    executed: Decimal = ZERO
    quote_executed: Decimal = ZERO
    cancel_id: str | None = None
    expiry_reason: str | None = None

    @property
    def sign(self) -> int:
        """+1 to buy, -1 to sell."""
        return 1 if self.side == "BUY" else -1

    @property
    def is_open(self) -> bool:
        """Whether anything can still happen to it."""
        return self.status in OPEN

    @property
    def is_working(self) -> bool:
        """Whether it is on the book: a stop is not before it triggers."""
        return self.working_ms >= 0

    @property
    def has_limit(self) -> bool:
        """Whether it fills at no worse price than its own."""
        return self.type in LIMIT_TYPES

    @property
    def left(self) -> Decimal:
        """What is not filled."""
        return minus(self.quantity, self.executed)

    def worth(self, stop_buy_locks: str) -> Decimal:
        """What is left, in the quote asset, at the worst price it was asked for."""
        if self.has_limit:
            return times(self.left, self.price)
        return times(self.left, self.stop_price) if stop_buy_locks == "stop_price" else ZERO


@dataclass(slots=True, eq=False)
class OrderGroup:
    """One order, or a list of two of which one cancels the other.

    `arrived_in_gap`: there was no candle when it arrived, so its first one is yet to come.
    """

    account: str
    symbol: str
    base: str
    quote: str
    orders: tuple[Order, ...]
    list_id: int = NO_LIST
    list_client_id: str = ""
    created_ms: int = 0
    updated_ms: int = 0
    locked: Decimal = ZERO
    due_ms: int | None = None
    arrived_in_gap: bool = False
    parts: list[tuple[int, Order, Decimal, Decimal]] = field(default_factory=list)  # due, order, price, quantity

    @property
    def is_list(self) -> bool:
        """Whether it is an order list on the wire."""
        return self.list_id != NO_LIST

    @property
    def open_orders(self) -> list[Order]:
        """Those that are not done."""
        return [order for order in self.orders if order.is_open]

    @property
    def side(self) -> Side:
        """Of all of its orders."""
        return self.orders[0].side

    @property
    def locks_asset(self) -> str:
        """What it pays with."""
        return self.quote if self.side == "BUY" else self.base

    def needs(self, stop_buy_locks: str, fee_rate: Decimal) -> Decimal:
        """What must be locked for the dearest of its open orders; to buy, with a fee that is paid in the quote."""
        if self.side == "SELL":
            return max((order.left for order in self.open_orders), default=ZERO)
        worth = max((order.worth(stop_buy_locks) for order in self.open_orders), default=ZERO)
        return times(worth, 1 + fee_rate)

    def beside(self, order: Order) -> list[Order]:
        """The others of its list that are open."""
        return [one for one in self.open_orders if one is not order]
