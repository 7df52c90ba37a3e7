"""The exchange's time: told by answers, by frames as far as these bear them out, put right by its own candles."""

import pytest

from app.exchange.exchange_clock import ExchangeClock, TimeAnswer
from tests.made import MINUTE_MS

NOW_MS = 1_000 * MINUTE_MS
DAY_MS = 1_440 * MINUTE_MS


def answer(time_ms: float, at_s: float, rtt_s: float = 0.1) -> TimeAnswer:
    return TimeAnswer(int(time_ms), at_s, at_s + rtt_s)


def told(at_s: float = 0.0, *, pace: float = 1.0, ahead_ms: int = 0) -> ExchangeClock:
    """A clock that has heard two answers, one each second, the second at `at_s`."""
    clock = ExchangeClock(MINUTE_MS, has_own_pace=pace != 1.0)
    for second in (-2.0, -1.0, 0.0):
        clock.note_answer(answer(NOW_MS + ahead_ms + second * 1000 * pace, at_s + second))
    assert clock.is_sure
    return clock


def frame(clock: ExchangeClock, at_ms: int, now_s: float, open_ms: int = NOW_MS, *, closed: bool = False) -> bool:
    clock.hear(NOW_MS + at_ms, now_s)
    return clock.note_frame(open_ms, NOW_MS + at_ms, now_s, closed=closed)


def test_time_stands_still_between_tellings_and_frames_only_raise_it() -> None:
    clock = told()
    assert frame(clock, 5_000, 5.0)
    assert not frame(clock, 4_000, 5.1), "an old frame is no news"
    assert not frame(clock, 5_000, 5.2)
    assert clock.time_ms == clock.candle_ms == NOW_MS + 5_000


def test_an_answer_sets_it_back_too() -> None:
    clock = told()
    assert clock.note_answer(answer(NOW_MS + 10_000, 10.0))
    assert clock.note_answer(answer(NOW_MS + 9_950, 10.0))
    assert clock.candle_ms == NOW_MS + 9_950


@pytest.mark.parametrize("ahead_ms", [2_000, MINUTE_MS, DAY_MS, 50 * 365 * DAY_MS])
def test_a_frame_that_is_further_than_an_answer_and_the_seconds_since_allow_is_not_believed(ahead_ms: int) -> None:
    clock = told()
    assert clock.hear(NOW_MS + 5_000 + ahead_ms, 5.0), "worth a question"
    assert not frame(clock, 5_000 + ahead_ms, 5.0)
    assert clock.time_ms == NOW_MS
    assert clock.latest_ms(5.0) < NOW_MS + 5_000 + 500
    assert clock.latest_ms(3_605.0) < NOW_MS + 3_605_000 + 500, "however long nobody answers"


def test_frames_and_an_answer_that_agree_are_a_jump() -> None:
    """This machine's clock stood still, and the world's did not."""
    clock = told()
    frame(clock, DAY_MS, 5.0, NOW_MS + DAY_MS)
    assert clock.note_answer(answer(NOW_MS + DAY_MS + 400, 5.3))
    assert clock.time_ms == NOW_MS + DAY_MS + 400
    assert frame(clock, DAY_MS + 1_000, 6.0, NOW_MS + DAY_MS)


@pytest.mark.parametrize("off_ms", [DAY_MS, -DAY_MS, 10_000])
def test_an_answer_that_frames_deny_is_never_believed(off_ms: int) -> None:
    clock = told()
    for second in range(1, 60):
        frame(clock, 1_000 * second, float(second))
        assert not clock.note_answer(answer(NOW_MS + 1_000 * second + off_ms, second + 0.1))
    assert (clock.time_ms, clock.doubted) == (NOW_MS + 59_000, 59)


def test_without_a_frame_it_is_believed_once_it_was_repeated_for_a_while() -> None:
    clock = told()
    believed = [clock.note_answer(answer(NOW_MS + DAY_MS + 1_000 * second, float(second))) for second in range(1, 15)]
    assert believed.index(True) in (9, 10)
    changing = told()
    assert not any(changing.note_answer(answer(NOW_MS + DAY_MS * second, float(second))) for second in range(2, 30))


def test_a_wrong_belief_heals_by_the_next_answer_that_frames_bear_out() -> None:
    clock = told()
    for second in range(1, 15):
        clock.note_answer(answer(NOW_MS + DAY_MS + 1_000 * second, float(second)))
    assert clock.time_ms > NOW_MS + DAY_MS
    assert clock.hear(NOW_MS + 15_000, 15.0), "far behind: worth a question"
    assert clock.note_answer(answer(NOW_MS + 15_100, 15.1))
    assert clock.candle_ms == NOW_MS + 15_100


@pytest.mark.parametrize("pace", [1.0, 5.0, 60.0, 720.0])
def test_the_pace_of_a_testnet_is_learnt_by_three_answers(pace: float) -> None:
    clock = told(pace=pace)
    for second in range(1, 5):
        assert clock.note_answer(answer(NOW_MS + second * 1000 * pace, float(second)))
    true_ms = NOW_MS + 6_000 * pace
    assert true_ms <= clock.latest_ms(6.0) <= true_ms + 1_000 + 0.5 * 1000 * pace


def test_a_testnets_clock_may_be_held_and_is_believed_when_it_runs_on() -> None:
    clock = told(pace=20.0)
    for second in range(1, 8):
        assert clock.note_answer(answer(NOW_MS + 10, float(second)))  # it stands
    for second in range(8, 12):
        assert clock.note_answer(answer(NOW_MS + (second - 7) * 20_000, float(second)))
    for second in range(12, 40):  # and stands for a while between two answers
        assert clock.note_answer(answer(NOW_MS + 80_000 + (second - 11) * 9_000, float(second)))
    assert clock.note_answer(answer(NOW_MS + 80_000 + 28 * 9_000 + 30 * 20_000, 69.0)), "the pace is what it was"
    stood_ms = NOW_MS + 80_000 + 28 * 9_000 + 30 * 20_000
    assert clock.note_answer(answer(stood_ms, 99.0)), "however long it stood"


def test_an_old_answer_of_a_testnet_is_not_believed_where_frames_have_told_more() -> None:
    clock = told(pace=20.0)
    for second in range(1, 10):
        frame(clock, 20_000 * second, float(second), NOW_MS + second // 3 * MINUTE_MS)
    assert not clock.note_answer(answer(NOW_MS + 10, 9.1))
    assert clock.time_ms == NOW_MS + 180_000


def test_the_pace_of_a_testnet_that_stood_at_the_start_is_learnt_by_two_answers_that_frames_bear_out() -> None:
    clock = ExchangeClock(MINUTE_MS, has_own_pace=True)
    assert clock.note_answer(answer(NOW_MS, 0.0)) and clock.note_answer(answer(NOW_MS, 0.2))
    assert clock.is_sure
    assert clock.latest_ms(5.0) > NOW_MS + 4_000, "a clock that stands has no pace"

    def at(now_s: float) -> int:
        return int(20_000 * (now_s - 10.0))

    for asked_s in (11.0, 13.0):  # frames are ahead of what can be believed until it was asked
        assert clock.hear(NOW_MS + at(asked_s), asked_s)
        assert clock.note_answer(answer(NOW_MS + at(asked_s), asked_s, 0.01))
    for second in range(14, 60):
        assert frame(clock, at(second), float(second), NOW_MS + at(second) // MINUTE_MS * MINUTE_MS)
    assert clock.note_answer(answer(NOW_MS + at(60.0), 60.0, 0.01))


def test_an_exchange_has_no_pace_of_its_own() -> None:
    clock = ExchangeClock(MINUTE_MS)
    for second in range(10):
        clock.note_answer(answer(NOW_MS + second * 20_000, float(second)))
    assert not clock.is_sure


@pytest.mark.parametrize("first_ms", [-DAY_MS, DAY_MS, 2_000])
def test_one_wrong_answer_at_the_start_is_outvoted(first_ms: int) -> None:
    clock = ExchangeClock(MINUTE_MS, has_own_pace=True)
    clock.note_answer(answer(NOW_MS + first_ms, 0.0, 0.01))
    for tries in range(1, 4):
        clock.note_answer(answer(NOW_MS + tries * 70, tries * 0.07, 0.01))
    assert clock.is_sure and clock.time_ms == NOW_MS + 210


def test_a_clock_ahead_is_seen_by_a_candle_that_still_forms() -> None:
    clock = told(ahead_ms=30_000)
    frame(clock, 50_000 + 30_000, 50.0)  # at second 50 by the candles
    assert clock.ahead_ms == 20_001, "as much as is proved: the candle has not closed"
    frame(clock, 59_000 + 30_000, 59.0)
    assert clock.candle_ms < NOW_MS + MINUTE_MS
    frame(clock, MINUTE_MS + 30_000, 60.0, closed=True)
    assert clock.candle_ms >= NOW_MS + MINUTE_MS


def test_a_clock_an_hour_ahead_is_no_hour_of_candles() -> None:
    clock = told(ahead_ms=3_600_000)
    frame(clock, 3_600_000 + 10_000, 10.0)
    assert NOW_MS <= clock.candle_ms < NOW_MS + MINUTE_MS


def test_a_clock_put_right_is_believed_again() -> None:
    clock = told(ahead_ms=30_000)
    frame(clock, 59_000 + 30_000, 59.0)
    assert clock.ahead_ms > 0
    frame(clock, MINUTE_MS + 5, 61.0, closed=True)
    assert clock.ahead_ms == 5


def test_an_old_candle_shown_again_proves_nothing() -> None:
    clock = told()
    frame(clock, 1_000, 1.0)
    frame(clock, 2_000, 2.0, NOW_MS - 5 * MINUTE_MS)
    assert clock.ahead_ms == 0
