"""The exchange's time for signatures: never ahead, whatever the round trip, the pace and the local clock."""

from random import Random

import pytest

from app.exchange.server_clock import ServerClock

NOON_MS = 1_767_225_600_000


def test_it_knows_nothing_before_it_was_asked() -> None:
    clock = ServerClock()
    assert not clock.knows
    assert clock.is_old(0.0)
    with pytest.raises(RuntimeError, match="never asked"):
        clock.at_least_ms(0.0)


def test_an_answer_is_a_lower_bound_when_it_came() -> None:
    clock = ServerClock()
    clock.note(NOON_MS, 10.0, 10.4)
    assert clock.at_least_ms(10.4) == NOON_MS
    assert clock.at_least_ms(11.4) == NOON_MS + 999, "a little slower than this machine, which may run fast"
    assert clock.at_least_ms(10.0) == NOON_MS, "never below the bound"


def test_a_slow_answer_does_not_replace_a_close_one() -> None:
    clock = ServerClock()
    clock.note(NOON_MS, 0.0, 0.01)
    clock.note(NOON_MS + 10_000, 10.0, 14.0)  # it was told at once, and took four seconds to come
    assert clock.at_least_ms(14.0) > NOON_MS + 13_900
    clock.note(NOON_MS + 20_000, 20.0, 20.001)
    assert clock.at_least_ms(20.001) == NOON_MS + 20_000


@pytest.mark.parametrize("leap_ms", [120_000, -120_000, 86_400_000])
def test_a_clock_that_was_set_is_believed(leap_ms: int) -> None:
    for has_own_pace in (False, True):
        clock = ServerClock(has_own_pace=has_own_pace)
        for second in (0.0, 1.0, 2.0):
            clock.note(NOON_MS + int(second * 1000), second, second + 0.01)
        clock.note(NOON_MS + 3_000 + leap_ms, 3.0, 3.01)
        assert clock.at_least_ms(3.01) == NOON_MS + 3_000 + leap_ms


def test_a_refused_time_stamp_is_doubt_until_it_is_asked_again() -> None:
    clock = ServerClock()
    clock.note(NOON_MS, 0.0, 0.01)
    assert not clock.is_old(100.0)
    assert clock.is_old(301.0)
    assert not clock.is_old(301.0, 2.0)
    clock.doubt()
    assert not clock.knows
    assert clock.is_old(0.02)
    clock.note(NOON_MS - 5_000, 1.0, 1.01)
    assert clock.at_least_ms(1.01) == NOON_MS - 5_000


@pytest.mark.parametrize("speed", [0.0, 1e-6, 0.5, 1.0, 20.0, 60.0, 600.0])
def test_never_ahead_and_never_vague_at_any_pace(speed: float) -> None:
    """A thousand moments: a stamp is at most the exchange's time, and close to it where it does not count as old."""
    rng, clock, now_s = Random(1), ServerClock(has_own_pace=True), 5.0
    asked = 0

    def truth_ms(at_s: float) -> int:
        return NOON_MS + int(at_s * 1000.0 * speed)

    for _ in range(1_000):
        while clock.is_old(now_s):
            there_s, back_s = rng.uniform(0.0005, 0.003), rng.uniform(0.0005, 0.003)
            clock.note(truth_ms(now_s + there_s), now_s, now_s + there_s + back_s)
            now_s += there_s + back_s + (0.0 if clock.knows else 0.1)
            asked += 1
        stamp_ms = clock.at_least_ms(now_s)
        assert stamp_ms <= truth_ms(now_s)
        assert truth_ms(now_s) - stamp_ms <= 501 + 0.003 * 1000 * speed
        now_s += rng.uniform(0.0, 0.2)
    assert asked < 300


def test_real_time_is_never_ahead_with_a_local_clock_that_is_fast() -> None:
    clock = ServerClock()
    clock.note(NOON_MS, 0.0, 0.0)
    fast_s = 300.0 * 1.0001
    assert clock.at_least_ms(fast_s) <= NOON_MS + 300_000


def test_a_pace_of_its_own_is_known_only_after_two_answers() -> None:
    clock = ServerClock(has_own_pace=True)
    clock.note(NOON_MS, 0.0, 0.01)
    assert not clock.knows
    clock.note(NOON_MS + 1, 0.02, 0.03)
    assert not clock.knows, "too close together"
    clock.note(NOON_MS + 6_000, 0.11, 0.12)
    assert clock.knows
