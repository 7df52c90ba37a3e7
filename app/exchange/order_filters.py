"""The exchange's filters, asked before an order is sent: what would be refused is refused here, with its numbers.

Filters that need a price use the last one; where none is known, and for what only the exchange can count, its own
answer decides. Nothing here asks anybody.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from app.exchange.decimals import decimal_of, on_step, text_of
from app.exchange.exchange_rules import Filter, SymbolRules
from app.exchange.open_orders import OpenCounts
from app.exchange.order_requests import OrderStyle, stop_limit
from app.models.intents import PlaceOco, PlaceOrder


class _Part(NamedTuple):
    """One order of a placement; `price` None at the market, `stop` None where it waits for none."""

    kind: str
    buys: bool
    quantity: Decimal
    price: Decimal | None
    stop: Decimal | None = None


def problem_of(
    intent: PlaceOrder | PlaceOco,
    rules: SymbolRules,
    exchange_filters: Mapping[str, Filter],
    style: OrderStyle,
    last_price: float | None,
    counts: OpenCounts | None,
) -> str | None:
    """The first filter that the intent breaks, with the numbers; None if the exchange should take it.

    Without `last_price` or `counts` what needs them is left to the exchange.
    """
    last = None if last_price is None else decimal_of(last_price)
    parts = _parts(intent, rules, style)
    for part in parts:
        if rules.order_types and part.kind not in rules.order_types:
            return f"{rules.name} has no {part.kind} orders"
    if isinstance(intent, PlaceOco) and not rules.has_oco:
        return f"{rules.name} has no OCO orders"
    for part in parts:
        for problem in (*_quantities(part, rules), *_prices(part, rules, last), *_notional(part, rules, last)):
            return f"filter {problem}"
    if counts is not None:
        for problem in _numbers(intent, parts, rules, exchange_filters, counts):
            return f"filter {problem}"
    return None


def _parts(intent: PlaceOrder | PlaceOco, rules: SymbolRules, style: OrderStyle) -> list[_Part]:
    quantity = _nearest(intent.quantity, rules.step)
    if isinstance(intent, PlaceOrder):
        limit = None if intent.limit is None else _nearest(intent.limit, rules.tick)
        return [_Part("MARKET" if limit is None else "LIMIT", intent.buys, quantity, limit)]
    stop, below = _nearest(intent.stop, rules.tick), stop_limit(intent.stop, rules, style.stop_limit_gap)
    return [
        _Part("LIMIT_MAKER", False, quantity, _nearest(intent.target, rules.tick)),
        _Part("STOP_LOSS" if below is None else "STOP_LOSS_LIMIT", False, quantity, below, stop),
    ]


def _nearest(value: float, step: Decimal) -> Decimal:
    number = on_step(value, step)
    return decimal_of(value) if number is None else number


def _quantities(part: _Part, rules: SymbolRules) -> Iterator[str]:
    if part.quantity <= 0:
        yield f"LOT_SIZE: a quantity of {text_of(part.quantity)}"
    kinds = ("LOT_SIZE", "MARKET_LOT_SIZE") if part.kind == "MARKET" else ("LOT_SIZE",)
    for kind in kinds:
        low, high = rules.number(kind, "minQty"), rules.number(kind, "maxQty")
        yield from _range(kind, "quantity", part.quantity, low, high)
        yield from _grid(kind, "quantity", part.quantity, rules.number(kind, "stepSize"))


def _prices(part: _Part, rules: SymbolRules, last: Decimal | None) -> Iterator[str]:
    least, most = rules.number("PRICE_FILTER", "minPrice"), rules.number("PRICE_FILTER", "maxPrice")
    for name, price in (("price", part.price), ("stop", part.stop)):
        if price is not None:
            if price <= 0:
                yield f"PRICE_FILTER: a {name} of {text_of(price)}"
            yield from _range("PRICE_FILTER", name, price, least, most)
            yield from _grid("PRICE_FILTER", name, price, rules.tick)
    if part.price is None or last is None:
        return
    side = "bid" if part.buys else "ask"
    for kind, low, high in (
        ("PERCENT_PRICE", "multiplierDown", "multiplierUp"),
        ("PERCENT_PRICE_BY_SIDE", f"{side}MultiplierDown", f"{side}MultiplierUp"),
    ):
        least, most = last * rules.number(kind, low), last * rules.number(kind, high)
        yield from _range(kind, "price", part.price, least, most, f" (last price {text_of(last)})")


def _notional(part: _Part, rules: SymbolRules, last: Decimal | None) -> Iterator[str]:
    # A stop that sells at the market has no price of its own; the stop is the one that is known.
    price = next((one for one in (part.price, part.stop, last) if one is not None), None)
    if price is None:
        return
    value, is_market = price * part.quantity, part.price is None
    for kind, low_flag, high_flag in (
        ("MIN_NOTIONAL", "applyToMarket", ""),
        ("NOTIONAL", "applyMinToMarket", "applyMaxToMarket"),
    ):
        low, high = rules.number(kind, "minNotional"), rules.number(kind, "maxNotional")
        if is_market and not rules.number(kind, low_flag):
            low = Decimal(0)
        if is_market and not rules.number(kind, high_flag):
            high = Decimal(0)
        yield from _range(kind, "value", value, low, high)


def _numbers(
    intent: PlaceOrder | PlaceOco,
    parts: list[_Part],
    rules: SymbolRules,
    exchange_filters: Mapping[str, Filter],
    counts: OpenCounts,
) -> Iterator[str]:
    algo, lists = sum(part.stop is not None for part in parts), int(isinstance(intent, PlaceOco))
    for filters, kind, name, count, more in (
        (rules.filters, "MAX_NUM_ORDERS", "maxNumOrders", counts.orders, len(parts)),
        (rules.filters, "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders", counts.algo_orders, algo),
        (rules.filters, "MAX_NUM_ORDER_LISTS", "maxNumOrderLists", counts.lists, lists),
        (exchange_filters, "EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders", counts.all_orders, len(parts)),
        (exchange_filters, "EXCHANGE_MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders", counts.all_algo_orders, algo),
        (exchange_filters, "EXCHANGE_MAX_NUM_ORDER_LISTS", "maxNumOrderLists", counts.all_lists, lists),
    ):
        most = filters.get(kind, {}).get(name)
        if most is not None and more and count + more > most:
            yield f"{kind}: {count} open and {more} more, at most {text_of(most)}"
    most = rules.number("MAX_POSITION", "maxPosition")
    if isinstance(intent, PlaceOrder) and intent.buys and most > 0:
        yield from _range("MAX_POSITION", "position", decimal_of(counts.position) + parts[0].quantity, Decimal(0), most)


def _range(kind: str, name: str, value: Decimal, low: Decimal, high: Decimal, more: str = "") -> Iterator[str]:
    if low > 0 and value < low:
        yield f"{kind}: {name} {text_of(value)} is below {text_of(low)}{more}"
    if high > 0 and value > high:
        yield f"{kind}: {name} {text_of(value)} is above {text_of(high)}{more}"


def _grid(kind: str, name: str, value: Decimal, step: Decimal) -> Iterator[str]:
    if on_step(float(value), step) is None:
        yield f"{kind}: {name} {text_of(value)} is no multiple of {text_of(step)}"
