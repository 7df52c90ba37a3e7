"""HistoricalDataProvider: what the candle cache lacks, fetched from an exchange, and what it has nothing for.

Only what is missing is asked for, in as few requests as hold it, all series under one limiter. Whenever this ends, the
cache holds nothing but checked, closed candles, the same as an import of them. ccxt is imported when the first request
is due and not before.
"""

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeVar

from app import times
from app.candles.cache import CandleCache
from app.candles.coverage import missing_ranges
from app.candles.locks import waiting_lock
from app.candles.market_data import Market, merge_markets
from app.candles.ranges import Ranges, clip, slots
from app.errors import ConfigError, OutputError, RefusedError, UnavailableError, first_cause
from app.exchange.adapter import CandleExchange
from app.exchange.exchange_clock import TimeAnswer
from app.exchange.fetch_report import FetchProgress, FetchReport
from app.exchange.limiter import WEIGHT_A_SECOND, RateLimiter
from app.exchange.page import Page, read_page
from app.exchange.retries import Asker, RetryPolicy, Tell
from app.exchange.series_fetch import SeriesFetch, SeriesReport
from app.times import short_time, timeframe_ms

Answer = TypeVar("Answer")

_IN_FLIGHT = 32
_LOCK_FILE = ".fetching"
_SKEW_MS = 5_000
_CLOSE_S = 2.0
_LIVE_POLICY = RetryPolicy(patience_s=float("inf"), is_live=True)  # a ban is sat out, however long
_TIME_TRIES, _TIME_AGREES_MS = 6, 3_600_000  # of an exchange's clock before a session begins


class HistoricalDataProvider:
    """History of one exchange, kept in one cache.

    `rate` is the weight a second (None: no limit, for an exchange of one's own), `tell` hears of long waits; `connect`
    and `sleep` are the outermost edge, for tests.
    Used as `async with`; one fetch at a time. Raises ConfigError for what the exchange does not have, an
    ExchangeError where it cannot be asked, DataError where it contradicts the cache, OutputError for a full disk.
    """

    def __init__(
        self,
        cache: CandleCache,
        exchange: str = "binanceus",
        *,
        url: str | None = None,
        rate: int | None = WEIGHT_A_SECOND,
        tell: Tell | None = None,
        policy: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        progress: Callable[[FetchProgress], None] | None = None,
        connect: Callable[[str, str | None], CandleExchange] = CandleExchange,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.cache, self.exchange = cache, exchange
        self._url, self._rate, self._tell = url, rate, tell
        self._connect, self._sleep = connect, sleep
        self._limiter = RateLimiter(rate)
        self._asker = Asker(self._limiter, sleep, policy)
        self._live_asker = Asker(self._limiter, sleep, _LIVE_POLICY)
        self._in_flight = asyncio.Semaphore(_IN_FLIGHT)
        self._opened: CandleExchange | None = None
        self._known: set[tuple[str, str]] = set()  # symbols and timeframes that its markets have
        self._markets: dict[str, Market] = {}
        self._progress, self._done = progress, FetchProgress()

    async def __aenter__(self) -> "HistoricalDataProvider":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._opened is not None:
            opened, self._opened = self._opened, None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(opened.close(), _CLOSE_S)

    def missing(self, symbols: Sequence[str], timeframe: str, start_ms: int, end_ms: int) -> dict[str, Ranges]:
        """What the cache lacks of each symbol, `start_ms <= open time < end_ms`; asks nobody."""
        self.cache.months(symbols[0], timeframe)  # an unknown timeframe is said before anything is locked
        return {
            symbol: missing_ranges(self.cache, symbol, timeframe, self.exchange, start_ms, end_ms) for symbol in symbols
        }

    async def server_time_ms(self, symbols: Sequence[str], timeframe: str) -> int:
        """The exchange's clock, after its markets are known to have the symbols; without one, this machine's.

        A session begins with it, so it is the second of two answers that agree.
        """
        await self._open(symbols, timeframe)
        return await self._agreed_time_ms()

    @property
    def limiter(self) -> RateLimiter:
        """The budget of everything that this process asks of the exchange."""
        return self._limiter

    @property
    def is_testnet(self) -> bool:
        """Whether an address of one's own was given, and not the exchange's."""
        return self._url is not None

    async def server_time(self, symbols: Sequence[str], timeframe: str) -> TimeAnswer:
        """The exchange's clock for a live feed, which asks again by itself; after that its markets are known."""
        await self._open(symbols, timeframe)
        opened = self._connected()

        async def answer() -> TimeAnswer:
            asked_s = times.monotonic_s()
            time_ms = await opened.server_time_ms()
            return TimeAnswer(times.now_ms() if time_ms is None else time_ms, asked_s, times.monotonic_s())

        return await self._ask(opened.weight("time"), answer, self._live_asker)

    async def page(self, symbol: str, timeframe: str, since_ms: int, end_ms: int, limit: int) -> Page:
        """One checked answer, not stored, for a live feed (which asks again by itself); after `server_time_ms`."""
        return await self._ask_page(symbol, timeframe, since_ms, end_ms, limit, (), self._live_asker)

    def page_candles(self) -> int:
        """How many candles one answer holds at most."""
        return self._connected().page_candles

    def market_rows(self, symbols: Sequence[str]) -> dict[str, Any]:
        """What a stream of the same exchange has to know of these markets, as plain data."""
        return self._connected().market_rows(symbols)

    async def keep_market_data(self) -> None:
        """Writes down what the exchange said of the symbols it was asked for; OutputError if the disk takes no more."""
        try:
            await asyncio.to_thread(merge_markets, self.cache.root, self.exchange, self._markets)
        except OSError as error:
            raise OutputError(f"{self.cache.root} cannot be written: {error.strerror or error}") from error

    async def fetch(self, symbols: Sequence[str], timeframe: str, start_ms: int, end_ms: int) -> FetchReport:
        """Fetches what is missing; returns without a request where nothing is."""
        if start_ms >= end_ms:
            raise ConfigError(f"--start {short_time(start_ms)} is not before --end {short_time(end_ms)}")
        series = [SeriesReport(symbol, timeframe) for symbol in symbols]
        report = FetchReport(self.exchange, self._url or self.exchange, timeframe, start_ms, end_ms, series)
        damaged = {one: self.cache.damaged(one, timeframe, start_ms, end_ms) for one in symbols}
        if any(damaged.values()):
            await self._open(symbols, timeframe)  # first: without the exchange a damaged file is better than none
            report.notes += self._set_aside(timeframe, damaged)
        if any(self.missing(symbols, timeframe, start_ms, end_ms).values()):
            began_s = times.monotonic_s()
            try:
                async with waiting_lock(self.cache.root / _LOCK_FILE, self._say):
                    await self._fetch_locked(report)
            except OSError as error:
                raise OutputError(f"{self.cache.root} cannot be written: {error.strerror or error}") from error
            report.elapsed_s = times.monotonic_s() - began_s
        self._refuse_empty(report)
        return report

    async def _fetch_locked(self, report: FetchReport) -> None:
        timeframe, start_ms, end_ms = report.timeframe, report.start_ms, report.end_ms
        symbols = [series.symbol for series in report.series]
        # Anew: another process may have fetched it while this one waited for the lock.
        missing = self.missing(symbols, timeframe, start_ms, end_ms)
        if not any(missing.values()):
            return
        await self._open(symbols, timeframe)
        now_ms = await self._server_time_ms()
        report.clock_ahead_ms = now_ms - times.now_ms()
        closed_ms = now_ms // timeframe_ms(timeframe) * timeframe_ms(timeframe)
        if start_ms >= closed_ms:
            raise ConfigError(
                f"no {timeframe} candle from {short_time(start_ms)} on has closed yet; "
                f"by the clock of {report.host} it is {short_time(now_ms // 1000 * 1000)} UTC"
            )
        await self.keep_market_data()
        if end_ms > closed_ms:
            report.notes.append(f"candles from {short_time(closed_ms)} on have not closed yet")
        missing = {symbol: clip(ranges, 0, closed_ms) for symbol, ranges in missing.items()}
        await self._fetch_series(report, missing, now_ms)
        report.requests, report.weight = self._limiter.requests, self._limiter.weight
        report.retried = self._asker.retried
        report.notes += self._notes(report)

    async def _fetch_series(self, report: FetchReport, missing: dict[str, Ranges], now_ms: int) -> None:
        opened = self._connected()
        step_ms = timeframe_ms(report.timeframe)
        self._done = FetchProgress(sum(slots(one, step_ms) for one in missing.values()), 0, times.monotonic_s())
        self._advance(0)
        try:
            async with asyncio.TaskGroup() as tasks:
                for series in report.series:
                    wanted = missing[series.symbol]
                    if not wanted:
                        continue
                    series.wanted = slots(wanted, step_ms)
                    fetch = SeriesFetch(
                        self.cache,
                        self.exchange,
                        series,
                        wanted,
                        self.cache.present(series.symbol, series.timeframe, 0, now_ms),
                        page_candles=opened.page_candles,
                        now_ms=now_ms,
                        ask=functools.partial(self._ask_page, series.symbol, series.timeframe),
                        sleep=self._sleep,
                        progress=self._advance,
                    )
                    tasks.create_task(fetch.run())
        except BaseExceptionGroup as group:
            raise first_cause(group) from None

    async def _open(self, symbols: Sequence[str], timeframe: str) -> None:
        """Connects, if that is not done yet, and learns the market data of the symbols."""
        if self._opened is None:
            self._opened = self._connect(self.exchange, self._url)
            self._opened.on_weight = self._limiter.note_used
            if self._opened.own_limits:
                self._limiter = self._asker.limiter = self._live_asker.limiter = RateLimiter(None)
        opened, wanted = self._opened, {(symbol, timeframe) for symbol in symbols}
        if wanted <= self._known:
            return
        self._markets |= await self._ask(opened.weight("markets"), lambda: opened.markets(symbols, timeframe))
        limit = opened.weight_a_minute()
        if limit is not None and self._rate is not None:
            self._limiter.note_limit(limit)
        self._known |= wanted

    async def _agreed_time_ms(self) -> int:
        before_ms = await self._server_time_ms()
        for _ in range(_TIME_TRIES):
            time_ms = await self._server_time_ms()
            if abs(time_ms - before_ms) < _TIME_AGREES_MS:
                return time_ms
            before_ms = time_ms
        raise UnavailableError(f"{self._url or self.exchange} tells another time whenever it is asked")

    async def _server_time_ms(self) -> int:
        opened = self._connected()
        time_ms = await self._ask(opened.weight("time"), opened.server_time_ms)
        return times.now_ms() if time_ms is None else time_ms

    async def _ask_page(
        self,
        symbol: str,
        timeframe: str,
        since_ms: int | None,
        end_ms: int | None,
        limit: int,
        known: Ranges,
        asker: Asker | None = None,
    ) -> Page:
        opened, step_ms = self._connected(), timeframe_ms(timeframe)

        async def answer() -> Page:
            rows = await opened.candles(symbol, timeframe, since_ms, end_ms, limit)
            return read_page(rows, step_ms, since_ms or 0, end_ms or 10**15, limit, known)

        return await self._ask(opened.weight("candles"), answer, asker)

    async def _ask(self, weight: int, request: Callable[[], Awaitable[Answer]], asker: Asker | None = None) -> Answer:
        async with self._in_flight:
            return await (asker or self._asker).ask(weight, request, self._tell)

    def _connected(self) -> CandleExchange:
        if self._opened is None:
            raise RuntimeError("the exchange was asked before it was opened")
        return self._opened

    def _set_aside(self, timeframe: str, damaged: dict[str, dict[str, str]]) -> Iterator[str]:
        for symbol, faults in damaged.items():
            for month, fault in faults.items():
                aside = self.cache.set_aside(symbol, timeframe, month)
                yield f"{fault}; its candles are fetched again, the file is kept as {aside.name}"

    def _notes(self, report: FetchReport) -> Iterator[str]:
        if report.clock_ahead_ms is not None and abs(report.clock_ahead_ms) > _SKEW_MS:
            yield f"the exchange's clock is {_duration(report.clock_ahead_ms)} this machine's; the exchange's counts"
        for series in report.series:
            if series.unsettled:
                yield (
                    f"{series.symbol}: the candle of {short_time(series.unsettled[0][0])} has closed by the exchange's "
                    "clock, but it is not there yet or still changes: it is not stored"
                )

    def _refuse_empty(self, report: FetchReport) -> None:
        for series in report.series:
            if self.cache.present(series.symbol, series.timeframe, report.start_ms, report.end_ms):
                continue
            between = f"{short_time(report.start_ms)} to {short_time(report.end_ms)}"
            if series.listed_ms is not None:
                begins = short_time(series.listed_ms)
                raise RefusedError(
                    f"{series.symbol} {series.timeframe} begins at {begins} on {report.host}; {between} lies before it"
                )
            raise RefusedError(f"{report.host} has no candle of {series.symbol} {series.timeframe} from {between}")

    def _advance(self, candles: int) -> None:
        self._done.done += candles
        if self._progress is not None:
            self._progress(self._done)

    def _say(self, text: str) -> None:
        if self._tell is not None:
            self._tell(text)


def _duration(ms: int) -> str:
    seconds = abs(ms) / 1000.0
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} {'ahead of' if ms > 0 else 'behind'}"
    return f"{seconds:.0f} seconds {'ahead of' if ms > 0 else 'behind'}"
