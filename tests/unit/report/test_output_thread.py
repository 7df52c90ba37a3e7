"""What is done aside: in order, never in the caller's time, and what fails is dropped and counted."""

import threading
from functools import partial

from app.report import output_thread as aside
from app.report.output_thread import Aside


def test_calls_are_made_in_order_and_all_of_them_before_it_closes() -> None:
    made, found = Aside(), list[int]()
    for number in range(1000):
        made.do(partial(found.append, number))
    assert made.close()
    assert (found, made.lost, made.fault) == (list(range(1000)), 0, "")
    assert made.close()


def test_a_call_that_fails_is_dropped_and_the_first_reason_kept() -> None:
    made, found = Aside(), list[str]()

    def fail() -> None:
        raise BrokenPipeError(32, "Broken pipe")

    made.do(fail)
    made.do(lambda: found.append("after"))
    made.do(fail)
    assert made.close()
    assert (found, made.lost, made.fault) == (["after"], 2, "BrokenPipeError: [Errno 32] Broken pipe")


def test_a_call_that_hangs_holds_nobody_up() -> None:
    made, go_on, found = Aside(), threading.Event(), list[int]()
    made.do(go_on.wait)  # type: ignore[arg-type]
    while made.waiting:
        pass
    for number in range(aside._WAITING_MAX + 5):
        made.do(partial(found.append, number))
    assert (made.lost, made.waiting) == (5, aside._WAITING_MAX)
    assert not made.close(0.05)
    go_on.set()
    assert made.close()
    assert len(found) == aside._WAITING_MAX


def test_nothing_to_do_is_no_thread() -> None:
    before = threading.active_count()
    made = Aside()
    assert made.close()
    assert threading.active_count() == before
