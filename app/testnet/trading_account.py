"""An account: balances free and locked, the orders and trades it ever had, and its count of unfilled orders.

Amounts are exact, and no balance goes below zero: what would take it there is a bug and is raised.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from app.testnet.amounts import ZERO, exact, plus
from app.testnet.spot_orders import Order, OrderGroup
from app.testnet.trading_errors import too_many_orders
from app.times import DAY_MS

# Interval's name in a header, its name in a refusal, its length.
_INTERVALS = (("10S", "10 SECOND", 10_000), ("1D", "1 DAY", DAY_MS))


@dataclass(frozen=True)
class Trade:
    """One fill; `commission` in its own asset."""

    trade_id: int
    symbol: str
    order_id: int
    list_id: int
    is_buyer: bool
    is_maker: bool
    price: Decimal
    quantity: Decimal
    quote_quantity: Decimal
    commission: Decimal
    commission_asset: str
    time_ms: int


@dataclass(slots=True)
class Balance:
    """Of one asset."""

    free: Decimal = ZERO
    locked: Decimal = ZERO


@dataclass(eq=False)
class TradingAccount:
    """What the exchange holds for one customer; `order_limits` are unfilled orders in 10 s and in a day."""

    name: str
    uid: int
    balances: dict[str, Balance]
    may_trade: bool
    may_withdraw: bool
    ip_restricted: bool
    order_limits: tuple[int, int]
    orders: dict[int, Order] = field(default_factory=dict)
    groups: dict[int, OrderGroup] = field(default_factory=dict)  # by order id
    lists: dict[int, OrderGroup] = field(default_factory=dict)
    resting: list[OrderGroup] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    trades_of: dict[int, list[Trade]] = field(default_factory=dict)  # by order id
    adjustments: list[tuple[int, str, Decimal]] = field(default_factory=list)
    external_locks: dict[str, Decimal] = field(default_factory=dict)
    updated_ms: int = 0
    touched: dict[str, None] = field(default_factory=dict)  # assets changed since balances were last sent, in order
    _counts: dict[str, tuple[int, int]] = field(default_factory=dict)  # interval: (its number, orders in it)

    def free(self, asset: str) -> Decimal:
        """What may be spent."""
        balance = self.balances.get(asset)
        return ZERO if balance is None else balance.free

    def total(self, asset: str) -> Decimal:
        """Free and locked."""
        balance = self.balances.get(asset)
        return ZERO if balance is None else plus(balance.free, balance.locked)

    def move(self, asset: str, *, free: Decimal = ZERO, locked: Decimal = ZERO) -> None:
        """Change a balance; what would take it below zero is a bug."""
        balance = self.balances.setdefault(asset, Balance())
        balance.free, balance.locked = plus(balance.free, free), plus(balance.locked, locked)
        self.touched[asset] = None
        if balance.free < 0 or balance.locked < 0:
            raise AssertionError(f"{self.name}: {asset} went below zero: {balance}")

    def open_groups(self, symbol: str | None = None) -> list[OrderGroup]:
        """What rests, oldest first."""
        return [group for group in self.resting if symbol in (None, group.symbol)]

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        """Open orders by id."""
        found = [order for group in self.open_groups(symbol) for order in group.open_orders]
        return sorted(found, key=lambda order: order.order_id)

    def counts(self, now_ms: int) -> dict[str, int]:
        """Unfilled orders by interval."""
        return {name: self._count(name, now_ms // length_ms) for name, _, length_ms in _INTERVALS}

    def check_count(self, added: int, now_ms: int) -> None:
        """-1015 if so many orders more would be too many."""
        for (name, words, length_ms), limit in zip(_INTERVALS, self.order_limits, strict=True):
            if self._count(name, now_ms // length_ms) + added > limit:
                raise too_many_orders(limit, words)

    def count(self, added: int, now_ms: int) -> None:
        """Orders more (placed), or fewer (filled for the first time); never below 0."""
        for name, _, length_ms in _INTERVALS:
            number = now_ms // length_ms
            self._counts[name] = (number, max(0, self._count(name, number) + added))

    def _count(self, name: str, number: int) -> int:
        counted, orders = self._counts.get(name, (number, 0))
        return orders if counted == number else 0


def opened_balances(balances: Mapping[str, float]) -> dict[str, Balance]:
    """What an account begins with."""
    return {asset: Balance(exact(float(amount))) for asset, amount in sorted(balances.items())}
