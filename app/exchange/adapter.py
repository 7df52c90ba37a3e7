"""The ccxt adapter: one exchange, asked for markets, its clock and candles; its faults as our own errors.

Nothing of ccxt gets out of here, no error and no object; every answer is read or refused. Pacing, repeating and paging
are the business of history.py. ccxt is imported only when an exchange is opened; what its Binance classes get wrong for
Binance US is put right in binance_fixes.py (docs/decisions/007).
"""

import contextlib
import difflib
from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import Any

from app.candles.market_data import Market
from app.errors import ConfigError, RateLimitError, RefusedError, UnavailableError
from app.exchange.binance_fixes import binance_class
from app.exchange.hosts import BINANCE, ccxt_name, exchange_urls
from app.times import TIMEFRAMES_MS

_TIMEOUT_MS = 10_000
_PAGE_CANDLES = 300  # where ccxt does not say how many candles an answer may hold
_TIME_LEAST_MS, _TIME_MOST_MS = 10**12, 4 * 10**12  # 2001 to 2096: seconds or microseconds are no milliseconds
_DNS_TRIES, _REFUSED_TRIES = 3, 4  # no network, or nobody listening: seldom over within seconds
_SPOT_ONLY = {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "fetchMargins": False}


class CandleExchange:
    """One exchange of ccxt's, by its id; `url` points a Binance at another host, such as the testnet.

    Opened inside a running event loop and closed by `close()`. ConfigError for an id that ccxt does not know.
    """

    def __init__(self, exchange: str, url: str | None = None) -> None:
        import ccxt.async_support as ccxt

        if exchange not in BINANCE and exchange not in ccxt.exchanges:
            raise ConfigError(f"unknown exchange {exchange!r}{_near(exchange, [*ccxt.exchanges, *BINANCE])}")
        if url is not None and exchange not in BINANCE:
            raise ConfigError(f"--exchange-url works for {', '.join(BINANCE)} only, not for {exchange}")
        self.id = exchange
        self.host = url or exchange
        self.on_weight: Callable[[int], None] | None = None
        options: dict[str, Any] = {"timeout": _TIMEOUT_MS, "enableLastJsonResponse": True}
        if exchange in BINANCE:
            made = binance_class(getattr(ccxt, ccxt_name(exchange)))
            # Ours is the one limiter. Spot only: Binance.com's futures are markets of other hosts.
            options |= {"enableRateLimit": False, "urls": exchange_urls(exchange, url), "options": _SPOT_ONLY}
            self._ccxt = made(options)
            self._ccxt.on_used_weight = self._tell_weight
        else:
            self._ccxt = getattr(ccxt, exchange)(options)
        self._ccxt.timeout_on_exit = 0
        self._errors = ccxt
        self.page_candles = self._page_candles()

    @property
    def own_limits(self) -> bool:
        """Whether ccxt paces this exchange itself, because we do not know its weights."""
        return bool(self._ccxt.enableRateLimit)

    def weight(self, what: str) -> int:
        """What a request costs of the exchange's budget, by its documents."""
        return 10 if what == "markets" and self.id in BINANCE else 1

    async def markets(self, symbols: Sequence[str], timeframe: str) -> dict[str, Market]:
        """Loads all markets; those of `symbols`. ConfigError for a symbol or timeframe that the exchange lacks."""
        # What ccxt knows by itself is said before anybody is asked.
        if not self._ccxt.has.get("fetchOHLCV"):
            raise ConfigError(f"{self.id} serves no candles through ccxt")
        served = [one for one in TIMEFRAMES_MS if one in (self._ccxt.timeframes or TIMEFRAMES_MS)]
        if timeframe not in served:
            raise ConfigError(f"{self.id} has no {timeframe} candles; it has {', '.join(served)}")
        with self._translated():
            loaded = await self._ccxt.load_markets(True)
        if not loaded:
            raise UnavailableError(f"{self.host} answered without a single market")
        for symbol in symbols:
            if symbol not in loaded:
                raise ConfigError(f"{self.id} has no symbol {symbol!r}{_near(symbol, list(loaded))}")
        return {symbol: self._market(symbol, loaded[symbol]) for symbol in symbols}

    def market_rows(self, symbols: Sequence[str]) -> dict[str, Any]:
        """ccxt's plain data of these markets, for a stream of the same exchange; after `markets`."""
        return {symbol: self._ccxt.markets[symbol] for symbol in symbols}

    def weight_a_minute(self) -> int | None:
        """The limit that the exchange itself named with its markets, if it did."""
        info = self._ccxt.last_json_response
        limits = info.get("rateLimits") if isinstance(info, dict) else None
        found = [int(one["limit"]) for one in limits or () if _is_minute_weight(one)]
        return found[0] if found else None

    async def server_time_ms(self) -> int | None:
        """The exchange's clock; None if it does not tell it."""
        if not self._ccxt.has.get("fetchTime"):
            return None
        with self._translated():
            time_ms = await self._ccxt.fetch_time()
        if not isinstance(time_ms, int) or not _TIME_LEAST_MS <= time_ms < _TIME_MOST_MS:
            raise UnavailableError(f"{self.host} answered {time_ms!r} when asked for its time")
        return time_ms

    async def candles(
        self, symbol: str, timeframe: str, since_ms: int | None, end_ms: int | None, limit: int
    ) -> object:
        """The rows of one answer as they came, `since_ms <= open time < end_ms`; not checked (page.py does)."""
        until = {} if end_ms is None else {"until": end_ms - 1}
        with self._translated():
            rows: object = await self._ccxt.fetch_ohlcv(symbol, timeframe, since_ms, limit, until)
        return rows

    async def close(self) -> None:
        """Closes its connections."""
        await self._ccxt.close()

    def _market(self, symbol: str, market: dict[str, Any]) -> Market:
        precision, limits = market.get("precision") or {}, market.get("limits") or {}

        def read(name: str, value: object) -> float:
            number = float(value or 0.0)  # type: ignore[arg-type]  # what is no number is no answer
            if not 0.0 <= number < inf:
                raise UnavailableError(f"{self.host} answered {value} as the {name} of {symbol}")
            return number

        with self._translated():
            return Market(
                quantity_step=read("quantity step", precision.get("amount")) or Market.quantity_step,
                min_quantity=read("least quantity", (limits.get("amount") or {}).get("min")),
                min_notional=read("least value of an order", (limits.get("cost") or {}).get("min")),
                price_tick=read("price tick", precision.get("price")) or None,
            )

    def _page_candles(self) -> int:
        try:
            return int(self._ccxt.features["spot"]["fetchOHLCV"]["limit"])
        except (KeyError, TypeError, ValueError):
            return _PAGE_CANDLES

    def _tell_weight(self, weight: int) -> None:
        if self.on_weight is not None:
            self.on_weight(weight)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        errors = self._errors
        try:
            yield
        except (errors.DDoSProtection, errors.RateLimitExceeded) as error:
            raise RateLimitError(f"{self.host} limits the rate of requests: {_short(error)}") from error
        except errors.OperationFailed as error:
            raise self._unavailable(error) from error
        except errors.BaseError as error:
            if error.__cause__ is not None:  # aiohttp's: an answer that was cut is an ExchangeError to ccxt
                raise self._unavailable(error) from error
            raise RefusedError(f"{self.host} refuses: {_short(error)}") from error
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise UnavailableError(f"{self.host} answered what cannot be read ({type(error).__name__})") from error

    def _unavailable(self, error: BaseException) -> UnavailableError:
        cause = error.__cause__
        if cause is None:
            return UnavailableError(f"{self.host} is not available: {_short(error)}")
        name = type(cause).__name__
        if "DNS" in name or "gaierror" in name:
            return UnavailableError(f"no network, or no host of that name: {_short(cause)}", _DNS_TRIES)
        if "ClientConnector" in name:
            return UnavailableError(f"{self.host} cannot be reached: {_short(cause)}", _REFUSED_TRIES)
        if "Timeout" in name:
            return UnavailableError(f"{self.host} did not answer within {_TIMEOUT_MS // 1000} s")
        return UnavailableError(f"{self.host}: the connection broke off ({_short(cause) or name})")


def _is_minute_weight(limit: object) -> bool:
    if not isinstance(limit, dict) or not isinstance(limit.get("limit"), int):
        return False
    kind, interval, count = limit.get("rateLimitType"), limit.get("interval"), limit.get("intervalNum")
    return (kind, interval, count) == ("REQUEST_WEIGHT", "MINUTE", 1) and limit["limit"] > 0


def _near(word: str, known: Sequence[str]) -> str:
    by_folded = {name.casefold().replace("-", "/"): name for name in known}
    near = difflib.get_close_matches(word.casefold().replace("-", "/"), list(by_folded), n=4, cutoff=0.5)
    return f"; near ones are {', '.join(by_folded[name] for name in near)}" if near else ""


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else f"{text[:200]}..."
