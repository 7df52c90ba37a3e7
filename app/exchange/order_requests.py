"""An intent as a request of Binance's API: the path, and parameters as exact text, by raw endpoints.

Everything is said, nothing is left to a default: the answer's form, the self-trade prevention, every client id. Prices
and quantities that are no multiple of tick or step are not rounded here; order_filters refuses them before.
"""

from decimal import Decimal
from typing import NamedTuple

from app.exchange.decimals import decimal_of, floor_to_step, on_step, text_of
from app.exchange.exchange_rules import SymbolRules
from app.models.intents import Cancel, Intent, PlaceOco, PlaceOrder


class Request(NamedTuple):
    """`client_ids` are those of the orders that it places; a list's own is not among them."""

    method: str
    path: str
    params: dict[str, str]
    client_ids: tuple[str, ...] = ()
    orders: int = 0  # how many it adds to the count of unfilled orders


class OrderStyle(NamedTuple):
    """`stop_limit_gap` is how far below the stop the limit of a STOP_LOSS_LIMIT is put, as a part of the stop.

    `has_old_oco`: the exchange's documents know but the older request for an OCO, as Binance US's do.
    """

    self_trade_prevention: str = "EXPIRE_MAKER"
    stop_limit_gap: float = 0.01
    has_old_oco: bool = False


def request_of(intent: Intent, rules: SymbolRules, style: OrderStyle) -> Request:
    """What is sent for it."""
    if isinstance(intent, Cancel):
        path, name = ("orderList", "listClientOrderId") if intent.is_list else ("order", "origClientOrderId")
        return Request("DELETE", path, {"symbol": rules.name, name: intent.client_id})
    shared = {
        "symbol": rules.name,
        "newOrderRespType": "FULL",
        "selfTradePreventionMode": style.self_trade_prevention,
        "quantity": _text(intent.quantity, rules.step),
    }
    if isinstance(intent, PlaceOrder):
        return _order(intent, rules, shared)
    return _old_oco(intent, rules, style, shared) if style.has_old_oco else _oco(intent, rules, style, shared)


def stop_limit(stop: float, rules: SymbolRules, gap: float) -> Decimal | None:
    """The limit below a stop, on the tick; None where the symbol has stops that sell at the market."""
    if not rules.order_types or "STOP_LOSS" in rules.order_types:
        return None
    price = floor_to_step(decimal_of(stop) * (1 - decimal_of(gap)), rules.tick)
    return max(price, rules.tick, rules.number("PRICE_FILTER", "minPrice"))


def _order(intent: PlaceOrder, rules: SymbolRules, shared: dict[str, str]) -> Request:
    params = {**shared, "side": "BUY" if intent.buys else "SELL", "newClientOrderId": intent.client_id}
    if intent.limit is None:
        params["type"] = "MARKET"
    else:
        params |= {"type": "LIMIT", "timeInForce": "GTC", "price": _text(intent.limit, rules.tick)}
    return Request("POST", "order", params, (intent.client_id,), 1)


def _oco(intent: PlaceOco, rules: SymbolRules, style: OrderStyle, shared: dict[str, str]) -> Request:
    params = {
        **shared,
        "side": "SELL",
        "listClientOrderId": intent.client_id,
        "aboveType": "LIMIT_MAKER",
        "aboveClientOrderId": intent.target_id,
        "abovePrice": _text(intent.target, rules.tick),
        "belowType": "STOP_LOSS",
        "belowClientOrderId": intent.stop_id,
        "belowStopPrice": _text(intent.stop, rules.tick),
    }
    limit = stop_limit(intent.stop, rules, style.stop_limit_gap)
    if limit is not None:
        params |= {"belowType": "STOP_LOSS_LIMIT", "belowPrice": text_of(limit), "belowTimeInForce": "GTC"}
    return Request("POST", "orderList/oco", params, (intent.target_id, intent.stop_id), 2)


def _old_oco(intent: PlaceOco, rules: SymbolRules, style: OrderStyle, shared: dict[str, str]) -> Request:
    params = {
        **shared,
        "side": "SELL",
        "listClientOrderId": intent.client_id,
        "limitClientOrderId": intent.target_id,
        "price": _text(intent.target, rules.tick),
        "stopClientOrderId": intent.stop_id,
        "stopPrice": _text(intent.stop, rules.tick),
    }
    limit = stop_limit(intent.stop, rules, style.stop_limit_gap)
    if limit is not None:
        params |= {"stopLimitPrice": text_of(limit), "stopLimitTimeInForce": "GTC"}
    return Request("POST", "order/oco", params, (intent.target_id, intent.stop_id), 2)


def _text(value: float, step: Decimal) -> str:
    number = on_step(value, step)
    return text_of(decimal_of(value) if number is None else number)
