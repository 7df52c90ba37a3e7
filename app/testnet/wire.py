"""What goes over the wire: klines rows, kline frames and exchangeInfo, in the shapes that Binance has.

Numbers are texts of at least 8 decimals, never with an exponent, and `float(text)` is the double that was printed. What
a candle does not hold (quote volume, trades, the takers' part) is a pure function of its numbers, and 0 where its
volume is.
"""

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import numpy as np

from app.candles.market_data import Market
from app.candles.month_file import CandleColumns
from app.candles.resample import decimal_units
from app.testnet.spot import Kline, wire_name
from app.testnet.symbol_rules import DEFAULT_STP, NO_EXCHANGE_RULES, STP_MODES, ExchangeRules, SymbolRules, rules_of
from app.times import timeframe_ms

_ROW = '[%d,"%.8f","%.8f","%.8f","%.8f","%.8f",%d,"%.8f",%d,"%.8f","%.8f","0"]\n'
_TRADES_MAX = 5_000


def decimal_text(value: float) -> str:
    """At least 8 decimals, more where the double needs them."""
    text = f"{value:.8f}"
    return text if float(text) == value else format(Decimal(repr(value)), "f")


def kline_rows(columns: CandleColumns, length_ms: int) -> list[str]:
    """The rows of a klines response, each as JSON; fast where every number has at most 8 decimals."""
    if len(columns.open_time_ms) == 0:
        return []
    is_plain = np.logical_and.reduce([decimal_units(column)[1] for column in columns.floats()])
    trades = np.where(columns.volume > 0, 1 + np.minimum(columns.volume * 7.0, _TRADES_MAX), 0).astype(np.int64)
    quote = _quote_volume(columns)
    last_ms = columns.open_time_ms + (length_ms - 1)
    values = (*columns, last_ms, quote, trades, columns.volume / 2.0, quote / 2.0)
    rows = list(zip(*(column.tolist() for column in values), strict=True))
    if bool(is_plain.all()):
        flat = tuple([number for row in rows for number in row])
        return ((_ROW * len(rows)) % flat).splitlines()
    return [
        (_ROW % row)[:-1] if plain else kline_row(Kline(*row[:6]), length_ms)
        for row, plain in zip(rows, is_plain.tolist(), strict=True)
    ]


def kline_row(kline: Kline, length_ms: int) -> str:
    """One row as JSON, whatever decimals it needs."""
    prices = '","'.join([decimal_text(value) for value in kline[1:]])
    quote = _quote_volume(kline)
    return (
        f'[{kline.open_time_ms},"{prices}",{kline.open_time_ms + length_ms - 1},"{quote:.8f}",{_trades(kline)},'
        f'"{kline.volume / 2.0:.8f}","{quote / 2.0:.8f}","0"]'
    )


def kline_frame(symbol: str, timeframe: str, kline: Kline, *, event_ms: int, is_closed: bool) -> str:
    """A kline event as JSON."""
    name, last_ms = wire_name(symbol), kline.open_time_ms + timeframe_ms(timeframe) - 1
    opens, highs, lows, closes, volume = (decimal_text(value) for value in kline[1:])
    quote, trades = _quote_volume(kline), _trades(kline)
    # Ids only need to ascend from candle to candle; Binance writes -1 where nothing was traded.
    first_id = kline.open_time_ms // 1_000 * _TRADES_MAX if trades else -1
    last_id = first_id + trades - 1 if trades else -1
    return (
        f'{{"e":"kline","E":{event_ms},"s":"{name}","k":{{"t":{kline.open_time_ms},"T":{last_ms},"s":"{name}",'
        f'"i":"{timeframe}","f":{first_id},"L":{last_id},"o":"{opens}","c":"{closes}","h":"{highs}","l":"{lows}",'
        f'"v":"{volume}","n":{trades},"x":{"true" if is_closed else "false"},"q":"{quote:.8f}",'
        f'"V":"{kline.volume / 2.0:.8f}","Q":"{quote / 2.0:.8f}","B":"0"}}}}'
    )


def _quote_volume(candle: Any) -> Any:
    """Volume times the mean of the four prices, in quote currency; of one candle, or of columns."""
    return candle.volume * ((candle.open + candle.high + candle.low + candle.close) / 4.0)


def _trades(kline: Kline) -> int:
    """How many trades there could have been; grows with the volume."""
    return 1 + int(min(kline.volume * 7.0, _TRADES_MAX)) if kline.volume > 0 else 0


def exchange_info(
    symbols: Iterable[tuple[str, Market | SymbolRules]],
    now_ms: int,
    weight_limit: int | None,
    exchange: ExchangeRules = NO_EXCHANGE_RULES,
) -> str:
    """The answer to exchangeInfo as JSON; without a weight limit it names none. A symbol's rules come as the trading
    has them, or from the limits of its market.
    """
    weight = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": weight_limit}
    in_10_s, in_a_day = exchange.order_limits
    content = {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [
            *([] if weight_limit is None else [weight]),
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": in_10_s},
            {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": in_a_day},
        ],
        "exchangeFilters": exchange.filters(),
        "symbols": [
            _symbol_info(symbol, rules_of(rules) if isinstance(rules, Market) else rules) for symbol, rules in symbols
        ],
    }
    return json_text(content)


def json_text(content: Any) -> str:
    """JSON without spaces, as Binance writes it."""
    return json.dumps(content, separators=(",", ":"))


def _symbol_info(symbol: str, rules: SymbolRules) -> dict[str, Any]:
    base, quote = symbol.split("/")
    return {
        "symbol": wire_name(symbol), "status": rules.status,
        "baseAsset": base, "baseAssetPrecision": 8,
        "quoteAsset": quote, "quotePrecision": 8, "quoteAssetPrecision": 8, "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(rules.order_types),
        "icebergAllowed": True, "ocoAllowed": rules.oco_allowed, "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True, "allowTrailingStop": False, "cancelReplaceAllowed": True,
        "amendAllowed": False, "isSpotTradingAllowed": True, "isMarginTradingAllowed": False,
        "filters": rules.filters(),
        "permissions": [], "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": DEFAULT_STP, "allowedSelfTradePreventionModes": list(STP_MODES),
    }  # fmt: skip
