"""Timeframes and instants: text to integer milliseconds (UTC) and back.

Every time in Onetape is an integer number of milliseconds since the epoch, named `*_ms`; text exists only at the edges.
`now_ms()` and `monotonic_s()` are the only readings of the real clock (a test keeps that): feeds pace themselves by
them and progress is timed by them. No stage of the runtime may import these two: inside, time is the event's time.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from app.errors import ConfigError

TIMEFRAMES_MS = {
    "1s": 1_000,
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "4h": 14_400_000,
    "6h": 21_600_000,
    "8h": 28_800_000,
    "12h": 43_200_000,
    "1d": 86_400_000,
}

# Clocks that go on while the machine sleeps (a closed lid); the usual ones stand still, so that nobody would notice.
_AWAKE_OR_NOT = {"linux": getattr(time, "CLOCK_BOOTTIME", None), "darwin": getattr(time, "CLOCK_MONOTONIC", None)}
_CLOCK = _AWAKE_OR_NOT.get(sys.platform)
DAY_MS = 86_400_000
TIME_MAX_MS = 253_402_300_800_000  # the year 10000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def timeframe_ms(timeframe: str) -> int:
    """Length of a timeframe in milliseconds; ConfigError for one that Onetape does not know."""
    try:
        return TIMEFRAMES_MS[timeframe]
    except KeyError:
        known = ", ".join(TIMEFRAMES_MS)
        raise ConfigError(f"unknown timeframe {timeframe!r}; known are {known}") from None


def parse_time_ms(text: str) -> int:
    """A date (`2025-12-01`) or ISO time (`2025-12-01T06:30`, `...Z`, `...+02:00`); without an offset it is UTC."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConfigError(f"{text!r} is not a date or time; write 2025-12-01 or 2025-12-01T06:30 (UTC)") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    time_ms = (moment - _EPOCH) // _MILLISECOND
    if not 0 <= time_ms < TIME_MAX_MS:
        raise ConfigError(f"{text!r} is not a time between 1970 and 9999")
    return time_ms


def iso_ms(time_ms: int) -> str:
    """ISO 8601 with milliseconds and Z: `2025-10-30T00:01:00.000Z`."""
    day, rest_ms = divmod(time_ms, DAY_MS)
    minute, ms = divmod(rest_ms, 60_000)
    seconds = f"{ms // 1000:02}.{ms % 1000:03}" if ms else "00.000"
    return f"{_iso_date(day)}T{_iso_clock(minute)}:{seconds}Z"


# A trade log asks for the same days and minutes of the day again and again.
@lru_cache(maxsize=64)
def _iso_date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()[:10]


@lru_cache(maxsize=1440)
def _iso_clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def short_time(time_ms: int) -> str:
    """For people: `2025-10-30` at midnight, else `2025-10-30 00:01` (seconds only where there are any)."""
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    if time_ms % DAY_MS == 0:
        return f"{moment:%Y-%m-%d}"
    return f"{moment:%Y-%m-%d %H:%M}" if time_ms % 60_000 == 0 else f"{moment:%Y-%m-%d %H:%M:%S}"


def file_time(time_ms: int) -> str:
    """For file names: `2025-10-30` at midnight, else `2025-10-30T0001` (`T000130` with seconds)."""
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    if time_ms % DAY_MS == 0:
        return f"{moment:%Y-%m-%d}"
    return f"{moment:%Y-%m-%dT%H%M}" if time_ms % 60_000 == 0 else f"{moment:%Y-%m-%dT%H%M%S}"


def month_of(time_ms: int) -> str:
    """The UTC calendar month of an instant, as the cache names it: `2025-10`."""
    return f"{_EPOCH + timedelta(milliseconds=time_ms):%Y-%m}"


def month_bounds_ms(month: str) -> tuple[int, int]:
    """First instant of a month and of the next one; ConfigError if the text is no month."""
    try:
        first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise ConfigError(f"{month!r} is not a month; write 2025-10") from None
    following = (first + timedelta(days=32)).replace(day=1)
    return (first - _EPOCH) // _MILLISECOND, (following - _EPOCH) // _MILLISECOND


def now_ms() -> int:
    """Wall clock in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def monotonic_s() -> float:
    """Seconds of a clock that only goes forward, also while the machine sleeps; for pacing and measuring."""
    return time.perf_counter() if _CLOCK is None else time.clock_gettime(_CLOCK)
