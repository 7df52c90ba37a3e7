"""Ranges, held to Python sets of integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.candles.ranges import (
    Ranges,
    clip,
    contains,
    first_from,
    intersect,
    last_before,
    ranges_of,
    slots,
    subtract,
    union,
)

INSTANTS = st.integers(-3, 33)
SETS = st.sets(st.integers(0, 30))
PAIRS = st.lists(st.tuples(INSTANTS, INSTANTS), max_size=8)  # any order, overlapping, empty, backwards


def of(instants: set[int]) -> Ranges:
    """The canonical ranges of a set: maximal, so never adjacent."""
    starts = sorted(one for one in instants if one - 1 not in instants)
    ends = sorted(one + 1 for one in instants if one + 1 not in instants)
    return tuple(zip(starts, ends, strict=True))


def instants(*pairs: tuple[int, int]) -> set[int]:
    return {one for start, end in pairs for one in range(start, end)}


@given(st.lists(PAIRS, max_size=3))
def test_union(sets: list[list[tuple[int, int]]]) -> None:
    assert union(*sets) == of(instants(*(pair for pairs in sets for pair in pairs)))


@given(SETS, SETS)
def test_subtract_and_intersect(left: set[int], right: set[int]) -> None:
    assert subtract(of(left), of(right)) == of(left - right)
    assert intersect(of(left), of(right)) == of(left & right)


@given(SETS, INSTANTS, INSTANTS)
def test_clip(held: set[int], start: int, end: int) -> None:
    assert clip(of(held), start, end) == of(held & set(range(start, end)))


@given(SETS, INSTANTS)
def test_what_lies_around_an_instant(held: set[int], instant: int) -> None:
    ranges = of(held)
    assert contains(ranges, instant) == (instant in held)
    assert last_before(ranges, instant) == max((one + 1 for one in held if one < instant), default=None)
    assert first_from(ranges, instant) == min((one for one in held if one >= instant), default=None)


@given(SETS, st.sampled_from([1, 1_000, 60_000]))
def test_ranges_of_open_times_on_a_grid(held: set[int], step: int) -> None:
    times = np.array(sorted(one * step for one in held), dtype=np.int64)
    ranges = ranges_of(times, step)
    assert ranges == tuple((start * step, end * step) for start, end in of(held))
    assert slots(ranges, step) == len(held)


def test_bounds_are_plain_integers() -> None:
    [(start, end)] = ranges_of(np.array([60_000, 120_000], dtype=np.int64), 60_000)
    assert (type(start), type(end)) == (int, int), "they go into JSON"


@pytest.mark.parametrize("taken", [((0, 5),), ((3, 7),), ((5, 10),), ((0, 10),), ((2, 3), (8, 12))])
def test_an_end_belongs_to_no_range(taken: Ranges) -> None:
    left = subtract(((0, 10),), taken)
    for _, end in taken:
        assert contains(left, end) == (end < 10 and end not in instants(*taken))
