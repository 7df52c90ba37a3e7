"""One answer of candles: whatever an exchange does to its rows, a candle that is read is a true one."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.candles.month_file import CandleColumns
from app.candles.ranges import Ranges, clip, contains, ranges_of, slots
from app.errors import UnavailableError
from app.exchange.page import Page, read_page
from app.times import TIME_MAX_MS
from tests.candle_columns import MINUTE_MS, START_MS, equal, make_candles, minutes

END_MS = START_MS + 20 * MINUTE_MS
Rows = list[list[Any]]


def rows_of(columns: CandleColumns) -> Rows:
    """As a Binance sends them: numbers as text, more fields than are read."""
    times, *floats = (column.tolist() for column in columns)
    numbers = zip(*([repr(value) for value in values] for values in floats), strict=True)
    return [[time, *values, time + 59_999, "9.5"] for time, values in zip(times, numbers, strict=True)]


def rows(count: int = 20) -> Rows:
    return rows_of(make_candles(minutes(count)))


def page(answer: object, limit: int = 1_000, known: Ranges = ()) -> Page:
    return read_page(answer, MINUTE_MS, START_MS, END_MS, limit, known)


def at(*slots_wanted: int) -> list[int]:
    return [START_MS + one * MINUTE_MS for one in slots_wanted]


def test_rows_as_they_should_be() -> None:
    read = page(rows())
    assert equal(read.columns, make_candles(minutes(20)))
    assert (read.told_from_ms, read.told_until_ms, read.off_grid) == (START_MS, END_MS, 0)
    assert read.present(MINUTE_MS) == ((START_MS, END_MS),)
    assert read.silent_about(MINUTE_MS) == ()


def test_numbers_may_be_numbers() -> None:
    numbers = [[row[0], *map(float, row[1:6])] for row in rows()]
    assert equal(page(numbers).columns, make_candles(minutes(20)))


def test_a_hole_is_told_and_so_is_the_end_of_a_short_answer() -> None:
    read = page([*rows()[:5], *rows()[8:15]])
    assert read.silent_about(MINUTE_MS) == ((at(5)[0], at(8)[0]), (at(15)[0], END_MS))


def test_an_empty_answer_is_silent_about_everything() -> None:
    assert page([]).silent_about(MINUTE_MS) == ((START_MS, END_MS),)
    assert len(page([]).columns.open_time_ms) == 0


def test_a_full_answer_tells_nothing_of_what_follows() -> None:
    read = page(rows()[2:12], limit=10)
    assert read.told_until_ms == at(12)[0]
    assert read.silent_about(MINUTE_MS) == ((START_MS, at(2)[0]),)


def test_a_full_answer_of_rows_outside_the_bounds_tells_nothing() -> None:
    late = rows_of(make_candles(minutes(10, END_MS)))
    read = page(late, limit=10)
    assert len(read.columns.open_time_ms) == 0
    assert read.silent_about(MINUTE_MS) == ()


def test_rows_outside_the_bounds_are_left_out_whatever_they_hold() -> None:
    forming = [END_MS, "nan", "0", "-1", "inf", "0"]
    early = [START_MS - MINUTE_MS, "1", "1", "1", "1", "1"]
    assert equal(page([early, *rows(), forming]).columns, make_candles(minutes(20)))


def test_rows_off_the_grid_are_left_out_and_counted() -> None:
    read = page([*rows()[:3], [at(2)[0] + 1, "1", "1", "1", "1", "1"], *rows()[3:]])
    assert equal(read.columns, make_candles(minutes(20)))
    assert read.off_grid == 1


def test_repeats_that_agree_are_one_candle_and_disorder_is_sorted() -> None:
    jumbled = [*rows()[10:], rows()[0], *rows()[:10], rows()[19], rows()[19]]
    assert equal(page(jumbled).columns, make_candles(minutes(20)))


@pytest.mark.parametrize("field", [1, 2, 3, 4, 5])
def test_two_candles_of_one_time_are_no_answer(field: int) -> None:
    other = list(rows()[7])
    other[field] = repr(float(other[field]) + 0.05)
    with pytest.raises(UnavailableError, match=r"two candles of .* differ"):
        page([*rows(), other])


IMPOSSIBLE = {
    "a price of zero": {3: "0"},
    "a negative price": {3: "-1"},
    "a negative volume": {5: "-0.1"},
    "a high below the close": {2: "1e-9"},
    "a low above the open": {3: "1e9"},
    "a high below the open alone": {1: "1e9"},
    "a low above the close alone": {4: "1e-9"},
    **{f"{value} in field {field}": {field: value} for field in range(1, 6) for value in ("nan", "inf", "-inf")},
}


@pytest.mark.parametrize("changes", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_an_impossible_candle_is_no_answer(changes: dict[int, str]) -> None:
    answer = rows()
    for field, value in changes.items():
        answer[6][field] = value
    with pytest.raises(UnavailableError, match=r"impossible candle at 2025-10-31T23:06:00\.000Z"):
        page(answer)


@pytest.mark.parametrize("answer", [None, "rows", {"code": -1}, 5, (1, 2), b"[]"])
def test_what_is_no_list_is_no_answer(answer: object) -> None:
    with pytest.raises(UnavailableError, match="was no list of candles"):
        page(answer)


GOOD = rows()[4]
BROKEN_ROWS: list[Any] = [
    None, 5, "abcdef", {}, {"t": 1}, [], GOOD[:3], GOOD[:5], [None] * 6, ["soon", *GOOD[1:]], [*GOOD[:5], "much"],
    [*GOOD[:5], None], [10**30, *GOOD[1:]], [float("inf"), *GOOD[1:]], [float("nan"), *GOOD[1:]], [*GOOD[:5], [1]],
]  # fmt: skip


@pytest.mark.parametrize("row", BROKEN_ROWS)
@pytest.mark.parametrize("alone", [True, False])
def test_a_row_that_is_no_candle_makes_it_no_answer(row: object, alone: bool) -> None:
    with pytest.raises(UnavailableError, match="a row that is no candle"):
        page([row] if alone else [*rows(), row])


def test_times_that_no_calendar_holds_are_outside_of_any_bounds() -> None:
    row = [TIME_MAX_MS, "-1", "1", "1", "1", "1"]
    assert len(read_page([row], MINUTE_MS, START_MS, 10**15, 5).columns.open_time_ms) == 0


def test_a_known_candle_that_is_left_out_makes_it_no_answer() -> None:
    answer = [*rows()[:5], *rows()[6:]]
    with pytest.raises(UnavailableError, match=r"left out the candle of 2025-10-31T23:05:00\.000Z, which exists"):
        page(answer, known=((at(3)[0], at(9)[0]),))
    assert slots(page(answer, known=((at(6)[0], END_MS),)).present(MINUTE_MS), MINUTE_MS) == 19
    with pytest.raises(UnavailableError, match="left out"):
        page([], known=((START_MS, at(1)[0]),))


def test_a_known_candle_beyond_a_full_answer_is_not_missed() -> None:
    assert page(rows()[:10], limit=10, known=((at(5)[0], at(19)[0]),)).told_until_ms == at(10)[0]
    outside = ((START_MS - MINUTE_MS, START_MS), (END_MS, END_MS + MINUTE_MS))
    assert page([], known=outside).told_until_ms == END_MS


@st.composite
def answers(draw: st.DrawFn) -> tuple[set[int], Rows, int]:
    """The slots that exist, an honest answer's rows made worse, and the limit they were asked with."""
    exist = draw(st.sets(st.integers(0, 25)))
    limit = draw(st.integers(1, 30))
    honest = rows_of(make_candles(at(*sorted(exist))))[:limit]
    answer = [list(row) for row in honest if draw(st.integers(0, 9))]  # now and then a row is left out
    answer += draw(st.lists(st.sampled_from(honest), max_size=3)) if honest else []
    answer = draw(st.permutations(answer)) if draw(st.booleans()) else answer
    if answer and draw(st.integers(0, 3)) == 0:
        place, field = draw(st.integers(0, len(answer) - 1)), draw(st.integers(0, 5))
        answer[place] = list(answer[place])
        answer[place][field] = draw(
            st.sampled_from([None, "nan", "x", "-1"] if field else [None, START_MS + 5, 10**14])
        )
    return exist, answer, limit


@settings(deadline=None, max_examples=300)
@given(answers(), st.sets(st.integers(0, 25)))
def test_no_rearrangement_makes_a_false_candle_or_a_false_silence(
    case: tuple[set[int], Rows, int], known_slots: set[int]
) -> None:
    exist, answer, limit = case
    known_times = at(*sorted(known_slots & exist))
    known = ranges_of(np.array(known_times, dtype=np.int64), MINUTE_MS)
    try:
        read = page(answer, limit, known)
    except UnavailableError:
        return
    times = read.columns.open_time_ms.tolist()
    assert set(times) <= {time for time in at(*exist) if START_MS <= time < END_MS}
    assert equal(read.columns, make_candles(sorted(set(times)))), "true to the bit, ascending, each once"
    silent = read.silent_about(MINUTE_MS)
    assert silent == clip(silent, START_MS, END_MS)
    sent = {row[0] for row in rows_of(make_candles(at(*sorted(exist))))[:limit]}
    left_out = sent - {row[0] for row in answer}
    for time in at(*exist):
        # A full answer with one row less cannot be told from a short one; that is why holes are asked about twice.
        shortened = bool(left_out) or any(row[0] not in sent for row in answer)
        assert not contains(silent, time) or shortened
    for time in known_times:
        assert time in times or not read.told_from_ms <= time < read.told_until_ms, "a known candle was left out"


@settings(deadline=None)
@given(answers())
def test_an_honest_answer_is_never_refused(case: tuple[set[int], Rows, int]) -> None:
    exist, _, limit = case
    truth = make_candles(at(*sorted(exist)))
    read = page(rows_of(truth)[:limit], limit, ranges_of(truth.open_time_ms, MINUTE_MS))
    assert set(read.columns.open_time_ms.tolist()) == {time for time in at(*sorted(exist)[:limit]) if time < END_MS}
    assert not any(contains(read.silent_about(MINUTE_MS), time) for time in at(*exist))


def test_candles_from_a_time_on_may_be_left_out_as_if_they_had_not_been_asked_for() -> None:
    truth = make_candles(at(0, 1, 3))
    read = page(rows_of(truth), 100, ())
    cut = read.until(START_MS + 3 * MINUTE_MS)
    assert cut.columns.open_time_ms.tolist() == at(0, 1)
    assert cut.silent_about(MINUTE_MS) == ((START_MS + 2 * MINUTE_MS, START_MS + 3 * MINUTE_MS),)
    assert read.until(END_MS) is read
    assert read.until(START_MS - MINUTE_MS).silent_about(MINUTE_MS) == ()
