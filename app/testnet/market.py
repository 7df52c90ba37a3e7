"""Where the testnet's candles come from: a candle cache or candle files; made-up ones come from generator.py.

A source holds final candles of any time, and what it does not hold does not exist. A timeframe that it holds is
answered from itself, a coarser one from the finest that divides it, month by month.
"""

import re
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from app.candles.cache import CandleCache
from app.candles.market_data import Market, exchanges_with_markets, read_markets
from app.candles.month_file import CandleColumns, concatenated
from app.candles.resample import resample
from app.errors import DataError
from app.times import TIMEFRAMES_MS, month_bounds_ms, month_of, timeframe_ms

Series = tuple[str, str]

# A symbol of the spot market whose two names, put together, are its name on the wire.
SPOT_SYMBOL = re.compile(r"[A-Z0-9]{1,20}/[A-Z0-9]{1,20}")
# Of the months used last, together: 150 MB, years of minutes.
_ROWS_KEPT = 3_000_000


class MarketSource(ABC):
    """Candles by symbol (`BTC/USDT`) and timeframe, of `symbols`, which are sorted."""

    def __init__(self, series: Iterable[Series]) -> None:
        held = sorted((one for one in series if SPOT_SYMBOL.fullmatch(one[0])), key=lambda one: TIMEFRAMES_MS[one[1]])
        self.symbols = tuple(sorted({symbol for symbol, _ in held}))
        self._timeframes = {one: [timeframe for symbol, timeframe in held if symbol == one] for one in self.symbols}
        self._kept: OrderedDict[tuple[str, str, str], CandleColumns] = OrderedDict()
        self._kept_rows = 0

    def made_of(self, symbol: str, timeframe: str) -> str | None:
        """The timeframe that `timeframe` is answered from; None if there is none, so there are no candles."""
        held, length_ms = self._timeframes.get(symbol, []), timeframe_ms(timeframe)
        if timeframe in held:
            return timeframe
        return next((one for one in held if length_ms % timeframe_ms(one) == 0), None)

    def candles(self, symbol: str, timeframe: str, start_ms: int, end_ms: int) -> CandleColumns:
        """Those that open at or after `start_ms` and before `end_ms`; DataError if a file that it needs is damaged."""
        base = self.made_of(symbol, timeframe)
        if base is None:
            return concatenated([])
        months = self._months(symbol, base, start_ms, end_ms)
        return concatenated([self._month(symbol, timeframe, base, one).between(start_ms, end_ms) for one in months])

    def filters(self, symbol: str) -> Market:
        """The symbol's limits on orders; by default none."""
        return Market()

    @abstractmethod
    def span_ms(self, symbol: str) -> tuple[int, int]:
        """First open and last close time of the symbol's candles."""

    @abstractmethod
    def _read(self, symbol: str, base: str, month: str) -> CandleColumns:
        """A month of a series that is held."""

    def _months(self, symbol: str, base: str, start_ms: int, end_ms: int) -> Sequence[str]:
        """The months of the series that the span of time touches."""
        first_ms, last_ms = self.span_ms(symbol)
        start_ms, end_ms = max(first_ms, start_ms), min(last_ms, end_ms)
        months = []
        while start_ms < end_ms:
            months.append(month_of(start_ms))
            start_ms = month_bounds_ms(months[-1])[1]
        return months

    def _month(self, symbol: str, timeframe: str, base: str, month: str) -> CandleColumns:
        key = (symbol, timeframe, month)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if base == timeframe:
            columns = self._read(symbol, base, month)
        else:  # every timeframe divides the day, so no coarse candle spans two months
            columns = resample(self._month(symbol, base, base, month), base, timeframe)
        self._kept[key] = columns
        self._kept_rows += len(columns.open_time_ms)
        while self._kept_rows > _ROWS_KEPT and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._kept_rows -= len(dropped.open_time_ms)
        return columns


class FileSource(MarketSource):
    """Columns in memory, by symbol and timeframe, as they were read from files."""

    def __init__(self, series: Mapping[Series, CandleColumns]) -> None:
        self._series = {key: columns for key, columns in series.items() if len(columns.open_time_ms)}
        super().__init__(self._series)

    def span_ms(self, symbol: str) -> tuple[int, int]:
        held = [(self._series[symbol, one].open_time_ms, timeframe_ms(one)) for one in self._timeframes[symbol]]
        return min(int(times[0]) for times, _ in held), max(int(times[-1]) + length_ms for times, length_ms in held)

    def _read(self, symbol: str, base: str, month: str) -> CandleColumns:
        return self._series[symbol, base].between(*month_bounds_ms(month))


class CacheSource(MarketSource):
    """The candles of a cache as it was when this was made; DataError if it holds none that can be served.

    `markets.<exchange>.json` files in the cache's root, if there are any, give the limits on orders.
    """

    def __init__(self, cache: CandleCache) -> None:
        self._cache = cache
        self._months_held = {key: cache.months(*key) for key in cache.series()}
        super().__init__(self._months_held)
        if not self.symbols:
            raise DataError(
                f"no candles of a symbol like BTC/USDT in {cache.root}; `python -m app data import` or "
                "`data fetch` puts some there"
            )
        self._filters: dict[str, Market] = {}
        for exchange in reversed(exchanges_with_markets(cache.root)):  # the first by name counts
            self._filters |= read_markets(cache.root, exchange)

    def span_ms(self, symbol: str) -> tuple[int, int]:
        ends = []
        for timeframe in self._timeframes[symbol]:
            months = self._months_held[symbol, timeframe]
            first, last = (self._cache.describe(symbol, timeframe, months[place]) for place in (0, -1))
            ends.append((first.first_open_ms, last.last_open_ms + timeframe_ms(timeframe)))
        return min(first_ms for first_ms, _ in ends), max(last_ms for _, last_ms in ends)

    def filters(self, symbol: str) -> Market:
        return self._filters.get(symbol, Market())

    def _months(self, symbol: str, base: str, start_ms: int, end_ms: int) -> Sequence[str]:
        bounds_ms = {month: month_bounds_ms(month) for month in self._months_held[symbol, base]}
        return [month for month, (first_ms, next_ms) in bounds_ms.items() if first_ms < end_ms and start_ms < next_ms]

    def _read(self, symbol: str, base: str, month: str) -> CandleColumns:
        return self._cache.read(symbol, base, month)
