"""Where the testnet's candles come from: a candle cache, or columns in memory (the generator is a module of its own).

The rule: a source answers with final candles of any time, and what it does not hold does not exist. A timeframe it
holds is answered from itself, a coarser one from the finest that it is a multiple of. It reads month by month, knows
no clock and no wire.
"""

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from app.candles.cache import CandleCache
from app.candles.market_data import read_markets
from app.candles.month_file import CandleColumns
from app.candles.resample import resample
from app.errors import DataError
from app.testnet.recent import Recent
from app.times import TIMEFRAMES_MS, month_bounds_ms, month_of, timeframe_ms

Series = tuple[str, str]

# A symbol of the spot market whose two names, put together, are its name on the wire.
_SPOT_SYMBOL = re.compile(r"[A-Z0-9]{1,20}/[A-Z0-9]{1,20}")
# Of the months read last, together: 150 MB, years of minutes.
ROWS_KEPT = 3_000_000


@dataclass(frozen=True)
class SymbolFilters:
    """What an order must keep to; 0 is no limit. In base units, quote currency, base units, quote currency."""

    quantity_step: float = 1e-8
    min_quantity: float = 0.0
    min_notional: float = 0.0
    price_tick: float = 0.0


class CandleSource(Protocol):
    """Candles by symbol (`BTC/USDT`) and timeframe."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Those it holds, sorted."""

    def made_of(self, symbol: str, timeframe: str) -> str | None:
        """The timeframe that `timeframe` is answered from; None if there is none, so there are no candles."""

    def span_ms(self, symbol: str) -> tuple[int, int]:
        """First open and last close time of the symbol's candles."""

    def candles(self, symbol: str, timeframe: str, start_ms: int, end_ms: int) -> CandleColumns:
        """Those that open at or after `start_ms` and before `end_ms`."""

    def filters(self, symbol: str) -> SymbolFilters:
        """The symbol's limits on orders."""


class FileSource:
    """Columns in memory, by symbol and timeframe, as they were read from files."""

    def __init__(self, series: Mapping[Series, CandleColumns]) -> None:
        self._series = {
            key: columns for key, columns in series.items() if _SPOT_SYMBOL.fullmatch(key[0]) and len(columns[0])
        }
        self._timeframes = timeframes_by_symbol(self._series)
        self.symbols = tuple(self._timeframes)

    def made_of(self, symbol: str, timeframe: str) -> str | None:
        """As CandleSource says."""
        return made_of(self._timeframes.get(symbol, ()), timeframe)

    def span_ms(self, symbol: str) -> tuple[int, int]:
        """As CandleSource says."""
        spans = [
            (int(columns.open_time_ms[0]), int(columns.open_time_ms[-1]) + timeframe_ms(timeframe))
            for (one, timeframe), columns in self._series.items()
            if one == symbol
        ]
        return min(first for first, _ in spans), max(last for _, last in spans)

    def candles(self, symbol: str, timeframe: str, start_ms: int, end_ms: int) -> CandleColumns:
        """As CandleSource says."""
        base = self.made_of(symbol, timeframe)
        if base is None:
            return joined([])
        length_ms = timeframe_ms(timeframe)
        # To the end of its bucket, or the last one would be the sum of a part; one that began before is left out.
        whole = between(self._series[symbol, base], start_ms, end_ms + -end_ms % length_ms)
        return between(resample(whole, base, timeframe), start_ms, end_ms)

    def filters(self, symbol: str) -> SymbolFilters:
        """As CandleSource says: no limits."""
        return SymbolFilters()


class CacheSource:
    """The candles of a cache as it was when this was made; DataError if it holds none that can be served.

    `markets.<exchange>.json` files in the cache's root, if there are any, give the limits on orders.
    """

    def __init__(self, cache: CandleCache) -> None:
        self._cache = cache
        self._months = {key: cache.months(*key) for key in cache.series() if _SPOT_SYMBOL.fullmatch(key[0])}
        self._timeframes = timeframes_by_symbol(self._months)
        self.symbols = tuple(self._timeframes)
        if not self.symbols:
            raise DataError(
                f"no candles of a symbol like BTC/USDT in {cache.root}; `python -m app data import` or "
                "`data fetch` puts some there"
            )
        self._recent: Recent[tuple[str, str, str], CandleColumns] = Recent(ROWS_KEPT, rows_in)
        self._filters = _market_filters(cache)

    def made_of(self, symbol: str, timeframe: str) -> str | None:
        """As CandleSource says."""
        return made_of(self._timeframes.get(symbol, ()), timeframe)

    def span_ms(self, symbol: str) -> tuple[int, int]:
        """As CandleSource says; reads two footers a series."""
        firsts, lasts = [], []
        for timeframe in self._timeframes[symbol]:
            months = self._months[symbol, timeframe]
            firsts.append(self._cache.describe(symbol, timeframe, months[0]).first_open_ms)
            last_open_ms = self._cache.describe(symbol, timeframe, months[-1]).last_open_ms
            lasts.append(last_open_ms + timeframe_ms(timeframe))
        return min(firsts), max(lasts)

    def candles(self, symbol: str, timeframe: str, start_ms: int, end_ms: int) -> CandleColumns:
        """As CandleSource says; DataError if a file that it needs is damaged."""
        base = self.made_of(symbol, timeframe)
        if base is None or start_ms >= end_ms:
            return joined([])
        # Names of months sort as their times; a time of no month at all is before or after every one.
        months = [
            month
            for month in self._months[symbol, base]
            if month_bounds_ms(month)[0] < end_ms and start_ms < month_bounds_ms(month)[1]
        ]
        return joined(between(self._month(symbol, timeframe, base, month), start_ms, end_ms) for month in months)

    def filters(self, symbol: str) -> SymbolFilters:
        """As CandleSource says."""
        return self._filters.get(symbol, SymbolFilters())

    def _month(self, symbol: str, timeframe: str, base: str, month: str) -> CandleColumns:
        # Every timeframe divides the day, so a bucket never spans two months.
        return self._recent.get(
            (symbol, timeframe, month),
            lambda: resample(self._cache.read(symbol, base, month), base, timeframe),
        )


def timeframes_by_symbol(series: Iterable[Series]) -> dict[str, list[str]]:
    """Each symbol's timeframes, the finest first; symbols sorted."""
    pairs = sorted(series, key=lambda pair: (pair[0], TIMEFRAMES_MS[pair[1]]))
    return {symbol: [pair[1] for pair in group] for symbol, group in itertools.groupby(pairs, lambda pair: pair[0])}


def made_of(held: Iterable[str], timeframe: str) -> str | None:
    """The one of `held` (finest first) that `timeframe` is answered from: itself, else the finest that divides it."""
    length_ms = timeframe_ms(timeframe)
    choices = list(held)
    if timeframe in choices:
        return timeframe
    return next((one for one in choices if length_ms % timeframe_ms(one) == 0), None)


def between(columns: CandleColumns, start_ms: int, end_ms: int) -> CandleColumns:
    """Those that open at or after `start_ms` and before `end_ms`; a view."""
    first, end = columns.open_time_ms.searchsorted((start_ms, end_ms)).tolist()
    return columns.take(slice(first, end))


def rows_in(columns: CandleColumns) -> int:
    """How many candles."""
    return len(columns.open_time_ms)


def joined(parts: Iterable[CandleColumns]) -> CandleColumns:
    """Several after one another; of none, no candles."""
    found = list(parts)
    if len(found) == 1:
        return found[0]
    if not found:
        nothing = np.empty(0, dtype=np.float64)
        return CandleColumns(np.empty(0, dtype=np.int64), nothing, nothing, nothing, nothing, nothing)
    return CandleColumns(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def months_between(start_ms: int, end_ms: int) -> list[str]:
    """The UTC months that a span of time touches."""
    months = []
    while start_ms < end_ms:
        months.append(month_of(start_ms))
        start_ms = month_bounds_ms(months[-1])[1]
    return months


def _market_filters(cache: CandleCache) -> dict[str, SymbolFilters]:
    found: dict[str, SymbolFilters] = {}
    for path in sorted(cache.root.glob("markets.*.json"), reverse=True):
        for symbol, market in read_markets(cache.root, path.name.split(".")[1]).items():
            found[symbol] = SymbolFilters(
                market.quantity_step, market.min_quantity, market.min_notional, market.price_tick or 0.0
            )
    return found
