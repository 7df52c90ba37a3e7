"""What an account is told when it asks: orders, lists, trades, balances, rates, counts, and the market's last prices.

Nothing here changes anything; bodies in, refusals out.
"""

from typing import Any

from app.testnet import order_payloads as payloads
from app.testnet.amounts import exact, text_of
from app.testnet.commissions import DISCOUNT, Commissions
from app.testnet.order_params import Params, text, whole
from app.testnet.spot_orders import Order, OrderGroup
from app.testnet.symbols import Symbols
from app.testnet.trading_account import TradingAccount
from app.testnet.trading_errors import Refused
from app.times import DAY_MS

_LIMIT_DEFAULT, _LIMIT_MAX = 500, 1_000
_NO_ORDER = "Order does not exist."
_NO_LIST = "Order list does not exist."


class AccountQueries:
    """The GET endpoints; `finds_cancelled` as in Variants."""

    def __init__(self, symbols: Symbols, commissions: Commissions, *, finds_cancelled: bool) -> None:
        self._symbols, self._commissions, self._finds_cancelled = symbols, commissions, finds_cancelled

    def answer(self, account: TradingAccount, path: str, params: Params, now_ms: int) -> Any:
        """The body for a GET of `path`, which is one of those known."""
        answers = {
            "order": self._order, "openOrders": self._open_orders, "allOrders": self._all_orders,
            "orderList": self._order_list, "myTrades": self._trades, "account": self._account,
            "account/commission": self._rates,
        }  # fmt: skip
        if path in answers:
            return answers[path](account, params)
        if path == "openOrderList":
            return [payloads.listed(group) for group in account.open_groups() if group.is_list]
        if path == "rateLimit/order":
            return self._counts(account, now_ms)
        return self._restrictions(account)

    def public(self, path: str, params: Params, now_ms: int) -> Any:
        """The body for what is asked without an account."""
        if path == "ticker/price":
            return self._symbols.prices(params, now_ms)
        if path == "avgPrice":
            return self._symbols.average(text(params, "symbol"), now_ms)
        return self._symbols.execution_rules(params)

    def find(self, account: TradingAccount, symbol: str, order_id: int | None, client_id: str | None) -> Order | None:
        """By order id, or the newest by client id; with both they must belong together."""
        if order_id is not None:
            order = account.orders.get(order_id)
            if order is None or order.symbol != symbol:
                return None
            return order if client_id in (None, *self._names(order)) else None
        for order in reversed(account.orders.values()):
            if order.symbol == symbol and client_id in self._names(order):
                return order
        return None

    def _names(self, order: Order) -> tuple[str, ...]:
        if order.cancel_id is None:
            return (order.client_order_id,)
        return (order.client_order_id,) if self._finds_cancelled else (order.cancel_id,)

    def _order(self, account: TradingAccount, params: Params) -> Any:
        symbol = self._symbols.known(text(params, "symbol"))
        order_id, client_id = whole(params, "orderId"), params.get("origClientOrderId")
        if order_id is None and not client_id:
            raise Refused(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
        order = self.find(account, symbol, order_id, client_id)
        if order is None:
            raise Refused(-2013, _NO_ORDER)
        return self._shown(account, order)

    def _shown(self, account: TradingAccount, order: Order) -> Any:
        return payloads.queried(order, account.groups[order.order_id], finds_cancelled=self._finds_cancelled)

    def _open_orders(self, account: TradingAccount, params: Params) -> Any:
        symbol = self._symbols.known(params["symbol"]) if "symbol" in params else None
        return [self._shown(account, order) for order in account.open_orders(symbol)]

    def _all_orders(self, account: TradingAccount, params: Params) -> Any:
        symbol = self._symbols.known(text(params, "symbol"))
        start_ms, end_ms, limit = _span(params)
        from_id = whole(params, "orderId")
        found = [
            order
            for order in account.orders.values()
            if order.symbol == symbol and start_ms <= order.created_ms <= end_ms and order.order_id >= (from_id or 0)
        ]
        forward = from_id is not None or "startTime" in params
        return [self._shown(account, order) for order in (found[:limit] if forward else found[-limit:])]

    def _order_list(self, account: TradingAccount, params: Params) -> Any:
        list_id, client_id = whole(params, "orderListId"), params.get("origClientOrderId")
        if list_id is None and not client_id:
            raise Refused(-1102, "Param 'origClientOrderId' or 'orderListId' must be sent, but both were empty/null!")
        group = find_list(account, None, list_id, client_id)
        if group is None:
            raise Refused(-2018, _NO_LIST)
        return payloads.listed(group)

    def _trades(self, account: TradingAccount, params: Params) -> Any:
        symbol = self._symbols.known(text(params, "symbol"))
        start_ms, end_ms, limit = _span(params)
        from_id, order_id = whole(params, "fromId"), whole(params, "orderId")
        if from_id is not None and ("startTime" in params or "endTime" in params):
            raise Refused(-1128, "Combination of optional parameters invalid.")
        found = [
            trade
            for trade in account.trades
            if trade.symbol == symbol
            and order_id in (None, trade.order_id)
            and trade.trade_id >= (from_id or 0)
            and start_ms <= trade.time_ms <= end_ms
        ]
        forward = from_id is not None or "startTime" in params
        return [payloads.traded(trade) for trade in (found[:limit] if forward else found[-limit:])]

    def _account(self, account: TradingAccount, params: Params) -> Any:
        rates = self._commissions
        maker, taker = text_of(exact(rates.maker_rate)), text_of(exact(rates.taker_rate))
        zero = text_of(exact(0.0))
        return {
            "makerCommission": round(rates.maker_rate * 10_000), "takerCommission": round(rates.taker_rate * 10_000),
            "buyerCommission": 0, "sellerCommission": 0,
            "commissionRates": {"maker": maker, "taker": taker, "buyer": zero, "seller": zero},
            "canTrade": account.may_trade, "canWithdraw": account.may_withdraw, "canDeposit": True,
            "brokered": False, "requireSelfTradePrevention": False, "preventSor": False,
            "updateTime": account.updated_ms, "accountType": "SPOT",
            "balances": payloads.balances(account.balances, omit_zero=params.get("omitZeroBalances") == "true"),
            "permissions": ["SPOT"], "uid": account.uid,
        }  # fmt: skip

    def _rates(self, account: TradingAccount, params: Params) -> Any:
        symbol = self._symbols.known(text(params, "symbol"))
        rates, zero = self._commissions, text_of(exact(0.0))
        none = dict.fromkeys(("maker", "taker", "buyer", "seller"), zero)
        standard = none | {"maker": text_of(exact(rates.maker_rate)), "taker": text_of(exact(rates.taker_rate))}
        pays_bnb = rates.fees == "bnb"
        return {
            "symbol": symbol, "standardCommission": standard, "specialCommission": none, "taxCommission": none,
            "discount": {
                "enabledForAccount": pays_bnb, "enabledForSymbol": pays_bnb, "discountAsset": "BNB",
                "discount": text_of(DISCOUNT),
            },
        }  # fmt: skip

    def _counts(self, account: TradingAccount, now_ms: int) -> Any:
        counts = account.counts(now_ms)
        return [
            {
                "rateLimitType": "ORDERS", "interval": interval, "intervalNum": number, "limit": limit,
                "count": counts[name],
            }
            for name, interval, number, limit in (
                ("10S", "SECOND", 10, account.order_limits[0]), ("1D", "DAY", 1, account.order_limits[1]),
            )
        ]  # fmt: skip

    def _restrictions(self, account: TradingAccount) -> Any:
        no = dict.fromkeys(
            (
                "enableInternalTransfer", "enableMargin", "enableFutures", "permitsUniversalTransfer",
                "enableVanillaOptions", "enableFixApiTrade", "enablePortfolioMarginTrading",
            ),
            False,
        )  # fmt: skip
        return {
            "ipRestrict": account.ip_restricted, "createTime": 1_600_000_000_000, "enableReading": True,
            "enableWithdrawals": account.may_withdraw, "enableFixReadOnly": True,
            "enableSpotAndMarginTrading": account.may_trade, **no,
        }  # fmt: skip


def find_list(
    account: TradingAccount, symbol: str | None, list_id: int | None, client_id: str | None
) -> OrderGroup | None:
    """By list id, or the newest by client id; with both they must belong together."""
    for group in reversed(account.lists.values()):
        if symbol not in (None, group.symbol) or list_id not in (None, group.list_id):
            continue
        if client_id in (None, group.list_client_id):
            return group
    return None


def _span(params: Params) -> tuple[int, int, int]:
    """startTime, endTime (inclusive) and limit."""
    start_ms, end_ms, limit = (whole(params, name) for name in ("startTime", "endTime", "limit"))
    if start_ms is not None and end_ms is not None and end_ms - start_ms > DAY_MS:
        raise Refused(-1127, "More than 24 hours between startTime and endTime.")
    if limit is not None and limit <= 0:
        raise Refused(-1130, "Data sent for parameter 'limit' is not valid.")
    latest_ms = 1 << 62
    return start_ms or 0, latest_ms if end_ms is None else end_ms, min(limit or _LIMIT_DEFAULT, _LIMIT_MAX)
