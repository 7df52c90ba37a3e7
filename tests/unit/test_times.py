"""Text to milliseconds and back: what is read, what is refused, and that nothing is rounded on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ConfigError
from app.times import (
    DAY_MS,
    TIME_MAX_MS,
    TIMEFRAMES_MS,
    file_time,
    iso_ms,
    month_bounds_ms,
    month_of,
    parse_time_ms,
    short_time,
    timeframe_ms,
)

TIMES = st.integers(0, TIME_MAX_MS - 1)


def test_timeframes_ascend_and_divide_the_day() -> None:
    lengths = list(TIMEFRAMES_MS.values())
    assert lengths == sorted(lengths)
    assert all(DAY_MS % length == 0 for length in lengths)
    assert timeframe_ms("15m") == 900_000


@pytest.mark.parametrize("timeframe", ["7m", "", "1M", "1min", "60", "1H"])
def test_an_unknown_timeframe_names_the_known_ones(timeframe: str) -> None:
    with pytest.raises(ConfigError, match=r"unknown timeframe .*; known are 1s, 1m, .*1d"):
        timeframe_ms(timeframe)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01", 0),
        ("2025-12-01", 1_764_547_200_000),
        ("2025-12-01T06:30", 1_764_570_600_000),
        ("2025-12-01 06:30", 1_764_570_600_000),
        ("2025-12-01T06:30:00Z", 1_764_570_600_000),
        ("2025-12-01T08:30+02:00", 1_764_570_600_000),
        ("2025-12-01T06:30:00.123", 1_764_570_600_123),
        ("2025-12-01T06:30:00.1239", 1_764_570_600_123),
        ("  2025-12-01 ", 1_764_547_200_000),
        ("9999-12-31T23:59:59.999Z", TIME_MAX_MS - 1),
    ],
)
def test_dates_and_iso_times_are_utc(text: str, expected: int) -> None:
    assert parse_time_ms(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "2025-13-01", "2025-02-29", "1764547200000", "2025-12-01T25:00", "nan"])
def test_what_is_no_date_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a date or time; write 2025-12-01 or"):
        parse_time_ms(text)


@pytest.mark.parametrize("text", ["0001-01-01", "0001-01-01T00:00+14:00", "1969-12-31T23:59", "9999-12-31T23:59-01:00"])
def test_times_outside_the_calendar_of_the_cache_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a time between 1970 and 9999"):
        parse_time_ms(text)


@given(TIMES)
def test_iso_text_reads_back_to_the_same_instant(time_ms: int) -> None:
    text = iso_ms(time_ms)
    assert parse_time_ms(text) == time_ms
    assert len(text) == len("2025-10-30T00:01:00.000Z")


def test_iso_has_milliseconds_and_z() -> None:
    assert iso_ms(1_761_782_460_000) == "2025-10-30T00:01:00.000Z"
    assert iso_ms(1_761_782_460_007) == "2025-10-30T00:01:00.007Z"


@pytest.mark.parametrize(
    ("time_ms", "short", "file"),
    [
        (1_761_782_400_000, "2025-10-30", "2025-10-30"),
        (1_761_782_460_000, "2025-10-30 00:01", "2025-10-30T0001"),
        (1_761_782_490_000, "2025-10-30 00:01:30", "2025-10-30T000130"),
    ],
)
def test_short_and_file_times(time_ms: int, short: str, file: str) -> None:
    assert short_time(time_ms) == short
    assert file_time(time_ms) == file


@given(st.integers(0, TIME_MAX_MS - 32 * DAY_MS))
def test_a_time_lies_inside_its_month(time_ms: int) -> None:
    first_ms, following_ms = month_bounds_ms(month_of(time_ms))
    assert first_ms <= time_ms < following_ms
    assert month_of(first_ms) == month_of(following_ms - 1) != month_of(following_ms)


@pytest.mark.parametrize("month", ["2025-13", "2025", "2025-10-01", "", "../2025-10"])
def test_what_is_no_month_is_refused(month: str) -> None:
    with pytest.raises(ConfigError, match="is not a month; write 2025-10"):
        month_bounds_ms(month)
