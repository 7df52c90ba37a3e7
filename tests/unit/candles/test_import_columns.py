"""Names, units and texts of times and numbers: understood without doubt, or refused with their place."""

import numpy as np
import pytest

from app.candles.import_columns import (
    floats_from_text,
    pick_columns,
    times_from_floats,
    times_from_integers,
    times_from_text,
    times_of_unit,
)
from app.errors import DataError

MOMENT_MS = 1_761_711_720_000  # 2025-10-29T04:22:00Z


def place(index: int) -> str:
    return f"a.csv, line {index + 2}"


@pytest.mark.parametrize("name", ["timestamp", "Timestamp_MS", " date ", "DateTime", "time", "Open Time", "open_time"])
def test_usual_time_names(name: str) -> None:
    header = ["id", "Volume", " open", "High", "low ", "CLOSE", name]
    assert pick_columns(header, "a.csv")[1] == [6, 2, 3, 4, 5, 1]


def test_the_most_telling_time_column_is_taken() -> None:
    header = ["date", "timestamp", "open_time", "open", "high", "low", "close", "volume"]
    assert pick_columns(header, "a.csv") == ("open_time", [2, 3, 4, 5, 6, 7])


def test_missing_columns_are_named() -> None:
    with pytest.raises(
        DataError, match=r"^a.csv: no column for a time \(.*\), close, volume; it has x, open, high, low$"
    ):
        pick_columns(["x", "open", "high", "low"], "a.csv")


def test_a_message_stays_one_line_whatever_the_names() -> None:
    with pytest.raises(DataError, match=r"it has d\?te, open$"):
        pick_columns(["d\nte", "open"], "a.csv")


def test_a_name_twice_is_refused() -> None:
    with pytest.raises(DataError, match="two columns are named open"):
        pick_columns(["time", "open", "Open", "high", "low", "close", "volume"], "a.csv")


@pytest.mark.parametrize(
    "text",
    [
        "1761711720",
        "1761711720000",
        "1761711720000000",
        "1761711720000000000",
        "1761711720.0",
        "1.76171172e9",
        "1761711720000.0",
        " 1761711720 ",
        "2025-10-29T04:22",
        "2025-10-29 04:22:00",
        "2025-10-29T04:22:00Z",
        "2025-10-29 06:22:00+02:00",
        "2025-10-29 04:22:00.000000+00:00",
        "2025-10-29 04:22:00 UTC",
    ],
)
def test_times_in_every_unit_and_as_text(text: str) -> None:
    assert times_from_text([text, text], "time", place).tolist() == [MOMENT_MS, MOMENT_MS]


def test_dates_alone_are_midnight() -> None:
    assert times_from_text(["2025-10-29"], "date", place).tolist() == [MOMENT_MS - 262 * 60_000]


def test_a_column_that_says_milliseconds_is_taken_as_it_is() -> None:
    assert times_from_text(["0", "60000"], "timestamp_ms", place).tolist() == [0, 60_000]
    assert times_from_floats(np.array([0.0, 60_000.0]), "timestamp_ms", place).tolist() == [0, 60_000]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("60000", "before 2000"),
        ("60000.0", "before 2000"),
        ("-1", "before 2000"),
        ("20251029", "before 2000"),
        ("1761711720000001", "no whole number of milliseconds"),
        ("1761711720.00001", "no whole number of milliseconds"),
        ("2025-10-29T04:22:00.000001", "no whole number of milliseconds"),
        ("90000000000", "not between 1970 and 2100"),
        ("2100-01-01", "not between 1970 and 2100"),
        ("1969-12-31", "not between 1970 and 2100"),
        ("99999999999999999999999", "not between 1970 and 2100"),
        ("nan", "is not a time"),
        ("", "neither a number"),
        ("yesterday", "neither a number"),
        ("1_761_711_720", "neither a number"),
        ("29.10.2025", "neither a number"),
    ],
)
def test_times_that_are_none(text: str, why: str) -> None:
    with pytest.raises(DataError, match=rf"^a.csv, line 2: time .*{why}"):
        times_from_text([text], "time", place)


def test_the_place_is_that_of_the_wrong_value() -> None:
    with pytest.raises(DataError, match="line 3: time 'x'"):
        times_from_text(["2025-10-29", "x", "2025-10-29"], "time", place)
    with pytest.raises(DataError, match="line 4: open 'x'"):
        floats_from_text(["1", "2", "x"], "open", place)


def test_integers_of_mixed_units_are_each_told_by_size() -> None:
    values = np.array([1_761_711_720, 1_761_711_720_000, 1_761_711_720_000_000, 1_761_711_720_000_000_000])
    assert times_from_integers(values, "open_time", place).tolist() == [MOMENT_MS] * 4


@pytest.mark.parametrize(("ticks_a_second"), [1, 1_000, 1_000_000, 1_000_000_000])
def test_datetimes_of_a_known_unit(ticks_a_second: int) -> None:
    ticks = np.array([60 * ticks_a_second])
    assert times_of_unit(ticks, ticks_a_second, "date", place).tolist() == [60_000]


def test_a_datetime_between_milliseconds_is_refused() -> None:
    with pytest.raises(DataError, match="no whole number of milliseconds"):
        times_of_unit(np.array([1_001]), 1_000_000, "date", place)


def test_numbers_are_read_to_the_nearest_double() -> None:
    texts = ["112731.29", "1e-08", "0.1", "9007199254740993", " 5 "]
    assert floats_from_text(texts, "open", place).tolist() == [112731.29, 1e-08, 0.1, 9007199254740992.0, 5.0]


@pytest.mark.parametrize("text", ["", "abc", "1,5", "1_000", "$5", "0x10"])
def test_texts_that_are_no_numbers(text: str) -> None:
    with pytest.raises(DataError, match=r"^a.csv, line 3: close '.*' is not a number$"):
        floats_from_text(["1.5", text], "close", place)
