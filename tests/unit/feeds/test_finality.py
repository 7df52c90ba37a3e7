"""One symbol's candles: each once, in order, final; copies dropped, revisions told once."""

from app.feeds.finality import Known, SeriesTrack
from tests.made import BTC, MINUTE_MS, candle


def at(*minutes: int) -> tuple[tuple[int, int], ...]:
    return tuple((minute * MINUTE_MS, (minute + 1) * MINUTE_MS) for minute in minutes)


def track(begin: int = 0) -> SeriesTrack:
    return SeriesTrack(BTC, "1m", begin * MINUTE_MS)


def test_a_final_candle_is_taken_once_and_its_copies_are_no_news() -> None:
    series = track()
    assert series.known(0) is Known.OPEN
    assert series.add_final(candle(at=0))
    assert not series.add_final(candle(at=0))
    assert series.known(0) is Known.FINAL
    assert series.take() == candle(at=0)
    assert not series.add_final(candle(at=0))
    assert (series.next_ms, series.last_ms, series.closed_ms) == (MINUTE_MS, 0, MINUTE_MS)


def test_what_lies_before_the_beginning_is_no_news() -> None:
    series = track(begin=5)
    assert not series.add_final(candle(at=4))
    assert not series.returned and not series.revised


def test_the_first_word_on_a_candle_that_waits_counts() -> None:
    series = track()
    series.add_final(candle(100.0, at=0))
    assert not series.add_final(candle(101.0, at=0))
    assert series.take().close == 100.0
    assert series.replaced == 1


def test_a_revision_is_told_once() -> None:
    series = track()
    series.add_final(candle(100.0, at=0))
    series.take()
    assert series.add_final(candle(101.0, at=0))
    assert not series.add_final(candle(101.0, at=0))
    assert not series.add_final(candle(102.0, at=0))
    assert list(series.revised) == [candle(101.0, at=0)]


def test_an_absence_that_was_none_comes_back_in_order_or_not_at_all() -> None:
    series = track()
    series.note_absent(at(0, 1))
    series.skip()
    series.skip()
    assert series.add_final(candle(at=1)), "nothing newer went out"
    assert not series.add_final(candle(at=0)), "out of order now"
    assert [one.open_time_ms for one in series.returned] == [MINUTE_MS]


def test_wanted_is_what_is_neither_final_nor_absent() -> None:
    series = track()
    series.add_final(candle(at=1))
    series.note_absent(at(3))
    assert series.wanted(5 * MINUTE_MS) == (*at(0), *at(2), *at(4))
    assert series.wanted(0) == ()
    assert series.known(3 * MINUTE_MS) is Known.ABSENT
    assert series.first_final_ms() == MINUTE_MS


def test_a_forming_candle_closes_those_before_it() -> None:
    series = track()
    series.note_forming(2 * MINUTE_MS)
    series.note_forming(MINUTE_MS)
    assert series.closed_ms == 2 * MINUTE_MS


def test_answers_are_held_to_what_the_exchange_has_shown() -> None:
    series = track(begin=2)
    series.warm(candle(at=0))
    series.warm(candle(at=1))
    series.add_final(candle(at=3))
    assert series.anchors(0, 10 * MINUTE_MS) == ((0, 2 * MINUTE_MS), *at(3))
    assert series.anchors(MINUTE_MS, 2 * MINUTE_MS) == at(1)
    assert series.newest_before_ms(2 * MINUTE_MS) == MINUTE_MS
    assert series.newest_before_ms(9 * MINUTE_MS) == 3 * MINUTE_MS, "what waits to go out is known, too"
    for _ in range(3):
        series.doubt(at(0))
    series.trust([0])
    series.doubt(at(0))
    assert series.anchors(0, MINUTE_MS) == at(0), "it was shown in between"
    for _ in range(4):
        series.doubt(at(0, 1))
    assert series.anchors(0, 2 * MINUTE_MS) == (), "so many in a row, and it is gone"
    assert series.newest_before_ms(2 * MINUTE_MS) is None


def test_what_one_answer_shows_the_next_one_must_hold() -> None:
    series = track(begin=400)
    series.trust([minute * MINUTE_MS for minute in range(50, 401)])
    assert series.anchors(0, 500 * MINUTE_MS) == ((100 * MINUTE_MS, 400 * MINUTE_MS),), "some hundred before the next"


def test_a_resumed_series_knows_what_was_seen_last() -> None:
    series = track(begin=8)
    series.resume_after(7 * MINUTE_MS)
    assert series.anchors(0, 10 * MINUTE_MS) == at(7)
    assert series.last_ms == 7 * MINUTE_MS


def test_memory_does_not_grow() -> None:
    series = track()
    for minute in range(2_000):
        series.add_final(candle(at=minute))
        series.take()
    assert len(series._handed) <= 600 and len(series._anchors) <= 600
    assert series.oldest_ms() >= 1_300 * MINUTE_MS


def test_what_was_taken_for_closed_before_its_time_is_forgotten() -> None:
    series = track()
    series.add_final(candle(at=0))
    series.add_final(candle(at=90))
    series.note_absent(at(*range(1, 50)))
    series.note_forming(95 * MINUTE_MS)
    series.forget_after(3 * MINUTE_MS + 5_000)
    assert series.closed_ms == 3 * MINUTE_MS
    assert series.first_final_ms() == 0
    assert series.wanted(6 * MINUTE_MS) == ((3 * MINUTE_MS, 6 * MINUTE_MS),)


def test_the_first_of_which_anything_is_to_be_known() -> None:
    series = track()
    assert series.first_open_ms() == 0
    series.note_absent(((0, 10**9 * MINUTE_MS),))
    assert series.first_open_ms() == 10**9 * MINUTE_MS
    series.add_final(candle(at=7))
    assert series.first_open_ms() == 7 * MINUTE_MS
    series.skip_to(5 * MINUTE_MS)
    series.skip_to(0)
    assert series.next_ms == 5 * MINUTE_MS, "never back"
