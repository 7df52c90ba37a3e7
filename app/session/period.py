"""Which candles a backtest replays: its period, its warm-up, and whether the cache can serve it.

Looks at footers and at most one month a symbol; it decodes nothing else and changes nothing. What cannot be had
is said in one line with what is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.candles.cache import CandleCache, MonthFile
from app.errors import ConfigError, DataError
from app.times import DAY_MS, month_of, short_time, timeframe_ms

FRESH_NOTE = "the last 24 hours"
_FRESH_CANDLES = 2  # a cache whose newest candle is older than this does not hold "the last 24 hours"


@dataclass(frozen=True)
class Period:
    """`start <= open time < end`, and where these came from."""

    start_ms: int
    end_ms: int
    note: str


def resolve_period(
    cache: CandleCache,
    symbols: Sequence[str],
    timeframe: str,
    start_ms: int | None,
    end_ms: int | None,
    now_ms: int,
) -> Period:
    """The period as asked for; without `start` and `end` the last 24 hours, of the clock or else of the cache."""
    if start_ms is not None and end_ms is not None:
        return _checked(start_ms, end_ms, "the period of --start and --end")
    cached_end_ms = _cached_end_ms(cache, symbols, timeframe)
    if start_ms is not None:
        if start_ms >= cached_end_ms:
            raise DataError(
                f"no candle of {', '.join(symbols)} {timeframe} from --start {short_time(start_ms)} on; "
                f"{what_is_there(cache)}"
            )
        return _checked(start_ms, cached_end_ms, "from --start to the end of the cache")
    if end_ms is not None:
        return _checked(end_ms - DAY_MS, end_ms, "the 24 hours before --end")
    length_ms = timeframe_ms(timeframe)
    now_ms = now_ms // length_ms * length_ms
    if cached_end_ms >= now_ms - _FRESH_CANDLES * length_ms:
        return Period(now_ms - DAY_MS, now_ms, FRESH_NOTE)
    return Period(cached_end_ms - DAY_MS, cached_end_ms, "the last 24 hours in the cache")


def months_of_run(
    cache: CandleCache, symbols: Sequence[str], timeframe: str, warmup_start_ms: int, period: Period
) -> list[MonthFile]:
    """The month files that the run will read, all of them readable; DataError for a symbol without a candle."""
    first, last = month_of(warmup_start_ms), month_of(period.end_ms - 1)
    months: list[MonthFile] = []
    for symbol in symbols:
        names = [month for month in cache.months(symbol, timeframe) if first <= month <= last]
        own = [cache.describe(symbol, timeframe, month) for month in names]
        if not any(_touches(cache, timeframe, month, period) for month in own):
            raise DataError(
                f"no candle of {symbol} {timeframe} from {short_time(period.start_ms)} to "
                f"{short_time(period.end_ms)}; {what_is_there(cache)}"
            )
        months += own
    return months


def what_is_there(cache: CandleCache) -> str:
    """The contents of a cache in a few words, and what to do next."""
    series = cache.series()
    advice = (
        "add candles with `python -m app data fetch` or `data import`, "
        "or run `python -m app demo` for the shipped sample"
    )
    if not series:
        return f"the cache {cache.root} is empty: {advice}"
    shown = []
    for symbol, timeframe in series[:6]:
        months = cache.months(symbol, timeframe)
        first = cache.describe(symbol, timeframe, months[0]).first_open_ms
        last = cache.describe(symbol, timeframe, months[-1]).last_open_ms + timeframe_ms(timeframe)
        shown.append(f"{symbol} {timeframe} from {short_time(first)} to {short_time(last)}")
    more = f" and {len(series) - len(shown)} more" if len(series) > len(shown) else ""
    return f"the cache {cache.root} holds {'; '.join(shown)}{more}: {advice}"


def grid_candles(start_ms: int, end_ms: int, length_ms: int) -> int:
    """How many candles a symbol without gaps has with `start <= open time < end`."""
    return max(0, -(-end_ms // length_ms) - -(-start_ms // length_ms))


def _checked(start_ms: int, end_ms: int, note: str) -> Period:
    if start_ms >= end_ms:
        raise ConfigError(f"--start {short_time(start_ms)} is not before --end {short_time(end_ms)}")
    return Period(start_ms, end_ms, note)


def _touches(cache: CandleCache, timeframe: str, month: MonthFile, period: Period) -> bool:
    if period.start_ms <= month.first_open_ms < period.end_ms or period.start_ms <= month.last_open_ms < period.end_ms:
        return True
    if month.last_open_ms < period.start_ms or month.first_open_ms >= period.end_ms:
        return False
    times_ms = cache.read(month.symbol, timeframe, month.month).open_time_ms
    begin, end = times_ms.searchsorted((period.start_ms, period.end_ms))
    return bool(begin < end)


def _cached_end_ms(cache: CandleCache, symbols: Sequence[str], timeframe: str) -> int:
    ends_ms = []
    for symbol in symbols:
        months = cache.months(symbol, timeframe)
        if months:
            ends_ms.append(cache.describe(symbol, timeframe, months[-1]).last_open_ms + timeframe_ms(timeframe))
    if not ends_ms:
        raise DataError(f"no candle of {', '.join(symbols)} {timeframe}; {what_is_there(cache)}")
    return max(ends_ms)
