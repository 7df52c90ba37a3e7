"""The exchange's clock: it starts when it is told, runs at its speed and says how long to wait."""

import time

import pytest

from app.errors import ConfigError
from app.testnet.virtual_clock import VirtualClock


def test_it_stands_until_it_is_started() -> None:
    clock = VirtualClock(5_000, 1_000.0)
    assert (clock.now_ms(), clock.real_s()) == (5_000, 0.0)
    time.sleep(0.002)
    assert clock.now_ms() == 5_000


def test_it_runs_at_its_speed_and_says_how_long_to_wait() -> None:
    clock = VirtualClock(1_000_000, 120.0)
    clock.start()
    before_s = clock.real_s()
    now_ms = clock.now_ms()
    after_s = clock.real_s()
    assert 1_000_000 + int(before_s * 120_000) <= now_ms <= 1_000_000 + after_s * 120_000
    wait_s = clock.real_s_until(1_000_000 + 120_000)
    assert 1.0 - clock.real_s() <= wait_s <= 1.0
    assert clock.real_s_until(999_000) == 0.0


def test_a_second_start_changes_nothing() -> None:
    clock = VirtualClock(0, 1.0)
    clock.start()
    time.sleep(0.005)
    clock.start()
    assert clock.real_s() >= 0.005


def test_held_it_stands_and_runs_on_from_there() -> None:
    clock = VirtualClock(0, 1_000.0)
    clock.start()
    clock.hold()
    held_ms, real_s = clock.now_ms(), clock.real_s()
    time.sleep(0.01)
    clock.hold()
    assert (clock.now_ms(), clock.held) == (held_ms, True)
    assert clock.real_s() >= real_s + 0.01
    clock.release()
    clock.release()
    assert held_ms <= clock.now_ms() < held_ms + 1_000 * (clock.real_s() - real_s) * 1_000 - 5_000
    time.sleep(0.002)
    assert clock.now_ms() >= held_ms + 2_000
    assert clock.held is False


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf"), float("nan")])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(ConfigError, match="speed above 0"):
        VirtualClock(0, speed)
