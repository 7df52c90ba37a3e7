"""Orders, lists, trades and balances as Binance writes them: bodies of answers, and events of the user stream.

Functions of what is; fields that are only there on a condition are there on that condition alone.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from app.testnet.amounts import ZERO, text_of
from app.testnet.spot_orders import ALGO_TYPES, Order, OrderGroup
from app.testnet.trading_account import Balance, Trade, TradingAccount

Body = dict[str, Any]


def placed(order: Order, group: OrderGroup, kind: str, trades: Iterable[Trade]) -> Body:
    """The answer to a new order: ACK, RESULT or FULL."""
    ack = _head(order, group) | {"transactTime": order.updated_ms}
    if kind == "ACK":
        return ack
    body = ack | _state(order) | {"workingTime": order.working_ms} | _tail(order)
    if kind == "FULL":
        body["fills"] = [
            {
                "price": text_of(one.price), "qty": text_of(one.quantity), "commission": text_of(one.commission),
                "commissionAsset": one.commission_asset, "tradeId": one.trade_id,
            }
            for one in trades
        ]  # fmt: skip
    return body


def cancelled(order: Order, group: OrderGroup) -> Body:
    """The answer to a cancel; `clientOrderId` is the cancel's."""
    head = _head(order, group)
    return {
        "symbol": head["symbol"], "origClientOrderId": order.client_order_id, "orderId": order.order_id,
        "orderListId": head["orderListId"], "clientOrderId": order.cancel_id, "transactTime": order.updated_ms,
        **_state(order), **_tail(order),
    }  # fmt: skip


def queried(order: Order, group: OrderGroup, *, finds_cancelled: bool = True) -> Body:
    """An order that was asked for."""
    head = _head(order, group)
    if order.cancel_id is not None and not finds_cancelled:
        head["clientOrderId"] = order.cancel_id
    state = _state(order)
    quote_quantity, stp = state.pop("origQuoteOrderQty"), _tail(order)
    stp.pop("stopPrice", None)
    stp.pop("icebergQty", None)
    return {
        **head, **state, "stopPrice": text_of(order.stop_price), "icebergQty": text_of(order.iceberg_quantity),
        "time": order.created_ms, "updateTime": order.updated_ms,
        # Of what is done Binance keeps saying true; a stop that has not triggered is not working.
        "isWorking": order.is_working or order.type not in ALGO_TYPES,
        "workingTime": order.working_ms, "origQuoteOrderQty": quote_quantity, **stp,
    }  # fmt: skip


def listed(group: OrderGroup, now_ms: int | None = None) -> Body:
    """An order list that was asked for; with a time, one that changed then."""
    is_done = not group.open_orders
    return {
        "orderListId": group.list_id, "contingencyType": "OCO",
        "listStatusType": "ALL_DONE" if is_done else "EXEC_STARTED",
        "listOrderStatus": "ALL_DONE" if is_done else "EXECUTING",
        "listClientOrderId": group.list_client_id,
        "transactionTime": group.updated_ms if now_ms is None else now_ms, "symbol": group.symbol,
        "orders": [
            {"symbol": one.symbol, "orderId": one.order_id, "clientOrderId": one.client_order_id}
            for one in group.orders
        ],
    }  # fmt: skip


def traded(trade: Trade) -> Body:
    """A row of myTrades."""
    return {
        "symbol": trade.symbol, "id": trade.trade_id, "orderId": trade.order_id, "orderListId": trade.list_id,
        "price": text_of(trade.price), "qty": text_of(trade.quantity), "quoteQty": text_of(trade.quote_quantity),
        "commission": text_of(trade.commission), "commissionAsset": trade.commission_asset, "time": trade.time_ms,
        "isBuyer": trade.is_buyer, "isMaker": trade.is_maker, "isBestMatch": True,
    }  # fmt: skip


def balances(held: dict[str, Balance], *, omit_zero: bool) -> list[Body]:
    """The balances of `account`, by name."""
    return [
        {"asset": asset, "free": text_of(one.free), "locked": text_of(one.locked)}
        for asset, one in sorted(held.items())
        if one.free or one.locked or not omit_zero
    ]


def execution_report(
    order: Order,
    group: OrderGroup,
    execution: str,
    now_ms: int,
    execution_id: int,
    *,
    trade: Trade | None = None,
    reject_reason: str = "NONE",
) -> Body:
    """An executionReport; on a cancel the order's own id is in `C`, and `c` has the cancel's."""
    is_cancel = execution == "CANCELED"
    report: Body = {
        "e": "executionReport", "E": now_ms, "s": order.symbol,
        "c": order.cancel_id if is_cancel else order.client_order_id,
        "S": order.side, "o": order.type, "f": order.time_in_force, "q": text_of(order.quantity),
        "p": text_of(order.price), "P": text_of(order.stop_price), "F": text_of(order.iceberg_quantity),
        "g": group.list_id, "C": order.client_order_id if is_cancel else "", "x": execution, "X": order.status,
        "r": reject_reason, "i": order.order_id, "l": text_of(trade.quantity if trade else ZERO),
        "z": text_of(order.executed), "L": text_of(trade.price if trade else ZERO),
        "n": text_of(trade.commission) if trade else "0", "N": trade.commission_asset if trade else None,
        "T": now_ms, "t": trade.trade_id if trade else -1, "I": execution_id,
        "w": order.is_working and order.is_open, "m": trade.is_maker if trade else False, "M": False,
        "O": order.created_ms, "Z": text_of(order.quote_executed),
        "Y": text_of(trade.quote_quantity if trade else ZERO), "Q": text_of(order.quote_quantity),
    }  # fmt: skip
    for key, name in (("j", "strategyId"), ("J", "strategyType")):
        if name in order.strategy:
            report[key] = order.strategy[name]
    if order.is_working:
        report["W"] = order.working_ms
    report["V"] = order.stp
    if order.expiry_reason is not None and order.status == "EXPIRED":
        report["eR"] = order.expiry_reason
    return report


def list_status(group: OrderGroup, now_ms: int) -> Body:
    """A listStatus event."""
    shown = listed(group, now_ms)
    return {
        "e": "listStatus", "E": now_ms, "s": group.symbol, "g": group.list_id, "c": "OCO",
        "l": shown["listStatusType"], "L": shown["listOrderStatus"], "r": "NONE", "C": group.list_client_id,
        "T": now_ms,
        "O": [{"s": one.symbol, "i": one.order_id, "c": one.client_order_id} for one in group.orders],
    }  # fmt: skip


def account_position(account: TradingAccount, assets: Iterable[str], now_ms: int) -> Body:
    """An outboundAccountPosition with the assets that may have changed."""
    changed = [
        {"a": asset, "f": text_of(account.balances[asset].free), "l": text_of(account.balances[asset].locked)}
        for asset in assets
    ]
    return {"e": "outboundAccountPosition", "E": now_ms, "u": now_ms, "B": changed}


def balance_update(asset: str, amount: Decimal, now_ms: int) -> Body:
    """A balanceUpdate: a deposit, or a withdrawal."""
    return {"e": "balanceUpdate", "E": now_ms, "a": asset, "d": text_of(amount), "T": now_ms}


def external_lock_update(asset: str, amount: Decimal, now_ms: int) -> Body:
    """An externalLockUpdate: another system of the exchange locked some of the balance, or unlocked it."""
    return {"e": "externalLockUpdate", "E": now_ms, "a": asset, "d": text_of(amount), "T": now_ms}


def _head(order: Order, group: OrderGroup) -> Body:
    return {
        "symbol": order.symbol, "orderId": order.order_id, "orderListId": group.list_id,
        "clientOrderId": order.client_order_id,
    }  # fmt: skip


def _state(order: Order) -> Body:
    return {
        "price": text_of(order.price), "origQty": text_of(order.quantity), "executedQty": text_of(order.executed),
        "origQuoteOrderQty": text_of(order.quote_quantity), "cummulativeQuoteQty": text_of(order.quote_executed),
        "status": order.status, "timeInForce": order.time_in_force, "type": order.type, "side": order.side,
    }  # fmt: skip


def _tail(order: Order) -> Body:
    body: Body = {}
    if order.stop_price:
        body["stopPrice"] = text_of(order.stop_price)
    if order.iceberg_quantity:
        body["icebergQty"] = text_of(order.iceberg_quantity)
    body |= order.strategy
    body["selfTradePreventionMode"] = order.stp
    if order.expiry_reason is not None:
        body["expiryReason"] = order.expiry_reason
    return body
