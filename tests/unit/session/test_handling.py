"""Counts of how long events took, by hand."""

from app.session.handling import BOUNDS_S, Handling


def test_each_event_is_counted_once_by_the_first_bound_that_it_did_not_exceed() -> None:
    handling = Handling()
    for took_s in (0.0, 0.0005, 0.00051, 0.1, 10.0, 10.1, 99.0):
        handling.note(took_s)
    assert handling.within == [2, 1, 0, 0, 0, 0, 1, 0, 1, 2]
    assert len(handling.within) == len(BOUNDS_S) + 1
    assert (handling.events, handling.max_s, round(handling.total_s, 5)) == (7, 99.0, 119.20101)
