"""What is refused, what is merged, what is left out, and what is only counted."""

from pathlib import Path

import numpy as np
import pytest

from app.candles.candle_checks import Gap, RawCandles, check_candles, coarser_timeframe, find_gaps
from app.candles.month_file import CandleColumns
from app.errors import DataError
from tests.candle_columns import MINUTE_MS, START_MS, equal, make_candles, minutes


def raw(columns: CandleColumns, name: str = "a.csv", first_row: int = 2) -> RawCandles:
    rows = np.arange(first_row, first_row + len(columns.open_time_ms))
    return RawCandles(Path(name), columns, rows, "line")


def refusal(*files: RawCandles, timeframe: str = "1m") -> str:
    with pytest.raises(DataError) as error:
        check_candles(files, timeframe)
    assert "\n" not in str(error.value)
    return str(error.value)


def with_value(name: str, value: float, row: int = 3) -> RawCandles:
    candles = make_candles(minutes(6))
    getattr(candles, name)[row] = value
    return raw(candles)


def test_clean_candles_pass_as_they_are() -> None:
    candles = make_candles(minutes(6))
    checked = check_candles([raw(candles)], "1m")
    assert equal(checked.columns, candles)
    assert (checked.duplicates_merged, checked.off_grid_ms) == (0, ())


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_are_finite(name: str, value: float) -> None:
    assert refusal(with_value(name, value)) == f"a.csv, line 5: {name} {value} is not a finite number"


@pytest.mark.parametrize("name", ["open", "high", "low", "close"])
@pytest.mark.parametrize("value", [0.0, -1.5])
def test_prices_are_above_zero(name: str, value: float) -> None:
    assert refusal(with_value(name, value)).startswith(f"a.csv, line 5: {name} {value} is not a price")


@pytest.mark.parametrize("body", ["open", "close"])
def test_high_and_low_hold_open_and_close(body: str) -> None:
    candles = make_candles(minutes(6))
    high, low = candles.high[3], candles.low[3]
    assert refusal(with_value(body, high + 0.5)).startswith(f"a.csv, line 5: high {high} is below {body}")
    assert refusal(with_value(body, low - 0.5)).startswith(f"a.csv, line 5: low {low} is above {body}")


def test_high_and_low_may_equal_open_and_close() -> None:
    candles = make_candles(minutes(6))
    flat = candles._replace(high=candles.close, low=candles.close, open=candles.close)
    assert equal(check_candles([raw(flat)], "1m").columns, flat)


def test_volume_may_be_zero_but_not_negative() -> None:
    check_candles([with_value("volume", 0.0)], "1m")
    assert refusal(with_value("volume", -0.1)).startswith("a.csv, line 5: volume -0.1 is negative")


def off_grid_candles() -> CandleColumns:
    times = list(minutes(6))
    times[2] += 14_000
    times[4] += 1
    return make_candles(times)


def test_off_grid_times_are_refused() -> None:
    text = refusal(raw(off_grid_candles()))
    assert text.startswith("a.csv, line 4: open time 2025-10-31T23:02:14.000Z is not on the 1m grid (2 of 6 are not)")
    assert "--drop-off-grid" in text


def test_off_grid_times_are_left_out_and_listed() -> None:
    checked = check_candles([raw(off_grid_candles())], "1m", drop_off_grid=True)
    assert checked.off_grid_ms == (START_MS + 2 * MINUTE_MS + 14_000, START_MS + 4 * MINUTE_MS + 1)
    assert equal(checked.columns, make_candles([START_MS + i * MINUTE_MS for i in (0, 1, 3, 5)]))


def test_another_timeframe_is_not_thinned_out() -> None:
    with pytest.raises(DataError, match="another timeframe"):
        check_candles([raw(make_candles(minutes(60)))], "5m", drop_off_grid=True)


def test_unsorted_candles_are_sorted() -> None:
    times = list(minutes(6))
    shuffled = [times[i] for i in (3, 0, 5, 1, 4, 2)]
    assert equal(check_candles([raw(make_candles(shuffled))], "1m").columns, make_candles(times))


def test_duplicates_that_agree_are_merged_within_and_across_files() -> None:
    times = list(minutes(6))
    first, second = raw(make_candles(times[:4] + times[:1])), raw(make_candles(times[2:]), "b.csv")
    checked = check_candles([second, first], "1m")
    assert equal(checked.columns, make_candles(times))
    assert checked.duplicates_merged == 3


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume"])
def test_duplicates_that_disagree_are_refused_with_both_places(name: str) -> None:
    first, second = raw(make_candles(minutes(4))), raw(make_candles(minutes(4)), "b.csv")
    values = getattr(second.columns, name)
    values[2] = np.nextafter(values[2], np.inf)
    text = refusal(first, second)
    assert text.startswith("b.csv, line 4: the candle of 2025-10-31T23:02:00.000Z differs from")
    assert "a.csv, line 4" in text


def test_gaps_are_found_with_their_ranges() -> None:
    times = np.array([START_MS + i * MINUTE_MS for i in (0, 1, 3, 7, 8)])
    assert find_gaps(times, "1m") == [
        Gap(START_MS + 2 * MINUTE_MS, START_MS + 2 * MINUTE_MS, 1),
        Gap(START_MS + 4 * MINUTE_MS, START_MS + 6 * MINUTE_MS, 3),
    ]
    assert find_gaps(times[:2], "1m") == find_gaps(times[:0], "1m") == []


def test_a_coarser_timeframe_is_noticed() -> None:
    assert coarser_timeframe(np.arange(0, 10) * 3_600_000, "1m") == "1h"
    assert coarser_timeframe(np.arange(0, 10) * 60_000, "1m") is None
    assert coarser_timeframe(np.array([0]), "1m") is None
    assert coarser_timeframe(np.array([0, 3_600_000]), "1m") is None, "one step is no habit"


def test_what_candles_look_like_is_their_usual_step_wherever_they_begin() -> None:
    hours = np.arange(50) * 3_600_000
    assert coarser_timeframe(hours + 30 * 60_000, "1m") == "1h"
    assert coarser_timeframe(np.delete(hours, [3, 4, 20]), "1m") == "1h", "with gaps"
    assert coarser_timeframe(np.sort(np.append(hours, [60_000, 7_260_000])), "1m") == "1h", "with a few others"
    assert coarser_timeframe(hours[np.arange(50) % 3 != 1], "1m") == "1h", "with more gaps than steps"
    assert coarser_timeframe(np.arange(9) * 7 * 86_400_000, "1h") == "1d"
    assert coarser_timeframe(hours, "1h") is None
    rarely_traded = np.cumsum([0, 1, 4, 2, 9, 1, 3, 7, 5, 5]) * 60_000
    assert coarser_timeframe(rarely_traded, "1m") is None


def test_candles_that_look_coarser_are_refused_file_by_file_unless_forced() -> None:
    hours, month = make_candles([START_MS + i * 3_600_000 for i in range(50)]), make_candles(minutes(500))
    expected = (
        "a.csv: these look like 1h candles, not 1m: most of their times lie 1h apart; --timeframe 1h imports them"
    )
    assert refusal(raw(hours)).startswith(expected)
    assert refusal(raw(month, "b.csv"), raw(hours)).startswith(expected)
    assert equal(check_candles([raw(hours)], "1m", force=True).columns, hours)
