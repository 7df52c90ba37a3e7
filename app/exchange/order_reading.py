"""What a Binance says of orders and trades, as reports of ours: REST answers and events of the user data stream.

Fields that an answer may lack by the documents (an ACK has but ids) have a meaning that assumes nothing; what cannot be
read otherwise raises ValueError, KeyError or TypeError, and its caller says so.
"""

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from app.exchange.order_reports import Heard, OrderReport, TradeReport
from app.models.orders import RESTING, OrderState

UNREADABLE = (LookupError, TypeError, ValueError, OverflowError, AttributeError)
_STATES = {
    "NEW": OrderState.ACCEPTED,
    "PENDING_NEW": OrderState.ACCEPTED,
    "PENDING_CANCEL": OrderState.ACCEPTED,
    "PARTIALLY_FILLED": OrderState.PARTLY_FILLED,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELLED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
    "REJECTED": OrderState.REFUSED,
}
_ALGO = ("STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
_WORD = re.compile(r"[A-Z_]{1,60}")  # of the documents' lists of reasons
_CANCELLED = ("CANCELED", "PENDING_CANCEL")  # may be shown with the id of its cancellation
_LISTS_KEPT = 10_000
_NO_ID = ("", "null", None)  # of the field that has a cancelled order's own id, where nothing was cancelled


class OrderReader:
    """`symbol_of`: the session's symbols by the exchange's names; others keep the exchange's name.

    The names of order lists are learnt as they are told, since orders carry only their number. `algo` has the numbers
    of the orders, seen lately, that wait for a stop: filters count these by themselves.
    """

    def __init__(self, symbol_of: Mapping[str, str]) -> None:
        self._symbol_of = symbol_of
        self._lists: dict[int, str] = {}
        self.algo: dict[int, None] = {}

    def symbol(self, name: str) -> str:
        """Ours, of the exchange's name."""
        name = _text(name)
        return self._symbol_of.get(name, name)

    def order(self, row: Mapping[str, Any], asked_id: str = "") -> OrderReport:
        """A row of a query or of an answer to a cancellation; `asked_id`: the client id by which it was found.

        ValueError where it is another order's: of two answers the second may come to the next question.
        """
        if asked_id and row["clientOrderId"] != asked_id and row["status"] not in _CANCELLED:
            raise ValueError("an answer about another order")
        # A cancellation has an id of its own; the order's is beside it.
        return self._order(
            row,
            client_id=asked_id or row.get("origClientOrderId") or row["clientOrderId"],
            time_ms=row.get("updateTime") or row.get("transactTime") or row.get("time") or 0,
        )

    def orders(self, rows: Sequence[Mapping[str, Any]]) -> tuple[OrderReport, ...]:
        """Rows."""
        if not isinstance(rows, list):
            raise TypeError("no list of orders")
        return tuple(self.order(row) for row in rows)

    def open_orders(self, rows: Sequence[Mapping[str, Any]]) -> tuple[OrderReport, ...]:
        """Rows of orders that are open, whatever a state of tomorrow would be called: one may be somebody else's."""
        if not isinstance(rows, list):
            raise TypeError("no list of orders")
        self.algo.clear()  # those that are open are here
        return tuple(
            self.order({**row, "status": row["status"] if row["status"] in _STATES else "NEW"}) for row in rows
        )

    def answered(self, content: Mapping[str, Any]) -> tuple[OrderReport, ...]:
        """The orders in the answer to a cancellation, of one order or of a list."""
        if "orderReports" not in content:
            return (self.order(content),)
        self._learn_list(content["orderListId"], content["listClientOrderId"])
        return self.orders(content["orderReports"])

    def placed(
        self, content: Mapping[str, Any], client_ids: Sequence[str], *, buys: bool, quantity: float
    ) -> tuple[tuple[OrderReport, ...], tuple[TradeReport, ...]]:
        """Orders and trades in the answer to a placement, ACK, RESULT or FULL; ValueError if it is of another order."""
        rows = [content]
        if "orders" in content:
            self._learn_list(content["orderListId"], content["listClientOrderId"])
            # A list may be answered with ids alone, and a leg is not always reported.
            by_id = {row["clientOrderId"]: row for row in content.get("orderReports") or ()}
            rows = [by_id.get(row["clientOrderId"], {**row, **_of_list(content)}) for row in content["orders"]]
        if sorted(row["clientOrderId"] for row in rows) != sorted(client_ids):
            raise ValueError("an answer about other orders")
        side = "BUY" if buys else "SELL"
        rows = [{"status": "NEW", "side": side, "origQty": quantity, "executedQty": 0.0, **row} for row in rows]
        orders = tuple(self.order(row) for row in rows)
        trades = tuple(self._fill(row, fill) for row in rows for fill in row.get("fills") or ())
        return orders, trades

    def trade(self, row: Mapping[str, Any]) -> TradeReport:
        """A row of the account's trades."""
        return TradeReport(
            symbol=self.symbol(row["symbol"]),
            trade_id=_whole(row["id"]),
            exchange_id=_whole(row["orderId"]),
            client_id="",
            buys=_flag(row["isBuyer"]),
            quantity=_number(row["qty"]),
            price=_number(row["price"]),
            fee=_number(row["commission"]),
            fee_asset=_text(row["commissionAsset"]),
            time_ms=_whole(row["time"]),
            is_maker=_flag(row["isMaker"]),
        )

    def heard(self, event: Mapping[str, Any]) -> tuple[Heard, ...]:
        """What an event of the user data stream says of orders: the trade first, then the order after it."""
        if event["e"] == "listStatus":
            self._learn_list(event["g"], event["C"])
            return ()
        if event["e"] != "executionReport":
            return ()
        original = event.get("C")
        order = self._order(
            {
                "symbol": event["s"],
                "orderId": event["i"],
                "orderListId": event.get("g", -1),
                "status": event["X"],
                "side": event["S"],
                "type": event["o"],
                "origQty": event["q"],
                "executedQty": event["z"],
                "expiryReason": event.get("eR"),
                "rejectReason": event.get("r"),
            },
            client_id=event["c"] if original in _NO_ID else original,
            time_ms=event["T"],
        )
        if event["x"] != "TRADE":
            return (order,)
        trade = TradeReport(
            symbol=order.symbol,
            trade_id=_whole(event["t"]),
            exchange_id=order.exchange_id,
            client_id=order.client_id,
            buys=order.buys,
            quantity=_number(event["l"]),
            price=_number(event["L"]),
            fee=_number(event.get("n") or 0.0),
            fee_asset=_text(event.get("N") or ""),
            time_ms=order.time_ms,
            is_maker=_flag(event["m"]),
        )
        return trade, order

    def _order(self, row: Mapping[str, Any], client_id: Any, time_ms: Any) -> OrderReport:
        state = _STATES[row["status"]]
        exchange_id = _whole(row["orderId"])
        if row.get("type") in _ALGO and state in RESTING:
            self.algo[exchange_id] = None
        else:
            self.algo.pop(exchange_id, None)
        return OrderReport(
            symbol=self.symbol(row["symbol"]),
            client_id=_text(client_id),
            exchange_id=exchange_id,
            state=state,
            buys=_side(row["side"]),
            quantity=_number(row["origQty"]),
            filled=_number(row["executedQty"]),
            time_ms=_whole(time_ms),
            list_client_id=self._lists.get(row.get("orderListId", -1), ""),
            why=_why(row, state),
        )

    def _fill(self, row: Mapping[str, Any], fill: Mapping[str, Any]) -> TradeReport:
        return TradeReport(
            symbol=self.symbol(row["symbol"]),
            trade_id=_whole(fill["tradeId"]),
            exchange_id=_whole(row["orderId"]),
            client_id=row["clientOrderId"],
            buys=_side(row["side"]),
            quantity=_number(fill["qty"]),
            price=_number(fill["price"]),
            fee=_number(fill["commission"]),
            fee_asset=_text(fill["commissionAsset"]),
            time_ms=_whole(row["transactTime"]),
        )

    def _learn_list(self, number: Any, name: Any) -> None:
        self._lists[_whole(number)] = _text(name)
        if len(self._lists) > _LISTS_KEPT:
            del self._lists[next(iter(self._lists))]


def _of_list(content: Mapping[str, Any]) -> dict[str, Any]:
    return {"orderListId": content["orderListId"], "transactTime": content.get("transactionTime", 0)}


def _why(row: Mapping[str, Any], state: OrderState) -> str:
    """The exchange's word for an end that nobody asked for."""
    reasons = {OrderState.EXPIRED: row.get("expiryReason"), OrderState.REFUSED: row.get("rejectReason")}
    reason = reasons.get(state)
    if isinstance(reason, str) and reason != "NONE" and _WORD.fullmatch(reason):
        return reason
    return "EXPIRED_IN_MATCH" if row["status"] == "EXPIRED_IN_MATCH" else ""


def _number(value: Any) -> float:
    if type(value) not in (str, float, int):
        raise TypeError("no number")
    number = float(value)
    if not isfinite(number) or number < 0.0:
        raise ValueError("a number that is no quantity and no price")
    return number


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("no whole number")
    return value


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError("neither true nor false")
    return value


def _side(value: Any) -> bool:
    if value not in ("BUY", "SELL"):
        raise ValueError("neither BUY nor SELL")
    return bool(value == "BUY")
