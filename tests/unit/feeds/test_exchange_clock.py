"""The exchange's time: told by frames and answers, put right by its own candles."""

from app.feeds.exchange_clock import ExchangeClock
from tests.made import MINUTE_MS


def test_time_stands_still_between_tellings_and_frames_only_raise_it() -> None:
    clock = ExchangeClock(MINUTE_MS)
    assert clock.time_ms == 0
    assert clock.note_frame(0, 5_000, closed=False)
    assert not clock.note_frame(0, 4_000, closed=False), "an old frame is no news"
    assert not clock.note_frame(0, 5_000, closed=False)
    assert clock.time_ms == clock.candle_ms == 5_000


def test_an_answer_sets_it_back_too() -> None:
    clock = ExchangeClock(MINUTE_MS)
    clock.note_time(90_000)
    clock.note_time(80_000)
    assert clock.candle_ms == 80_000


def test_a_clock_ahead_is_seen_by_a_candle_that_still_forms() -> None:
    clock = ExchangeClock(MINUTE_MS)
    clock.note_frame(0, 50_000 + 30_000, closed=False)  # at second 50 by the candles
    assert clock.ahead_ms == 20_001, "as much as is proved: the candle has not closed"
    clock.note_frame(0, 59_000 + 30_000, closed=False)
    assert clock.candle_ms < MINUTE_MS
    clock.note_frame(0, MINUTE_MS + 30_000, closed=True)
    assert clock.candle_ms >= MINUTE_MS


def test_a_clock_an_hour_ahead_is_no_hour_of_candles() -> None:
    clock = ExchangeClock(MINUTE_MS)
    clock.note_frame(0, 3_600_000 + 10_000, closed=False)
    assert 0 <= clock.candle_ms < MINUTE_MS


def test_a_clock_behind_is_seen_by_a_candle_that_is_closed_or_has_begun() -> None:
    clock = ExchangeClock(MINUTE_MS)
    clock.note_frame(0, MINUTE_MS - 30_000, closed=True)
    assert clock.candle_ms == MINUTE_MS
    other = ExchangeClock(MINUTE_MS)
    other.note_frame(MINUTE_MS, 40_000, closed=False)
    assert other.candle_ms == MINUTE_MS


def test_a_clock_put_right_is_believed_again() -> None:
    clock = ExchangeClock(MINUTE_MS)
    clock.note_frame(0, 59_000 + 30_000, closed=False)
    assert clock.ahead_ms > 0
    clock.note_frame(0, MINUTE_MS + 5, closed=True)
    assert clock.ahead_ms == 5


def test_an_old_candle_shown_again_proves_nothing() -> None:
    clock = ExchangeClock(MINUTE_MS)
    clock.note_frame(5 * MINUTE_MS, 5 * MINUTE_MS + 1_000, closed=False)
    clock.note_frame(0, 5 * MINUTE_MS + 2_000, closed=False)
    assert clock.ahead_ms == 0
