"""The candles of a run: which period, what of it an exchange has to be asked for, and what its market data says.

A session's candles that are not in the cache are built from finer ones that are, where those cover the run.

A series that somebody imported is left as it is: candles of another source do not belong into its gaps. An exchange is
asked where the cache has no candle of the run, where it was asked for this series before, or where --exchange-url says
so; never --offline.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from app import times
from app.candles.built_candles import built_cache, finer_series
from app.candles.cache import CandleCache
from app.candles.coverage import missing_ranges
from app.candles.market_data import read_markets
from app.errors import ConfigError, DataError, ExchangeError, NewerFormatError, OnetapeError
from app.session.period import FRESH_NOTE, Period, resolve_period, what_is_there
from app.settings.profile import InstrumentSettings, Settings
from app.times import DAY_MS, TIME_MAX_MS, short_time, timeframe_ms

if TYPE_CHECKING:
    from app.exchange.fetch_report import FetchProgress, FetchReport
    from app.exchange.history import HistoricalDataProvider


@dataclass(frozen=True)
class Supply:
    """Where candles may come from: the cache and, unless offline, the exchange, perhaps at another host."""

    cache: CandleCache
    offline: bool = False
    exchange_url: str | None = None
    tell: Callable[[str], None] | None = None
    progress: "Callable[[FetchProgress], None] | None" = None
    fetched: "Callable[[FetchReport], None] | None" = None
    finer: Mapping[str, str] = field(default_factory=dict)  # of which timeframe a symbol's candles are built

    def with_finer(self, settings: Settings, start_ms: int | None, end_ms: int | None) -> "Supply":
        """The same, building what the cache has in a finer timeframe alone; an exchange is asked where that lacks."""
        finer: dict[str, str] = {}
        for symbol in settings.live.symbols:
            found = self._finer(settings, symbol, start_ms, end_ms)
            if found is not None:
                finer[symbol] = found
        if finer:
            of = ", ".join(f"{symbol} from {found}" for symbol, found in finer.items())
            self._say(f"{settings.live.timeframe} candles are built from finer ones in the cache: {of}")
        return replace(self, finer=finer)

    def candles(self, settings: Settings, end_ms: int | None = None) -> CandleCache:
        """Where a run that ends at `end_ms` reads its candles."""
        return built_cache(self.cache, settings.live.timeframe, self.finer, end_ms)

    def _finer(self, settings: Settings, symbol: str, start_ms: int | None, end_ms: int | None) -> str | None:
        timeframe, bounds = settings.live.timeframe, (start_ms or 0, TIME_MAX_MS if end_ms is None else end_ms)
        if self.cache.months(symbol, timeframe):
            return None
        found = finer_series(self.cache, symbol, timeframe, *bounds)
        if found is None or self.offline:
            return found
        building = replace(self, finer={symbol: found})
        if start_ms is None or end_ms is None:
            lacks = building._may_ask(settings, symbol, None)
        else:
            lacks = building._lacks(settings, symbol, Period(start_ms, end_ms, ""), start_ms)
        return None if lacks else found

    async def period(self, settings: Settings, start_ms: int | None, end_ms: int | None) -> Period:
        """The period as asked for; where a bound is left open, the exchange's clock decides if it may be asked."""
        live = settings.live
        if start_ms is not None and end_ms is not None:
            return self._from_cache(settings, start_ms, end_ms)
        if self.offline or not any(self._may_ask(settings, symbol, None) for symbol in live.symbols):
            return self._from_cache(settings, start_ms, end_ms)
        if start_ms is None and end_ms is None and self.exchange_url is None and self._is_fresh(settings):
            return self._from_cache(settings, None, None)
        if end_ms is not None:
            return Period(end_ms - DAY_MS, end_ms, "the 24 hours before --end")
        try:
            async with self._provider(settings) as provider:
                now_ms = await provider.server_time_ms(live.symbols, live.timeframe)
        except ExchangeError as error:
            if not any(self.cache.months(symbol, live.timeframe) for symbol in live.symbols):
                raise
            self._say(f"{error}; the newest candles in the cache are taken")
            return self._from_cache(settings, start_ms, end_ms)
        end_ms = now_ms // timeframe_ms(live.timeframe) * timeframe_ms(live.timeframe)
        if start_ms is None:
            return Period(end_ms - DAY_MS, end_ms, f"the last 24 hours by the clock of {live.exchange}")
        if start_ms >= end_ms:
            raise ConfigError(f"--start {short_time(start_ms)} has not come yet: it is {short_time(end_ms)} UTC there")
        return Period(start_ms, end_ms, f"from --start to now by the clock of {live.exchange}")

    async def fill(self, settings: Settings, period: Period, warmup_start_ms: int) -> None:
        """Fetches what the run lacks, if it may; an ExchangeError says what the cache could offer instead."""
        if self.offline:
            return
        live = settings.live
        symbols = [symbol for symbol in live.symbols if self._lacks(settings, symbol, period, warmup_start_ms)]
        if not symbols:
            await self._renew_market_data(settings)
            return
        for timeframe in dict.fromkeys(self._timeframe(settings, symbol) for symbol in symbols):
            own = [symbol for symbol in symbols if self._timeframe(settings, symbol) == timeframe]
            try:
                async with self._provider(settings) as provider:
                    end_ms = self._end_ms(settings, own[0], period)
                    report = await provider.fetch(own, timeframe, warmup_start_ms, end_ms)
            except ExchangeError as error:
                raise self._refusal(error, settings, own, period) from error
            if self.fetched is not None:
                self.fetched(report)

    async def _renew_market_data(self, settings: Settings) -> None:
        # A damaged file of market data is only known for one: it is asked for again like a damaged month.
        try:
            read_markets(self.cache.root, settings.live.exchange)
        except NewerFormatError:
            raise
        except DataError as damage:
            self._say(f"{damage}; it is asked for again")
            async with self._provider(settings) as provider:
                await provider.server_time_ms(settings.live.symbols, settings.live.timeframe)
                await provider.keep_market_data()

    def complete(self, settings: Settings) -> Settings:
        """The settings with the exchange's market data where an instrument has no value of its own."""
        markets = read_markets(self.cache.root, settings.live.exchange)
        instruments = dict(settings.live.instruments)
        for symbol in settings.live.symbols:
            if symbol in markets:
                own = instruments.get(symbol)
                chosen = {} if own is None else own.model_dump(exclude_unset=True)
                instruments[symbol] = InstrumentSettings(**{**asdict(markets[symbol]), **chosen})
        if instruments == settings.live.instruments:
            return settings
        return settings.model_copy(update={"live": settings.live.model_copy(update={"instruments": instruments})})

    def _from_cache(self, settings: Settings, start_ms: int | None, end_ms: int | None) -> Period:
        live = settings.live
        return resolve_period(self.candles(settings), live.symbols, live.timeframe, start_ms, end_ms, times.now_ms())

    def _is_fresh(self, settings: Settings) -> bool:
        try:
            return self._from_cache(settings, None, None).note == FRESH_NOTE
        except DataError:
            return False

    def _lacks(self, settings: Settings, symbol: str, period: Period, warmup_start_ms: int) -> bool:
        timeframe = self._timeframe(settings, symbol)
        if not self._may_ask(settings, symbol, period):
            return False
        try:
            span = (warmup_start_ms, self._end_ms(settings, symbol, period))
            return bool(
                self.cache.damaged(symbol, timeframe, *span)
                or missing_ranges(self.cache, symbol, timeframe, settings.live.exchange, *span)
            )
        except NewerFormatError:
            raise
        except DataError:
            return True  # a damaged file: the fetch sets it aside and gets its candles again

    def _may_ask(self, settings: Settings, symbol: str, period: Period | None) -> bool:
        timeframe = self._timeframe(settings, symbol)
        if self.exchange_url is not None or not self.cache.months(symbol, timeframe):
            return True
        try:
            if symbol in read_markets(self.cache.root, settings.live.exchange):
                return True
            span = (0, 0) if period is None else (period.start_ms, period.end_ms)
            return period is not None and not self.cache.present(symbol, timeframe, *span)
        except NewerFormatError:
            raise
        except DataError:
            return False

    def _timeframe(self, settings: Settings, symbol: str) -> str:
        return self.finer.get(symbol, settings.live.timeframe)

    def _end_ms(self, settings: Settings, symbol: str, period: Period) -> int:
        # Of what is read: the last candle is built of finer ones that lie behind an end inside it.
        length_ms = timeframe_ms(settings.live.timeframe)
        return -(-period.end_ms // length_ms) * length_ms if symbol in self.finer else period.end_ms

    def _refusal(
        self, error: ExchangeError, settings: Settings, symbols: Sequence[str], period: Period
    ) -> OnetapeError:
        live = settings.live
        span = (period.start_ms, period.end_ms)
        asked = f"{live.exchange} was asked: {error}"
        for symbol in symbols:
            if not self.cache.present(symbol, live.timeframe, *span):
                between = f"from {short_time(period.start_ms)} to {short_time(period.end_ms)}"
                return DataError(f"no candle of {symbol} {live.timeframe} {between}; {asked}; {self._contents()}")
        names = ", ".join(symbols)
        return type(error)(f"candles of {names} {live.timeframe} are missing; {asked}; --offline replays what is there")

    def _contents(self) -> str:
        try:
            return what_is_there(self.cache)
        except DataError as damage:  # of another series, perhaps: it must not hide why the exchange did not answer
            return str(damage)

    def _provider(self, settings: Settings) -> "HistoricalDataProvider":
        from app.exchange.history import HistoricalDataProvider

        return HistoricalDataProvider(
            self.cache, settings.live.exchange, url=self.exchange_url, tell=self.tell, progress=self.progress
        )

    def _say(self, text: str) -> None:
        if self.tell is not None:
            self.tell(text)
