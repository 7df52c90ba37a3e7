"""What a Binance says of itself before any order: symbols with their status, order types and filters, and its limits.

Numbers are exact decimals. A filter that is absent is no rule, as a limit of 0 is none.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from app.errors import UnavailableError

TRADING = "TRADING"
# Of orders that are sent; whatever filters there are besides, or will be, are the exchange's affair.
_KNOWN = frozenset(
    {
        "PRICE_FILTER", "PERCENT_PRICE", "PERCENT_PRICE_BY_SIDE", "LOT_SIZE", "MARKET_LOT_SIZE", "MIN_NOTIONAL",
        "NOTIONAL", "MAX_POSITION", "MAX_NUM_ORDERS", "MAX_NUM_ALGO_ORDERS", "MAX_NUM_ORDER_LISTS",
    }
)  # fmt: skip
_INTERVAL_MS = {"SECOND": 1_000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": 86_400_000}

Filter = Mapping[str, Decimal]  # flags are 0 and 1


class SymbolRules(NamedTuple):
    """One symbol. `filters` by their type."""

    name: str
    base: str
    quote: str
    status: str
    order_types: tuple[str, ...]
    has_oco: bool
    self_trade_modes: tuple[str, ...]
    filters: Mapping[str, Filter]

    def number(self, kind: str, name: str) -> Decimal:
        """A filter's number; 0 where there is no such rule."""
        return self.filters.get(kind, {}).get(name, Decimal(0))

    @property
    def tick(self) -> Decimal:
        """What prices are multiples of; 0 for anything."""
        return self.number("PRICE_FILTER", "tickSize")

    @property
    def step(self) -> Decimal:
        """What quantities are multiples of."""
        return self.number("LOT_SIZE", "stepSize")


class OrderLimit(NamedTuple):
    """So many orders that have not been filled, in an interval of the exchange's clock."""

    interval_ms: int
    limit: int


class ExchangeRules(NamedTuple):
    """`symbols` by our names."""

    symbols: Mapping[str, SymbolRules]
    filters: Mapping[str, Filter] = {}
    order_limits: Sequence[OrderLimit] = ()
    weight_a_minute: int | None = None


def read_rules(info: Any, symbol_of: Mapping[str, str]) -> ExchangeRules:
    """An answer to exchangeInfo; UnavailableError for what cannot be read. Symbols that are not ours are left out."""
    try:
        rows = {symbol_of[row["symbol"]]: read_symbol(row) for row in info["symbols"] if row["symbol"] in symbol_of}
        limits = [row for row in info.get("rateLimits") or () if isinstance(row, dict)]
        weights = [one for interval_ms, one in _limits(limits, "REQUEST_WEIGHT") if interval_ms == 60_000]
        return ExchangeRules(
            rows,
            _filters(info.get("exchangeFilters") or ()),
            [OrderLimit(*one) for one in _limits(limits, "ORDERS")],
            weights[0] if weights else None,
        )
    except (LookupError, TypeError, ValueError, AttributeError, InvalidOperation):
        pass
    raise UnavailableError("the exchange's answer about its symbols cannot be read")


def read_symbol(row: Mapping[str, Any]) -> SymbolRules:
    """One row of exchangeInfo, as ccxt's markets keep it, too (`info`)."""
    types, modes = row.get("orderTypes") or (), row.get("allowedSelfTradePreventionModes") or ()
    return SymbolRules(
        name=str(row["symbol"]),
        base=str(row["baseAsset"]),
        quote=str(row["quoteAsset"]),
        status=str(row["status"]),
        order_types=tuple(map(str, types)),
        has_oco=row.get("ocoAllowed", True) is not False,
        self_trade_modes=tuple(map(str, modes)),
        filters=_filters(row.get("filters") or ()),
    )


def _filters(rows: Sequence[Mapping[str, Any]]) -> dict[str, Filter]:
    return {
        row["filterType"]: {name: Decimal(str(_plain(value))) for name, value in row.items() if name != "filterType"}
        for row in rows
        if row["filterType"].removeprefix("EXCHANGE_") in _KNOWN
    }


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


def _limits(rows: Sequence[Mapping[str, Any]], kind: str) -> Iterator[tuple[int, int]]:
    for row in rows:
        is_read = type(row.get("limit")) is int and row["limit"] > 0 and row.get("interval") in _INTERVAL_MS
        if is_read and row.get("rateLimitType") == kind:
            yield _INTERVAL_MS[row["interval"]] * int(row["intervalNum"]), row["limit"]
