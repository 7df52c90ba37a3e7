"""What goes over the wire: klines rows, kline frames, exchangeInfo and errors, in the shapes that Binance has.

The rule: `float(text)` is the double that was printed, with at least 8 decimals and never an exponent; what a candle
does not hold (quote volume, trades, the takers' part) is a pure function of its numbers, and 0 where its volume is.
Pure functions; nothing here knows a clock, a socket or a fault.
"""

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import numpy as np

from app.candles.month_file import CandleColumns, FloatArray
from app.candles.resample import decimal_units
from app.testnet.forming import Kline
from app.testnet.market import SymbolFilters

_ROW = '[%d,"%.8f","%.8f","%.8f","%.8f","%.8f",%d,"%.8f",%d,"%.8f","%.8f","0"]\n'
_TRADES_MAX = 5_000
_ORDER_TYPES = ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"]


def wire_name(symbol: str) -> str:
    """`BTCUSDT` of `BTC/USDT`."""
    return symbol.replace("/", "")


def decimal_text(value: float) -> str:
    """At least 8 decimals, more where the double needs them."""
    text = f"{value:.8f}"
    return text if float(text) == value else format(Decimal(repr(value)), "f")


def kline_rows(columns: CandleColumns, length_ms: int) -> list[str]:
    """The rows of a klines answer, each as JSON; fast where every number has at most 8 decimals."""
    if len(columns.open_time_ms) == 0:
        return []
    is_plain = np.logical_and.reduce([decimal_units(column)[1] for column in columns.floats()])
    times = columns.open_time_ms
    trades = np.where(columns.volume > 0, 1 + np.minimum(columns.volume * 7.0, _TRADES_MAX), 0).astype(np.int64)
    quote = _quote_volume(columns)
    values = (*columns, times + (length_ms - 1), quote, trades, columns.volume / 2.0, quote / 2.0)
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
    quote = quote_volume(kline)
    return (
        f'[{kline.open_time_ms},"{prices}",{kline.open_time_ms + length_ms - 1},"{quote:.8f}",{trade_count(kline)},'
        f'"{kline.volume / 2.0:.8f}","{quote / 2.0:.8f}","0"]'
    )


def kline_frame(name: str, timeframe: str, length_ms: int, kline: Kline, *, event_ms: int, is_closed: bool) -> str:
    """A kline event as JSON; `name` as on the wire."""
    opens, highs, lows, closes, volume = (decimal_text(value) for value in kline[1:])
    quote, trades = quote_volume(kline), trade_count(kline)
    # Ids only need to ascend from candle to candle; Binance writes -1 where nothing was traded.
    first_id = kline.open_time_ms // 1_000 * _TRADES_MAX if trades else -1
    last_id = first_id + trades - 1 if trades else -1
    return (
        f'{{"e":"kline","E":{event_ms},"s":"{name}","k":{{"t":{kline.open_time_ms},'
        f'"T":{kline.open_time_ms + length_ms - 1},"s":"{name}","i":"{timeframe}","f":{first_id},"L":{last_id},'
        f'"o":"{opens}","c":"{closes}","h":"{highs}","l":"{lows}","v":"{volume}","n":{trades},'
        f'"x":{"true" if is_closed else "false"},"q":"{quote:.8f}","V":"{kline.volume / 2.0:.8f}",'
        f'"Q":"{quote / 2.0:.8f}","B":"0"}}}}'
    )


def quote_volume(kline: Kline) -> float:
    """Volume times the mean of the four prices, in quote currency."""
    return kline.volume * ((kline.open + kline.high + kline.low + kline.close) / 4.0)


def trade_count(kline: Kline) -> int:
    """How many trades there could have been; grows with the volume."""
    return 1 + int(min(kline.volume * 7.0, _TRADES_MAX)) if kline.volume > 0 else 0


def exchange_info(symbols: Iterable[tuple[str, SymbolFilters]], now_ms: int, weight_limit: int | None) -> str:
    """The answer of exchangeInfo as JSON; without a limit it names none."""
    limits: list[dict[str, Any]] = []
    if weight_limit is not None:
        limits.append(
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": weight_limit}
        )
    limits += [
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200_000},
    ]
    content = {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": limits,
        "exchangeFilters": [],
        "symbols": [_symbol_info(symbol, filters) for symbol, filters in symbols],
    }
    return json.dumps(content, separators=(",", ":"))


def error_body(code: int, message: str) -> str:
    """An error of REST as JSON."""
    return json.dumps({"code": code, "msg": message}, separators=(",", ":"))


def _quote_volume(columns: CandleColumns) -> FloatArray:
    return columns.volume * ((columns.open + columns.high + columns.low + columns.close) / 4.0)


def _symbol_info(symbol: str, filters: SymbolFilters) -> dict[str, Any]:
    base, quote = symbol.split("/")
    tick = decimal_text(filters.price_tick)
    step = decimal_text(filters.quantity_step)
    return {
        "symbol": wire_name(symbol),
        "status": "TRADING",
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": _ORDER_TYPES,
        "icebergAllowed": True,
        "ocoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.00000000", "maxPrice": "0.00000000", "tickSize": tick},
            {"filterType": "PERCENT_PRICE", "multiplierUp": "5", "multiplierDown": "0.2", "avgPriceMins": 5},
            {
                "filterType": "LOT_SIZE",
                "minQty": decimal_text(filters.min_quantity),
                "maxQty": "9000000000.00000000",
                "stepSize": step,
            },
            {
                "filterType": "MIN_NOTIONAL",
                "minNotional": decimal_text(filters.min_notional),
                "applyToMarket": True,
                "avgPriceMins": 5,
            },
            {"filterType": "ICEBERG_PARTS", "limit": 10},
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": "0.00000000",
                "maxQty": "9000000000.00000000",
                "stepSize": "0.00000000",
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        ],
        "permissions": ["SPOT"],
    }
