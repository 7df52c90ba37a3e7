"""Requests that change orders: new, cancel, cancel-replace, OCO and its cancel, each checked in the exchange's order.

First what the request itself gets wrong, then the symbol and the filters, the count of unfilled orders, and last what
the matching refuses. A refusal leaves everything as it was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.testnet import order_payloads as payloads
from app.testnet.account_queries import AccountQueries, find_list
from app.testnet.amounts import EXACT, floor_to
from app.testnet.exchange_variants import Variants
from app.testnet.order_engine import OrderEngine
from app.testnet.order_params import (
    PLAIN,
    Params,
    check_response_type,
    choice,
    client_id,
    oco_of,
    order_of,
    text,
    whole,
)  # fmt: skip
from app.testnet.spot_orders import STOP_TYPES, TAKE_TYPES, Order, OrderGroup
from app.testnet.symbol_rules import ExchangeRules
from app.testnet.symbols import Symbols
from app.testnet.trading_account import TradingAccount
from app.testnet.trading_errors import BAD_PRICES, CLOSED, UNKNOWN_ORDER, WOULD_MATCH, Refused

Answer = tuple[int, Any]
_RESTRICTIONS = {"ONLY_NEW": "NEW", "ONLY_PARTIALLY_FILLED": "PARTIALLY_FILLED"}


@dataclass(frozen=True)
class OrderRequests:
    """The POST and DELETE endpoints; `generate` makes a client id."""

    engine: OrderEngine
    queries: AccountQueries
    symbols: Symbols
    rules: ExchangeRules
    variants: Variants
    generate: Callable[[], str]

    def place(self, account: TradingAccount, params: Params, now_ms: int) -> Answer:
        """POST order."""
        group = self._single(account, params, now_ms)
        order = group.orders[0]
        kind = check_response_type(params, "FULL" if order.type in ("MARKET", "LIMIT") else "ACK")
        account.check_count(1, now_ms)
        self._send(account, group, now_ms)
        return 200, self._placed(account, order, group, kind)

    def test(self, account: TradingAccount, params: Params, now_ms: int) -> Answer:
        """POST order/test: checked, and not sent."""
        self._single(account, params, now_ms)
        return 200, {}

    def cancel(self, account: TradingAccount, params: Params, now_ms: int) -> Answer:
        """DELETE order; of an order of a list the whole list."""
        symbol = self.symbols.known(text(params, "symbol"))
        order_id, asked = whole(params, "orderId"), params.get("origClientOrderId")
        if order_id is None and not asked:
            raise Refused(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
        order = self._to_cancel(account, symbol, order_id, asked, params.get("cancelRestrictions"))
        cancel_id = client_id(params, "newClientOrderId", self.generate)
        return 200, self._cancelled(account, order, cancel_id, now_ms)

    def cancel_all(self, account: TradingAccount, params: Params, now_ms: int) -> Answer:
        """DELETE openOrders: all of a symbol."""
        symbol = self.symbols.known(text(params, "symbol"))
        groups = account.open_groups(symbol)
        if not groups:
            raise Refused(-2011, UNKNOWN_ORDER)
        self._check_may_cancel(symbol)
        return 200, [self._cancelled(account, one.open_orders[0], self.generate(), now_ms) for one in groups]

    def place_oco(self, account: TradingAccount, params: Params, now_ms: int) -> Answer:
        """POST orderList/oco."""
        name, rules = self._open_symbol(params)
        above, below = oco_of(params, name, rules, self.generate)
        kind = check_response_type(params, self.variants.list_reports)
        if not rules.oco_allowed:
            raise Refused(-2010, "OCO orders are not supported for this symbol")
        group = self._group(account, (above, below))
        group.list_client_id = client_id(params, "listClientOrderId", self.generate)
        self._check_filters(account, group, now_ms, as_list=True)
        account.check_count(2, now_ms)
        self._send(account, group, now_ms, as_list=True)
        reports = [self._placed(account, one, group, kind) for one in group.orders]
        return 200, payloads.listed(group, now_ms) | {"orderReports": reports}

    def cancel_list(self, account: TradingAccount, params: Params, now_ms: int) -> Answer:
        """DELETE orderList."""
        symbol = self.symbols.known(text(params, "symbol"))
        list_id, asked = whole(params, "orderListId"), params.get("listClientOrderId")
        if list_id is None and not asked:
            raise Refused(-1102, "Param 'orderListId' or 'listClientOrderId' must be sent, but both were empty/null!")
        group = find_list(account, symbol, list_id, asked)
        if group is None or not group.open_orders:
            raise Refused(-2011, UNKNOWN_ORDER)
        self._check_may_cancel(symbol)
        return 200, self._cancelled(
            account, group.orders[0], client_id(params, "newClientOrderId", self.generate), now_ms
        )

    def cancel_replace(self, account: TradingAccount, params: Params, now_ms: int) -> Answer:
        """POST order/cancelReplace: two steps, of which each can fail; filters and count come before either."""
        modes = ("STOP_ON_FAILURE", "ALLOW_FAILURE")
        mode = choice(params, "cancelReplaceMode", modes, Refused(-1130, _not_valid("cancelReplaceMode")))
        over = choice(
            params, "orderRateLimitExceededMode", ("DO_NOTHING", "CANCEL_ONLY"),
            Refused(-1130, _not_valid("orderRateLimitExceededMode")), "DO_NOTHING",
        )  # fmt: skip
        order_id, asked = whole(params, "cancelOrderId"), params.get("cancelOrigClientOrderId")
        if order_id is None and not asked:
            raise Refused(
                -1102, "Param 'cancelOrigClientOrderId' or 'cancelOrderId' must be sent, but both were empty/null!"
            )
        group = self._single(account, params, now_ms)
        kind = check_response_type(params, "FULL" if group.orders[0].type in ("MARKET", "LIMIT") else "ACK")
        too_many: Refused | None = None
        try:
            account.check_count(1, now_ms)
        except Refused as refusal:
            if over == "DO_NOTHING":
                raise
            too_many = refusal
        cancel_id = client_id(params, "cancelNewClientOrderId", self.generate)
        try:
            order = self._to_cancel(account, group.symbol, order_id, asked, params.get("cancelRestrictions"))
            cancelled, was_cancelled = self._cancelled(account, order, cancel_id, now_ms, alone=True), True
        except Refused as refusal:
            cancelled, was_cancelled = refusal.body, False
        placed, result = None, "NOT_ATTEMPTED"
        if too_many is not None:
            placed, result = (too_many.body, "FAILURE") if was_cancelled else (None, "NOT_ATTEMPTED")
        elif was_cancelled or mode == "ALLOW_FAILURE":
            try:
                self._send(account, group, now_ms)
                placed, result = self._placed(account, group.orders[0], group, kind), "SUCCESS"
            except Refused as refusal:
                placed, result = refusal.body, "FAILURE"
        else:
            account.count(1, now_ms)
        return _replaced(cancelled, placed, was_cancelled, result, is_over=too_many is not None)

    def _single(self, account: TradingAccount, params: Params, now_ms: int) -> OrderGroup:
        """A new order that passed everything but the matching."""
        name, rules = self._open_symbol(params)
        order = order_of(params, name, rules, self.generate, PLAIN)
        group = self._group(account, (order,))
        self._check_filters(account, group, now_ms)
        if order.quote_quantity:
            price = self.symbols.last(name, now_ms)
            order.quantity = floor_to(EXACT.divide(order.quote_quantity, price), rules.quantity_step)
        return group

    def _open_symbol(self, params: Params) -> tuple[str, Any]:
        name = self.symbols.known(text(params, "symbol"))
        rules = self.symbols.rules(name)
        if rules.status != "TRADING":
            raise Refused(self.variants.closed_code, CLOSED)
        return name, rules

    def _group(self, account: TradingAccount, orders: tuple[Order, ...]) -> OrderGroup:
        base, quote = self.symbols.pair(orders[0].symbol).split("/")
        return OrderGroup(account.name, orders[0].symbol, base, quote, orders)

    def _check_filters(self, account: TradingAccount, group: OrderGroup, now_ms: int, *, as_list: bool = False) -> None:
        rules = self.symbols.rules(group.symbol)
        for order in group.orders:
            rules.check_type(order, self.variants.missing_type_code)
            rules.check_order(order, self.symbols.average_price(group.symbol, now_ms))
        rules.check_account(account, group.orders, group.base, as_list=as_list)
        self.rules.check_account(account, group.orders, as_list=as_list)

    def _send(self, account: TradingAccount, group: OrderGroup, now_ms: int, *, as_list: bool = False) -> None:
        """To the matching, which may still refuse."""
        try:
            self._check_ids(account, group, as_list=as_list)
            self._check_prices(group, now_ms, as_list=as_list)
            self.engine.place(account, group, now_ms, as_list=as_list)
        except Refused as refusal:
            if self.variants.refusal_reports:
                self.engine.refuse(account, group, refusal, now_ms)
            raise

    def _check_ids(self, account: TradingAccount, group: OrderGroup, *, as_list: bool) -> None:
        within = None if self.variants.ids_unique_in == "account" else group.symbol
        taken = {one.client_order_id for one in account.open_orders(within)}
        lists = {one.list_client_id for one in account.open_groups(within) if one.is_list}
        if any(one.client_order_id in taken for one in group.orders) or (as_list and group.list_client_id in lists):
            raise Refused(-2010, "Duplicate order sent.")

    def _check_prices(self, group: OrderGroup, now_ms: int, *, as_list: bool) -> None:
        """Whether each order stands on its side of the market, and those of a list on both sides."""
        last = self.symbols.last(group.symbol, now_ms)
        refusal = None
        for order in group.orders:
            if order.type in (*STOP_TYPES, *TAKE_TYPES):
                waits_above = (order.side == "BUY") == (order.type in STOP_TYPES)
                if (order.stop_price <= last) if waits_above else (order.stop_price >= last):
                    reason = "STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY"
                    refusal = refusal or Refused(-2010, self.variants.trigger_text, reason=reason)
            elif order.type == "LIMIT_MAKER" and order.sign * (order.price - last) >= 0:
                refusal = refusal or Refused(-2010, WOULD_MATCH, reason="WOULD_MATCH_IMMEDIATELY")
        if as_list and (refusal is None or self.variants.oco_refusal == "relationship"):
            above, below = (one.price if one.type == "LIMIT_MAKER" else one.stop_price for one in group.orders)
            if refusal is not None or above <= below:
                refusal = Refused(-2010, BAD_PRICES, reason="OCO_BAD_PRICES")
        if refusal is not None:
            raise refusal

    def _to_cancel(
        self, account: TradingAccount, symbol: str, order_id: int | None, asked: str | None, restriction: str | None
    ) -> Order:
        if restriction is not None and restriction not in _RESTRICTIONS:
            raise Refused(-1145, "Invalid cancelRestrictions")
        order = self.queries.find(account, symbol, order_id, asked)
        if order is None or not order.is_open:
            raise Refused(-2011, UNKNOWN_ORDER)
        if restriction is not None and order.status != _RESTRICTIONS[restriction]:
            raise Refused(-2011, "Order was not canceled due to cancel restrictions.")
        self._check_may_cancel(symbol)
        return order

    def _check_may_cancel(self, symbol: str) -> None:
        if self.symbols.rules(symbol).status in ("HALT", "BREAK") and not self.variants.cancels_while_shut:
            raise Refused(-2011, CLOSED)

    def _cancelled(
        self, account: TradingAccount, order: Order, cancel_id: str, now_ms: int, *, alone: bool = False
    ) -> Any:
        """Cancel its group; `alone`: the answer is that of the order, as within a cancel-replace."""
        group = account.groups[order.order_id]
        cancelled = self.engine.cancel(account, group, cancel_id, now_ms)
        if not group.is_list or alone:
            return payloads.cancelled(order, group)
        return payloads.listed(group, now_ms) | {"orderReports": [payloads.cancelled(one, group) for one in cancelled]}

    def _placed(self, account: TradingAccount, order: Order, group: OrderGroup, kind: str) -> Any:
        return payloads.placed(order, group, kind, account.trades_of.get(order.order_id, []))


def _replaced(cancelled: Any, placed: Any, was_cancelled: bool, result: str, *, is_over: bool) -> Answer:
    data = {
        "cancelResult": "SUCCESS" if was_cancelled else "FAILURE", "newOrderResult": result,
        "cancelResponse": cancelled, "newOrderResponse": placed,
    }  # fmt: skip
    if was_cancelled and result == "SUCCESS":
        return 200, data
    in_part = was_cancelled or result == "SUCCESS"
    code, text_ = (
        (-2021, "Order cancel-replace partially failed.") if in_part else (-2022, "Order cancel-replace failed.")
    )
    return 429 if is_over else 409 if in_part else 400, {"code": code, "msg": text_, "data": data}


def _not_valid(name: str) -> str:
    return f"Data sent for parameter '{name}' is not valid."
