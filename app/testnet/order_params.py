"""From the parameters of a request to an order, or to the refusal that Binance has for them.

Everything is text, as it came; what is read here is well-formed, and nothing more is known of it. Filters, balances and
the market come after.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from app.testnet.amounts import ZERO
from app.testnet.spot_orders import ALGO_TYPES, LIMIT_TYPES, STOP_TYPES, TAKE_TYPES, Order
from app.testnet.symbol_rules import DEFAULT_STP, ORDER_TYPES, STP_MODES, SymbolRules
from app.testnet.trading_errors import Refused, illegal, missing, needless

Params = Mapping[str, str]

SIGNING = ("timestamp", "recvWindow", "signature", "apiKey")  # read by the wire
_DECIMAL = r"^([0-9]{1,20})(\.[0-9]{1,30})?$"
_LEGAL_DECIMAL = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_WHOLE = r"^[0-9]{1,20}$"
_CLIENT_ID = r"^[a-zA-Z0-9-_]{1,36}$"
_DECIMALS_MAX = 8
_ORDER = (
    "symbol", "side", "type", "timeInForce", "quantity", "quoteOrderQty", "price", "newClientOrderId", "strategyId",
    "strategyType", "stopPrice", "icebergQty", "newOrderRespType", "selfTradePreventionMode",
)  # fmt: skip
_LEG = ("Type", "ClientOrderId", "IcebergQty", "Price", "StopPrice", "TimeInForce", "StrategyId", "StrategyType")
KNOWN: dict[tuple[str, str], tuple[str, ...]] = {
    ("POST", "order"): _ORDER,
    ("POST", "order/test"): (*_ORDER, "computeCommissionRates"),
    ("DELETE", "order"): ("symbol", "orderId", "origClientOrderId", "newClientOrderId", "cancelRestrictions"),
    ("DELETE", "openOrders"): ("symbol",),
    ("GET", "order"): ("symbol", "orderId", "origClientOrderId"),
    ("POST", "order/cancelReplace"): (
        *_ORDER, "cancelReplaceMode", "cancelNewClientOrderId", "cancelOrigClientOrderId", "cancelOrderId",
        "cancelRestrictions", "orderRateLimitExceededMode",
    ),
    ("POST", "orderList/oco"): (
        "symbol", "listClientOrderId", "side", "quantity", "newOrderRespType", "selfTradePreventionMode",
        *(f"{place}{name}" for place in ("above", "below") for name in _LEG),
    ),
    ("DELETE", "orderList"): ("symbol", "orderListId", "listClientOrderId", "newClientOrderId"),
    ("GET", "orderList"): ("orderListId", "origClientOrderId"),
    ("GET", "openOrderList"): (),
    ("GET", "openOrders"): ("symbol",),
    ("GET", "allOrders"): ("symbol", "orderId", "startTime", "endTime", "limit"),
    ("GET", "myTrades"): ("symbol", "orderId", "startTime", "endTime", "fromId", "limit"),
    ("GET", "account"): ("omitZeroBalances",),
    ("GET", "account/commission"): ("symbol",),
    ("GET", "rateLimit/order"): (),
    ("GET", "sapi/v1/account/apiRestrictions"): (),
    ("GET", "ticker/price"): ("symbol", "symbols"),
    ("GET", "avgPrice"): ("symbol",),
    ("GET", "executionRules"): ("symbol", "symbols"),
}  # fmt: skip


def check_known(method: str, path: str, params: Params) -> None:
    """-1104 for a parameter that the endpoint does not read."""
    known = KNOWN[method, path]
    sent = [name for name in params if name not in SIGNING]
    read = sum(name in known for name in sent)
    if read < len(sent):
        counted = f"read '{read}' parameter(s) but was sent '{len(sent)}'"
        raise Refused(-1104, f"Not all sent parameters were read; {counted}.")


def text(params: Params, name: str) -> str:
    """A mandatory parameter."""
    value = params.get(name, "")
    if not value:
        raise missing(name)
    return value


def choice(params: Params, name: str, choices: Iterable[str], refusal: Refused, default: str | None = None) -> str:
    """One of these; without a default it is mandatory."""
    value = params.get(name, "") if default is not None else text(params, name)
    if not value and default is not None:
        return default
    if value not in choices:
        raise refusal
    return value


def whole(params: Params, name: str) -> int | None:
    """A whole number, or None where it was not sent."""
    value = params.get(name)
    if value is None:
        return None
    if not value:
        raise Refused(-1105, f"Parameter '{name}' was empty.")
    if not re.fullmatch(_WHOLE, value):
        raise illegal(name, _WHOLE)
    return int(value)


def client_id(params: Params, name: str, generate: Callable[[], str]) -> str:
    """A client id that was sent, or one of the exchange's own."""
    value = params.get(name)
    if value is None:
        return generate()
    if not re.fullmatch(_CLIENT_ID, value):
        raise illegal(name, _CLIENT_ID)
    return value


def decimal(params: Params, name: str, step: Decimal) -> Decimal | None:
    """A number above zero; where the symbol has a step, of at most 8 decimals."""
    value = params.get(name)
    if value is None:
        return None
    if not value:
        raise Refused(-1105, f"Parameter '{name}' was empty.")
    if not re.fullmatch(_DECIMAL, value):
        raise illegal(name, _LEGAL_DECIMAL)
    if step and len(value.partition(".")[2].rstrip("0")) > _DECIMALS_MAX:
        raise Refused(-1111, f"Parameter '{name}' has too much precision.")
    number = Decimal(value)
    if number == 0:
        raise Refused(-1013, f"Invalid {name}.")
    return number


@dataclass(frozen=True)
class Named:
    """The names that one order's parameters have; those of a list's leg begin with `above` or `below`."""

    type: str = "type"
    client_id: str = "newClientOrderId"
    price: str = "price"
    stop_price: str = "stopPrice"
    time_in_force: str = "timeInForce"
    iceberg: str = "icebergQty"
    strategy_id: str = "strategyId"
    strategy_type: str = "strategyType"


PLAIN = Named()
LEGS = {
    place: Named(*(f"{place}{name}" for name in ("Type", "ClientOrderId", "Price", "StopPrice", "TimeInForce",
                                                 "IcebergQty", "StrategyId", "StrategyType")))
    for place in ("above", "below")
}  # fmt: skip


def order_of(params: Params, symbol: str, rules: SymbolRules, generate: Callable[[], str], named: Named) -> Order:
    """One order, complete and consistent in itself."""
    side = choice(params, "side", ("BUY", "SELL"), Refused(-1117, "Invalid side."))
    kind = choice(params, named.type, ORDER_TYPES, Refused(-1116, "Invalid orderType."))
    order = Order(
        symbol=symbol,
        side="BUY" if side == "BUY" else "SELL",
        type=kind,
        quantity=decimal(params, "quantity", rules.quantity_step) or ZERO,
        client_order_id=client_id(params, named.client_id, generate),
        price=decimal(params, named.price, rules.price_tick) or ZERO,
        stop_price=decimal(params, named.stop_price, rules.price_tick) or ZERO,
        quote_quantity=(decimal(params, "quoteOrderQty", rules.price_tick) or ZERO) if named is PLAIN else ZERO,
        iceberg_quantity=decimal(params, named.iceberg, rules.quantity_step) or ZERO,
        stp=choice(
            params, "selfTradePreventionMode", STP_MODES, Refused(-1130, _not_valid("selfTradePreventionMode")),
            DEFAULT_STP,
        ),
        strategy=_strategy(params, named),
    )  # fmt: skip
    _check_what_the_type_needs(order, params, named)
    _check_time_in_force(order, params, named)
    if order.iceberg_quantity > order.quantity:
        raise Refused(-2010, "IcebergQty exceeds QTY.")
    return order


def check_response_type(params: Params, default: str) -> str:
    """ACK, RESULT or FULL."""
    refusal = Refused(-1130, _not_valid("newOrderRespType"))
    return choice(params, "newOrderRespType", ("ACK", "RESULT", "FULL"), refusal, default)


def _check_what_the_type_needs(order: Order, params: Params, named: Named) -> None:
    kind = order.type
    if kind == "MARKET" and not order.quantity and not order.quote_quantity:
        raise Refused(-1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!")
    if kind == "MARKET" and order.quantity and order.quote_quantity:
        raise Refused(-1128, "Combination of optional parameters invalid.")
    if kind != "MARKET" and not order.quantity:
        raise missing("quantity")
    if kind != "MARKET" and order.quote_quantity:
        raise needless("quoteOrderQty")
    if kind in LIMIT_TYPES and not order.price:
        raise missing(named.price)
    if kind not in LIMIT_TYPES and order.price:
        raise needless(named.price)
    if kind in ALGO_TYPES and not order.stop_price:
        raise missing(named.stop_price)
    if kind not in ALGO_TYPES and order.stop_price:
        raise needless(named.stop_price)
    if order.iceberg_quantity and kind not in LIMIT_TYPES:
        raise needless(named.iceberg)


def _check_time_in_force(order: Order, params: Params, named: Named) -> None:
    needs = order.type in LIMIT_TYPES and order.type != "LIMIT_MAKER"
    if needs:
        refusal = Refused(-1115, "Invalid timeInForce.")
        order.time_in_force = choice(params, named.time_in_force, ("GTC", "IOC", "FOK"), refusal)
    elif named.time_in_force in params:
        raise needless(named.time_in_force)
    if order.iceberg_quantity and order.time_in_force != "GTC":
        raise Refused(-1013, "Icebergs must be GTC.")


def _strategy(params: Params, named: Named) -> dict[str, int]:
    sent = {"strategyId": whole(params, named.strategy_id), "strategyType": whole(params, named.strategy_type)}
    strategy = {name: value for name, value in sent.items() if value is not None}
    if strategy.get("strategyType", 1_000_000) < 1_000_000:
        raise Refused(-1134, "`strategyType` was less than 1000000.")
    return strategy


def oco_of(params: Params, symbol: str, rules: SymbolRules, generate: Callable[[], str]) -> tuple[Order, Order]:
    """The orders of an OCO: the one above and the one below, whose types and prices fit each other."""
    above, below = (order_of(params, symbol, rules, generate, LEGS[place]) for place in ("above", "below"))
    targets = ("LIMIT_MAKER", *TAKE_TYPES)
    for leg in (above, below):
        if leg.type not in (*STOP_TYPES, *targets):
            raise Refused(-1158, "Order type not supported in OCO.")
    if above.type in targets and below.type in targets:
        raise Refused(-1168, "At least one OCO order must be contingent.")
    if above.side == "SELL" and above.type in STOP_TYPES:
        raise Refused(-1197, "A stop loss order in a sell OCO must be below.")
    if above.side == "BUY" and below.type in STOP_TYPES:
        raise Refused(-1196, "A stop loss order in a buy OCO must be above.")
    if above.client_order_id == below.client_order_id:
        raise Refused(-2010, "Duplicate order sent.")
    return above, below


def _not_valid(name: str) -> str:
    return f"Data sent for parameter '{name}' is not valid."
