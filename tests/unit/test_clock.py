"""The real clock: the one place that reads it gives milliseconds since the epoch and seconds that only rise."""

import time

from app import times


def test_now_is_the_wall_clock_in_milliseconds() -> None:
    before_s = time.time()
    now_ms = times.now_ms()
    assert before_s * 1000 - 1 <= now_ms <= time.time() * 1000
    assert isinstance(now_ms, int)


def test_the_other_clock_only_goes_forward() -> None:
    readings = [times.monotonic_s() for _ in range(100)]
    assert readings == sorted(readings)
