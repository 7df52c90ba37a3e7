"""An exchange in memory, at the outermost edge: the truth about candles, and answers that may be wrong for a while.

The rule: what it answers is the truth or a distortion of it that the test scripted; it is asked as CandleExchange is.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from app.candles.cache import CandleCache
from app.candles.market_data import Market
from app.exchange.adapter import CandleExchange
from app.exchange.fetch_report import FetchReport
from app.exchange.history import HistoricalDataProvider
from app.exchange.retries import RetryPolicy
from tests.candle_columns import MINUTE_MS, START_MS, equal, make_candles

Row = list[Any]
# (rows, how often this request was asked before) -> the rows to answer with; may raise
Distort = Callable[["Asked", list[Row]], object]
MARKET = Market(1e-5, 0.0, 10.0, 0.01)


class Asked:
    """One request for candles: whose, its bounds, and how often exactly it was asked before."""

    def __init__(self, symbol: str, since_ms: int | None, end_ms: int | None, limit: int, times: int) -> None:
        self.symbol = symbol
        self.since_ms, self.end_ms, self.limit, self.times = since_ms, end_ms, limit, times


class ScriptedExchange(CandleExchange):
    """Serves one-minute candles at `open_time_ms`, all symbols alike, and a clock that stands still."""

    def __init__(
        self, open_time_ms: Iterable[int], now_ms: int, *, page_candles: int = 1000, distort: Distort | None = None
    ) -> None:
        self.id, self.host, self.on_weight = "scripted", "scripted", None
        self.rows = rows_of(open_time_ms)
        self.now_ms = now_ms
        self.page_candles = page_candles
        self.distort = distort
        self.asked: list[tuple[int | None, int | None, int]] = []
        self._times: Counter[tuple[str, int | None, int | None, int]] = Counter()
        self.closed = 0

    @property
    def own_limits(self) -> bool:
        """Ours is the limiter."""
        return False

    async def markets(self, symbols: Sequence[str], timeframe: str) -> dict[str, Market]:
        """Every symbol there is."""
        return dict.fromkeys(symbols, MARKET)

    def weight_a_minute(self) -> int | None:
        """It names no limit."""
        return None

    async def server_time_ms(self) -> int | None:
        """Its clock."""
        return self.now_ms

    async def candles(
        self, symbol: str, timeframe: str, since_ms: int | None, end_ms: int | None, limit: int
    ) -> object:
        """As Binance answers: the first from `since`, without it the last before `end`."""
        await asyncio.sleep(0)
        key = (since_ms, end_ms, limit)
        asked = Asked(symbol, *key, self._times[symbol, *key])
        self._times[symbol, *key] += 1
        self.asked.append(key)
        found = [row for row in self.rows if (since_ms or 0) <= row[0] < (end_ms or 10**15)]
        rows = [list(row) for row in (found[-limit:] if since_ms is None else found[:limit])]
        return rows if self.distort is None else self.distort(asked, rows)

    async def close(self) -> None:
        """Counted."""
        self.closed += 1


def rows_of(open_time_ms: Iterable[int]) -> list[Row]:
    """The candles of tests/candle_columns.py as an exchange's rows: numbers as text."""
    columns = make_candles(sorted(open_time_ms))
    times, *floats = (column.tolist() for column in columns)
    return [[time, *(repr(value) for value in values)] for time, *values in zip(times, *floats, strict=True)]


def slot(number: int, start_ms: int) -> int:
    """The open time of a minute counted from `start_ms`."""
    return start_ms + number * MINUTE_MS


async def no_wait(_: float) -> None:
    """A sleep that lets the others go on and takes no time."""
    await asyncio.sleep(0)


def scripted_provider(cache: CandleCache, exchange: CandleExchange, **changes: Any) -> HistoricalDataProvider:
    """A provider that asks this exchange, patient and without a pause."""
    policy = RetryPolicy(tries=6, base_s=0.0)
    options = {"rate": None, "policy": policy, "connect": lambda *_: exchange, "sleep": no_wait, **changes}
    return HistoricalDataProvider(cache, "scripted", **options)


def fetch_scripted(
    cache: CandleCache, exchange: CandleExchange, symbols: Sequence[str], start: int, end: int, **changes: Any
) -> FetchReport:
    """One fetch, minutes counted from START_MS."""

    async def run() -> FetchReport:
        async with scripted_provider(cache, exchange, **changes) as provider:
            return await provider.fetch(symbols, "1m", slot(start, START_MS), slot(end, START_MS))

    return asyncio.run(run())


def stored_minutes(cache: CandleCache, symbol: str) -> list[int]:
    """The minutes that are there, counted from START_MS; each candle is held against the truth."""
    found: list[int] = []
    for month in cache.months(symbol, "1m"):
        columns = cache.read(symbol, "1m", month)
        assert equal(columns, make_candles(columns.open_time_ms.tolist()))
        found += ((columns.open_time_ms - START_MS) // MINUTE_MS).tolist()
    return found
