"""The real clock: the one place that reads it gives milliseconds since the epoch and seconds that only rise."""

import time

import pytest

from app import times


def test_now_is_the_wall_clock_in_milliseconds() -> None:
    before_s = time.time()
    now_ms = times.now_ms()
    assert before_s * 1000 - 1 <= now_ms <= time.time() * 1000
    assert isinstance(now_ms, int)


def test_the_other_clock_only_goes_forward() -> None:
    readings = [times.monotonic_s() for _ in range(100)]
    assert readings == sorted(readings)


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="of Linux")
def test_it_goes_on_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the system's clocks it is the one that counts a suspend, which nothing here can make."""
    asked: list[int] = []
    original = time.clock_gettime

    def noted(which: int) -> float:
        asked.append(which)
        return original(which)

    monkeypatch.setattr(time, "clock_gettime", noted)
    times.monotonic_s()
    assert asked == [time.CLOCK_BOOTTIME]
