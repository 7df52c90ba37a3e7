"""For how long something that a session bought lay at the exchange without a stop that rests.

The rule: it is measured from the exchange's side, after each change there; the ledger is asked for its dust only.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.testnet.spot import wire_name
from app.testnet.spot_orders import STOP_TYPES
from app.testnet.trading_account import TradingAccount


@dataclass
class Gap:
    """A time in which something that was bought lay unprotected at the exchange, in seconds of the loop."""

    symbol: str
    began_s: float
    ended_s: float
    most: float = 0.0


class Protection:
    """`price` tells what a symbol is worth now; what is worth less than `least_worth` cannot be protected."""

    def __init__(self, symbols: Sequence[str], price: Callable[[str, int], float | None]) -> None:
        self.gaps: list[Gap] = []
        self.held: dict[str, Decimal] = {}  # by the name on the wire: what the session's trades come to
        self.dust: Callable[[str], float] = lambda _symbol: 0.0
        self.least_worth = 0.0
        self._symbols, self._price = symbols, price
        self._open_gaps: dict[str, Gap] = {}
        self._known = 0  # trades

    def measure(self, account: TradingAccount, now_ms: int) -> None:
        """As it is now."""
        now_s = asyncio.get_running_loop().time()
        while self._known < len(account.trades):
            trade = account.trades[self._known]
            self._known += 1
            if not is_own(account.orders[trade.order_id].client_order_id):
                continue
            base = account.groups[trade.order_id].base
            change = trade.quantity if trade.is_buyer else -trade.quantity
            if trade.commission_asset == base:
                change -= trade.commission
            self.held[trade.symbol] = self.held.get(trade.symbol, Decimal(0)) + change
        for symbol in self._symbols:
            name = wire_name(symbol)
            bare = float(self.held.get(name, 0)) - self.dust(symbol) - _stops(account, name)
            price = self._price(symbol, now_ms) or 0.0
            gap = self._open_gaps.get(symbol)
            if bare * price > self.least_worth * 1.02 + 1e-6:
                if gap is None:
                    gap = self._open_gaps[symbol] = Gap(symbol, now_s, now_s)
                    self.gaps.append(gap)
                gap.most = max(gap.most, bare)
            elif gap is not None:
                del self._open_gaps[symbol]
            if gap is not None:
                gap.ended_s = now_s


def _stops(account: TradingAccount, name: str) -> float:
    """What the session's stops that rest would sell of a symbol."""
    resting = [order for group in account.resting if group.symbol == name for order in group.open_orders]
    stops = [one for one in resting if one.type in STOP_TYPES and not one.is_working]
    return sum(float(one.left) for one in stops if is_own(one.client_order_id))


def is_own(client_id: str) -> bool:
    """Whether it is of a session's making."""
    return client_id.count("-") == 3
