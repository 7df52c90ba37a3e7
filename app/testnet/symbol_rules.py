"""What a symbol and the exchange accept: filters, order types, status; checked here, and shown by exchangeInfo.

A filter that is None, or a bound that is 0, is off, as Binance has it.
"""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from app.candles.market_data import Market
from app.testnet.amounts import ZERO, exact, is_multiple, text_of, times
from app.testnet.spot_orders import ALGO_TYPES, Order
from app.testnet.trading_account import TradingAccount
from app.testnet.trading_errors import Refused, filter_failure

ORDER_TYPES = (
    "LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT",
)  # fmt: skip
STP_MODES = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT")
DEFAULT_STP = "EXPIRE_MAKER"
STATUSES = ("TRADING", "END_OF_DAY", "HALT", "BREAK", "CANCEL_ONLY")
_MANY = Decimal(9_000_000_000)
_AVERAGE_MINUTES = 5


@dataclass(frozen=True)
class SymbolRules:
    """Filters of one symbol. `price_range` is the execution rule: a taker trades at no price outside these multiples
    of the reference price.
    """

    price_tick: Decimal = ZERO
    min_price: Decimal = ZERO
    max_price: Decimal = ZERO
    quantity_step: Decimal = ZERO
    min_quantity: Decimal = ZERO
    max_quantity: Decimal = _MANY
    market_step: Decimal = ZERO
    market_min_quantity: Decimal = ZERO
    market_max_quantity: Decimal = _MANY
    min_notional: Decimal = ZERO
    max_notional: Decimal = _MANY
    applies_min_to_market: bool = True
    applies_max_to_market: bool = False
    legacy_min_notional: Decimal | None = None  # the older filter, MIN_NOTIONAL, beside NOTIONAL
    percent_by_side: bool = True  # else PERCENT_PRICE, of the bid's multipliers
    bid_up: Decimal = Decimal(5)
    bid_down: Decimal = Decimal("0.2")
    ask_up: Decimal = Decimal(5)
    ask_down: Decimal = Decimal("0.2")
    max_orders: int = 200
    max_algo_orders: int = 5
    max_order_lists: int | None = 20
    max_position: Decimal | None = None
    order_types: tuple[str, ...] = ORDER_TYPES
    oco_allowed: bool = True
    price_range: tuple[Decimal, Decimal] | None = None
    status: str = "TRADING"

    def filters(self) -> list[dict[str, Any]]:
        """As exchangeInfo shows them."""
        price = {"minPrice": text_of(self.min_price), "maxPrice": text_of(self.max_price)}
        lot = {"minQty": text_of(self.min_quantity), "maxQty": text_of(self.max_quantity)}
        market = {"minQty": text_of(self.market_min_quantity), "maxQty": text_of(self.market_max_quantity)}
        shown: list[dict[str, Any]] = [
            {"filterType": "PRICE_FILTER", **price, "tickSize": text_of(self.price_tick)},
            {"filterType": "LOT_SIZE", **lot, "stepSize": text_of(self.quantity_step)},
            {"filterType": "ICEBERG_PARTS", "limit": 10},
            {"filterType": "MARKET_LOT_SIZE", **market, "stepSize": text_of(self.market_step)},
            self._percent(),
            {
                "filterType": "NOTIONAL", "minNotional": text_of(self.min_notional),
                "applyMinToMarket": self.applies_min_to_market, "maxNotional": text_of(self.max_notional),
                "applyMaxToMarket": self.applies_max_to_market, "avgPriceMins": _AVERAGE_MINUTES,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": self.max_orders},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": self.max_algo_orders},
        ]  # fmt: skip
        if self.legacy_min_notional is not None:
            least = {"minNotional": text_of(self.legacy_min_notional), "applyToMarket": True}
            shown.append({"filterType": "MIN_NOTIONAL", **least, "avgPriceMins": _AVERAGE_MINUTES})
        if self.max_order_lists is not None:
            shown.append({"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": self.max_order_lists})
        if self.max_position is not None:
            shown.append({"filterType": "MAX_POSITION", "maxPosition": text_of(self.max_position)})
        return shown

    def _percent(self) -> dict[str, Any]:
        if not self.percent_by_side:
            multipliers = {"multiplierUp": str(self.bid_up), "multiplierDown": str(self.bid_down)}
            return {"filterType": "PERCENT_PRICE", **multipliers, "avgPriceMins": _AVERAGE_MINUTES}
        return {
            "filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": str(self.bid_up),
            "bidMultiplierDown": str(self.bid_down), "askMultiplierUp": str(self.ask_up),
            "askMultiplierDown": str(self.ask_down), "avgPriceMins": _AVERAGE_MINUTES,
        }  # fmt: skip

    def check_order(self, order: Order, average: Decimal) -> None:
        """Filters that look at one order alone: its prices, its quantity, its worth."""
        for price in (order.price, order.stop_price):
            if price:
                self._check_price(price)
        if order.price:
            self._check_percent(order, average)
        if order.quantity:
            self._check_quantity(order)
            self._check_worth(order, times(order.quantity, order.price or order.stop_price or average))
        elif order.quote_quantity:
            self._check_worth(order, order.quote_quantity)

    def _check_price(self, price: Decimal) -> None:
        fits = price >= self.min_price and (not self.max_price or price <= self.max_price)
        if not fits or not is_multiple(price, self.price_tick):
            raise filter_failure("PRICE_FILTER")

    def _check_percent(self, order: Order, average: Decimal) -> None:
        buys = order.side == "BUY" or not self.percent_by_side
        up, down = (self.bid_up, self.bid_down) if buys else (self.ask_up, self.ask_down)
        if not average * down <= order.price <= average * up:
            raise filter_failure("PERCENT_PRICE_BY_SIDE" if self.percent_by_side else "PERCENT_PRICE")

    def _check_quantity(self, order: Order) -> None:
        quantity = order.quantity
        fits = self.min_quantity <= quantity <= self.max_quantity
        if not (fits and is_multiple(quantity, self.quantity_step)):
            raise filter_failure("LOT_SIZE")
        is_market = order.type in ("MARKET", "STOP_LOSS", "TAKE_PROFIT")
        fits = self.market_min_quantity <= quantity <= self.market_max_quantity
        if is_market and not (fits and is_multiple(quantity, self.market_step)):
            raise filter_failure("MARKET_LOT_SIZE")

    def _check_worth(self, order: Order, worth: Decimal) -> None:
        is_market = order.type == "MARKET"
        below = worth < self.min_notional and (self.applies_min_to_market or not is_market)
        above = worth > self.max_notional and (self.applies_max_to_market or not is_market)
        if below or above:
            raise filter_failure("NOTIONAL")
        if self.legacy_min_notional is not None and worth < self.legacy_min_notional:
            raise filter_failure("MIN_NOTIONAL")

    def check_type(self, order: Order, code: int) -> None:
        """An order type that the symbol lacks."""
        if order.type not in self.order_types:
            words = order.type.replace("_", " ").capitalize()
            raise Refused(code, f"{words} orders are not supported for this symbol.")

    def check_account(self, account: TradingAccount, orders: tuple[Order, ...], base: str, *, as_list: bool) -> None:
        """Filters that look at what the account has on the symbol."""
        resting = account.open_orders(orders[0].symbol)
        if len(resting) + len(orders) > self.max_orders:
            raise filter_failure("MAX_NUM_ORDERS")
        added = _algos(orders)
        if added and _algos(resting) + added > self.max_algo_orders:
            raise filter_failure("MAX_NUM_ALGO_ORDERS")
        lists = sum(group.is_list for group in account.open_groups(orders[0].symbol))
        if as_list and self.max_order_lists is not None and lists + 1 > self.max_order_lists:
            raise filter_failure("MAX_NUM_ORDER_LISTS")
        if self.max_position is not None and orders[0].side == "BUY":
            bought = sum((one.left for one in resting if one.side == "BUY"), orders[0].quantity)
            if account.total(base) + bought > self.max_position:
                raise filter_failure("MAX_POSITION")


@dataclass(frozen=True)
class ExchangeRules:
    """Filters over all symbols; None is off."""

    max_orders: int | None = None
    max_algo_orders: int | None = None
    max_order_lists: int | None = None
    order_limits: tuple[int, int] = (100, 200_000)  # unfilled orders in 10 s and in a day
    symbols: dict[str, SymbolRules] = field(default_factory=dict)  # by name on the wire

    def filters(self) -> list[dict[str, Any]]:
        """As exchangeInfo shows them."""
        held = (
            ("EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders", self.max_orders),
            ("EXCHANGE_MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders", self.max_algo_orders),
            ("EXCHANGE_MAX_NUM_ORDER_LISTS", "maxNumOrderLists", self.max_order_lists),
        )
        return [{"filterType": name, key: most} for name, key, most in held if most is not None]

    def check_account(self, account: TradingAccount, orders: tuple[Order, ...], *, as_list: bool) -> None:
        """What the account has open on the whole exchange."""
        resting = account.open_orders()
        if self.max_orders is not None and len(resting) + len(orders) > self.max_orders:
            raise filter_failure("EXCHANGE_MAX_NUM_ORDERS")
        added = _algos(orders)
        if added and self.max_algo_orders is not None and _algos(resting) + added > self.max_algo_orders:
            raise filter_failure("EXCHANGE_MAX_NUM_ALGO_ORDERS")
        lists = sum(group.is_list for group in account.open_groups())
        if as_list and self.max_order_lists is not None and lists + 1 > self.max_order_lists:
            raise filter_failure("EXCHANGE_MAX_NUM_ORDER_LISTS")


NO_EXCHANGE_RULES = ExchangeRules()


def rules_of(market: Market) -> SymbolRules:
    """The filters that a source's market data stands for."""
    return replace(
        SymbolRules(),
        price_tick=ZERO if market.price_tick is None else exact(float(market.price_tick)),
        quantity_step=exact(float(market.quantity_step)),
        min_quantity=exact(float(market.min_quantity)),
        min_notional=exact(float(market.min_notional)),
    )


def _algos(orders: tuple[Order, ...] | list[Order]) -> int:
    return sum(order.type in ALGO_TYPES for order in orders)
