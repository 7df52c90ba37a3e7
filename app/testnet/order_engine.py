"""The books of the exchange: orders are accepted, triggered, filled, cancelled and expired, and each of it is told.

Every change goes through here and is a whole: balances and locks, states, events, in one step. A list whose one order
trades or triggers loses the other at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from app.testnet import order_payloads as payloads
from app.testnet.amounts import minus, plus, times, total
from app.testnet.commissions import Commissions
from app.testnet.exchange_variants import Variants
from app.testnet.matching import Matching, Part, Step
from app.testnet.order_parts import OrderParts
from app.testnet.spot_orders import ALGO_TYPES, Order, OrderGroup
from app.testnet.trading_account import Trade, TradingAccount
from app.testnet.trading_errors import INSUFFICIENT, Refused

Event = tuple[str, dict[str, Any]]
_FIRST = {"reports_first": "executionReport", "list_first": "listStatus", "balances_first": "outboundAccountPosition"}


@dataclass
class _Numbers:
    """Ids are counters from 1 (of lists from 0), over all accounts."""

    order: int = 0
    order_list: int = -1
    trade: int = 0
    execution: int = 0


class OrderEngine:
    """Accounts come with each call; `symbol_of` gives `BTC/USDT` of `BTCUSDT`, `in_range` whether a taker may trade at
    a price (the execution rule).
    """

    def __init__(
        self,
        matching: Matching,
        commissions: Commissions,
        parts: OrderParts,
        variants: Variants,
        symbol_of: Callable[[str], str],
        in_range: Callable[[Order, Decimal, int], bool],
    ) -> None:
        self._matching, self._commissions, self._parts, self._variants = matching, commissions, parts, variants
        self._symbol_of, self._in_range = symbol_of, in_range
        self._numbers = _Numbers()
        self._change: list[Event] = []
        self.events: list[Event] = []

    def place(self, account: TradingAccount, group: OrderGroup, now_ms: int, *, as_list: bool = False) -> None:
        """Accept what was found right, and match it; -2010 where it cannot be paid, and then nothing has changed."""
        orders, symbol = group.orders, self._symbol_of(group.symbol)
        takes = {} if as_list else {orders[0].client_order_id: self._takes(orders[0], symbol, now_ms)}
        self._check_funds(account, group, takes.get(orders[0].client_order_id, []), now_ms)
        if as_list:
            self._numbers.order_list += 1
            group.list_id = self._numbers.order_list
        group.created_ms = group.updated_ms = now_ms
        for order in orders:
            self._numbers.order += 1
            order.order_id, order.created_ms, order.updated_ms = self._numbers.order, now_ms, now_ms
            if order.type not in ALGO_TYPES:
                order.working_ms = now_ms
            account.orders[order.order_id], account.groups[order.order_id] = order, group
            self._report(account, group, order, "NEW", now_ms)
        if as_list:
            account.lists[group.list_id] = group
            self._tell_list(account, group, now_ms)
        account.resting.append(group)
        account.count(len(orders), now_ms)
        self._relock(account, group)
        for order in orders:
            self._take(account, group, order, takes.get(order.client_order_id, []), now_ms)
        self._settle(account, group, now_ms)
        if group.open_orders and group.due_ms is None:
            group.due_ms = self._matching.first_check_ms(symbol, group, now_ms)

    def cancel(self, account: TradingAccount, group: OrderGroup, cancel_id: str, now_ms: int) -> list[Order]:
        """Cancel all of it that is open; the orders that were."""
        cancelled = group.open_orders
        for order in cancelled:
            order.cancel_id = cancel_id
            self._end(account, group, order, "CANCELED", now_ms)
        self._settle(account, group, now_ms)
        return cancelled

    def expire(self, account: TradingAccount, group: OrderGroup, now_ms: int, reason: str) -> None:
        """The exchange takes all of it away."""
        for order in group.open_orders:
            self._end(account, group, order, "EXPIRED", now_ms, reason)
        self._settle(account, group, now_ms)

    def check(self, account: TradingAccount, group: OrderGroup, at_ms: int) -> None:
        """What is due: a part that was left for later, or the next look at the market."""
        if group.parts:
            _, order, price, quantity = group.parts.pop(0)
            self._trade(account, group, order, price, quantity, is_maker=True, now_ms=at_ms)
        else:
            symbol = self._symbol_of(group.symbol)
            group.due_ms = self._matching.next_check_ms(symbol, group, at_ms)
            for step in self._matching.check(symbol, group, at_ms):
                if step.order.is_open:
                    self._make(account, group, step, at_ms)
        self._settle(account, group, at_ms)

    def skip_check(self, group: OrderGroup, at_ms: int) -> None:
        """Nobody trades now; look again when the market is looked at next."""
        group.due_ms = self._matching.next_check_ms(self._symbol_of(group.symbol), group, at_ms)

    def refuse(self, account: TradingAccount, group: OrderGroup, refusal: Refused, now_ms: int) -> None:
        """Tell of orders that the matching refused, where that is played."""
        for order in group.orders:
            self._numbers.order += 1
            order.order_id, order.created_ms, order.status = self._numbers.order, now_ms, "REJECTED"
            self._report(account, group, order, "REJECTED", now_ms, reason=refusal.reason or "NONE")
        self._flush(account, now_ms)

    def tell(self, account: TradingAccount, payload: dict[str, Any], now_ms: int) -> None:
        """An event of its own, and the balances it changed."""
        self._change.append((account.name, payload))
        self._flush(account, now_ms)

    def _takes(self, order: Order, symbol: str, now_ms: int) -> list[Part]:
        if order.type in ALGO_TYPES:
            return []
        return self._matching.takes(symbol, order, now_ms)

    def _check_funds(self, account: TradingAccount, group: OrderGroup, takes: list[Part], now_ms: int) -> None:
        first = group.orders[0]
        needed = group.needs(self._variants.stop_buy_locks, self._commissions.reserve_rate)
        if first.side == "BUY" and first.type == "MARKET":
            worth = total(times(*one) for one in takes)
            needed = times(worth, 1 + self._commissions.reserve_rate)
        if needed > account.free(group.locks_asset):
            raise Refused(-2010, INSUFFICIENT, reason="INSUFFICIENT_BALANCES")

    def _take(self, account: TradingAccount, group: OrderGroup, order: Order, takes: list[Part], now_ms: int) -> None:
        """The part of an order that trades as it arrives, and what its type says of the rest."""
        if not order.is_working:
            return
        if order.time_in_force == "FOK" and total(quantity for _, quantity in takes) < order.left:
            takes = []
        self._fill(account, group, order, takes, now_ms)
        if not order.is_open:
            return
        if not order.has_limit:
            self._end(account, group, order, "EXPIRED", now_ms, "INSUFFICIENT_LIQUIDITY")
        elif order.time_in_force == "IOC":
            self._end(account, group, order, "EXPIRED", now_ms, "UNFILLED_IOC_QUANTITY_EXPIRED")
        elif order.time_in_force == "FOK":
            self._end(account, group, order, "EXPIRED", now_ms, "UNFILLED_FOK_ORDER_EXPIRED")

    def _fill(self, account: TradingAccount, group: OrderGroup, order: Order, takes: list[Part], now_ms: int) -> None:
        """As a taker: within the execution rule, in as many trades as are played."""
        for price, quantity in takes:
            if not self._in_range(order, price, now_ms):
                self._end(account, group, order, "EXPIRED", now_ms, "EXECUTION_RULE_PRICE_RANGE_EXCEEDED")
                return
            for part in self._parts.of(order, quantity):
                self._trade(account, group, order, price, part, is_maker=False, now_ms=now_ms)

    def _make(self, account: TradingAccount, group: OrderGroup, step: Step, now_ms: int) -> None:
        """A step of the matching for one order."""
        order = step.order
        if step.triggers:
            order.working_ms = order.updated_ms = now_ms
            self._expire_others(account, group, order, now_ms)
            if self._variants.trigger_reports:
                self._report(account, group, order, "NEW", now_ms)
            if not self._can_pay(account, group, step.fills):
                self._end(account, group, order, "EXPIRED", now_ms, "REJECTED")
                return
            self._take(account, group, order, step.fills, now_ms)
            return
        if not step.is_maker:
            self._fill(account, group, order, step.fills, now_ms)
            return
        for price, quantity in step.fills:
            first, *later = self._parts.of(order, quantity)
            self._trade(account, group, order, price, first, is_maker=True, now_ms=now_ms)
            for place, part in enumerate(later, 1):
                group.parts.append((now_ms + place * self._parts.spread_ms, order, price, part))

    def _can_pay(self, account: TradingAccount, group: OrderGroup, fills: list[Part]) -> bool:
        if group.side == "SELL":
            return True
        worth = times(total(times(*one) for one in fills), 1 + self._commissions.reserve_rate)
        return worth <= plus(account.free(group.quote), group.locked)

    def _trade(
        self,
        account: TradingAccount,
        group: OrderGroup,
        order: Order,
        price: Decimal,
        quantity: Decimal,
        *,
        is_maker: bool,
        now_ms: int,
    ) -> None:
        """One fill: what is paid comes from what the group locked, then from what is free."""
        worth = times(price, quantity)
        asset, fee = self._commissions.of(account, group, price, quantity, is_maker=is_maker, now_ms=now_ms)
        if not order.executed and self._variants.fills_lower_count:
            account.count(-1, now_ms)
        if order.side == "BUY":
            received, gained = group.base, quantity
            paid = plus(worth, fee) if asset == group.quote else worth
        else:
            received, gained, paid = group.quote, worth, quantity
        from_lock = min(group.locked, paid)
        group.locked = minus(group.locked, from_lock)
        account.move(group.locks_asset, free=minus(from_lock, paid), locked=from_lock.copy_negate())
        account.move(received, free=minus(gained, fee) if asset == received else gained)
        if asset not in (group.base, group.quote):
            account.move(asset, free=fee.copy_negate())
        order.executed, order.quote_executed = plus(order.executed, quantity), plus(order.quote_executed, worth)
        order.status = "PARTIALLY_FILLED" if order.left else "FILLED"
        order.updated_ms = now_ms
        self._numbers.trade += 1
        trade = Trade(
            self._numbers.trade, order.symbol, order.order_id, group.list_id, order.side == "BUY", is_maker, price,
            quantity, worth, fee, asset, now_ms,
        )  # fmt: skip
        account.trades.append(trade)
        account.trades_of.setdefault(order.order_id, []).append(trade)
        self._report(account, group, order, "TRADE", now_ms, trade=trade)
        if self._variants.part_expires_stop or not order.left:
            self._expire_others(account, group, order, now_ms)
        else:
            for other in group.beside(order):  # it guards what is left
                other.quantity = minus(other.quantity, quantity)
        self._relock(account, group)

    def _expire_others(self, account: TradingAccount, group: OrderGroup, order: Order, now_ms: int) -> None:
        for other in group.beside(order):
            self._end(account, group, other, "EXPIRED", now_ms, "OCO_TRIGGER")

    def _end(
        self, account: TradingAccount, group: OrderGroup, order: Order, how: str, now_ms: int, reason: str | None = None
    ) -> None:
        order.status, order.updated_ms, order.expiry_reason = how, now_ms, reason
        group.parts = [part for part in group.parts if part[1] is not order]
        self._report(account, group, order, how, now_ms)
        self._relock(account, group)

    def _relock(self, account: TradingAccount, group: OrderGroup) -> None:
        """Lock what the open orders need, and free what they no longer do."""
        needed = group.needs(self._variants.stop_buy_locks, self._commissions.reserve_rate)
        change = minus(needed, group.locked)
        if change:
            account.move(group.locks_asset, free=change.copy_negate(), locked=change)
            group.locked = needed

    def _settle(self, account: TradingAccount, group: OrderGroup, now_ms: int) -> None:
        """The end of a change: a group that is done rests no more, and everything is told."""
        group.updated_ms = now_ms
        if group.parts:
            group.due_ms = group.parts[0][0]
        elif group.open_orders and group.due_ms is not None and group.due_ms <= now_ms:
            self.skip_check(group, now_ms)
        if not group.open_orders and group in account.resting:
            account.resting.remove(group)
            if group.is_list:
                self._tell_list(account, group, now_ms)
        self._flush(account, now_ms)

    def _report(
        self,
        account: TradingAccount,
        group: OrderGroup,
        order: Order,
        execution: str,
        now_ms: int,
        *,
        trade: Trade | None = None,
        reason: str = "NONE",
    ) -> None:
        self._numbers.execution += 1
        report = payloads.execution_report(
            order, group, execution, now_ms, self._numbers.execution, trade=trade, reject_reason=reason
        )
        self._change.append((account.name, report))

    def _tell_list(self, account: TradingAccount, group: OrderGroup, now_ms: int) -> None:
        self._change.append((account.name, payloads.list_status(group, now_ms)))

    def _flush(self, account: TradingAccount, now_ms: int) -> None:
        if account.touched:
            account.updated_ms = now_ms
            position = payloads.account_position(account, account.touched, now_ms)
            self._change.append((account.name, position))
            account.touched.clear()
        kinds = ("executionReport", "balanceUpdate", "externalLockUpdate", "listStatus", "outboundAccountPosition")
        first = _FIRST[self._variants.event_order]
        self._change.sort(key=lambda event: (event[1]["e"] != first, kinds.index(event[1]["e"])))
        self.events += self._change
        self._change = []
