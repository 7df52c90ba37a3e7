"""What is done on a thread of its own: in order, never in the caller's time, and what fails is dropped and counted."""

import threading
from functools import partial

from app.report import output_thread
from app.report.output_thread import OutputThread


def test_calls_are_made_in_order_and_all_of_them_before_it_closes() -> None:
    made, found = OutputThread(), list[int]()
    for number in range(1000):
        made.do(partial(found.append, number))
    assert made.close()
    assert (found, made.lost, made.fault) == (list(range(1000)), 0, "")
    assert made.close()


def test_a_call_that_fails_is_dropped_and_the_first_reason_kept() -> None:
    made, found = OutputThread(), list[str]()

    def fail() -> None:
        raise BrokenPipeError(32, "Broken pipe")

    made.do(fail)
    made.do(lambda: found.append("after"))
    made.do(fail)
    assert made.close()
    assert (found, made.lost, made.fault) == (["after"], 2, "BrokenPipeError: [Errno 32] Broken pipe")


def test_a_call_that_hangs_holds_nobody_up() -> None:
    made, go_on, found = OutputThread(), threading.Event(), list[int]()
    made.do(go_on.wait)  # type: ignore[arg-type]
    while made.waiting:
        pass
    for number in range(output_thread._WAITING_MAX + 5):
        made.do(partial(found.append, number))
    assert (made.lost, made.waiting) == (5, output_thread._WAITING_MAX)
    assert not made.close(0.05)
    go_on.set()
    assert made.close()
    assert len(found) == output_thread._WAITING_MAX


def test_nothing_to_do_is_no_thread() -> None:
    before = threading.active_count()
    made = OutputThread()
    assert made.close()
    assert threading.active_count() == before
