"""Sets of instants as ranges: what a series has, lacks, or an exchange has nothing for.

Ranges are half-open `(start_ms, end_ms)`, ascending, disjoint and never adjacent, so equal sets are equal tuples.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

import numpy as np

from app.candles.month_file import Int64Array

Ranges = tuple[tuple[int, int], ...]


def union(*sets: Iterable[tuple[int, int]]) -> Ranges:
    """Everything that is in any of them; the inputs may overlap and be in any order, empty ranges vanish."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(one for ranges in sets for one in ranges if one[0] < one[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def subtract(ranges: Ranges, taken: Ranges) -> Ranges:
    """What is in `ranges` and not in `taken`."""
    left: list[tuple[int, int]] = []
    for start, end in ranges:
        for cut_start, cut_end in taken[_first_ending_after(taken, start) :]:
            if cut_start >= end:
                break
            if start < cut_start:
                left.append((start, cut_start))
            start = max(start, cut_end)  # noqa: PLW2901 - what is left of this range
        if start < end:
            left.append((start, end))
    return tuple(left)


def intersect(ranges: Ranges, others: Ranges) -> Ranges:
    """What is in both."""
    return subtract(ranges, subtract(ranges, others))


def clip(ranges: Ranges, start_ms: int, end_ms: int) -> Ranges:
    """What of `ranges` lies in `[start_ms, end_ms)`."""
    clipped = []
    for start, end in ranges[_first_ending_after(ranges, start_ms) :]:
        if start >= end_ms or start_ms >= end_ms:
            break
        clipped.append((max(start, start_ms), min(end, end_ms)))
    return tuple(clipped)


def contains(ranges: Ranges, instant_ms: int) -> bool:
    """Whether the instant lies in one of them."""
    at = _first_ending_after(ranges, instant_ms)
    return at < len(ranges) and ranges[at][0] <= instant_ms


def last_before(ranges: Ranges, instant_ms: int) -> int | None:
    """The end (exclusive) of what lies before the instant, at most the instant itself; None if nothing does."""
    at = bisect_left(ranges, (instant_ms, instant_ms)) - 1
    return None if at < 0 else min(ranges[at][1], instant_ms)


def first_from(ranges: Ranges, instant_ms: int) -> int | None:
    """The first instant at or after the given one that is in a range; None if there is none."""
    at = _first_ending_after(ranges, instant_ms)
    return None if at == len(ranges) else max(ranges[at][0], instant_ms)


def slots(ranges: Ranges, step_ms: int) -> int:
    """How many open times of a grid they hold, where they begin and end on it."""
    return sum(end - start for start, end in ranges) // step_ms


def ranges_of(open_time_ms: Int64Array, step_ms: int) -> Ranges:
    """The ranges that ascending, on-grid open times cover, each up to its close."""
    if len(open_time_ms) == 0:
        return ()
    breaks = np.flatnonzero(np.diff(open_time_ms) != step_ms)
    starts = open_time_ms[np.concatenate(([0], breaks + 1))]
    ends = open_time_ms[np.concatenate((breaks, [len(open_time_ms) - 1]))] + step_ms
    return tuple(zip(starts.tolist(), ends.tolist(), strict=True))


def _first_ending_after(ranges: Ranges, instant_ms: int) -> int:
    # Ends ascend as starts do: the first range that reaches beyond the instant.
    return bisect_right(ranges, instant_ms, key=lambda one: one[1])
