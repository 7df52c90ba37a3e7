"""What the exchange's answers about one symbol mean, and asking until it has said what it has."""

import asyncio
from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest

from app.errors import RateLimitError, UnavailableError
from app.exchange.page import Page, read_page
from app.feeds.backfill import Backfill, Looks, Question
from app.feeds.finality import Known, SeriesTrack
from tests.made import BTC, MINUTE_MS, candle
from tests.virtual_loop import run_virtual

NEXT = 200  # the minute that is missing


def made_track(begin: int = NEXT) -> SeriesTrack:
    track = SeriesTrack(BTC, "1m", begin * MINUTE_MS)
    for minute in range(begin - 150, begin):
        track.warm(candle(at=minute))
    return track


def question(*minutes: int, closed: int, over: int = 0) -> Question:
    wanted = tuple((minute * MINUTE_MS, (minute + 1) * MINUTE_MS) for minute in minutes)
    return Question(wanted, closed * MINUTE_MS, over * MINUTE_MS)


def answer(minutes: Iterable[int], since: int, end: int, limit: int = 1000, close: float = 100.0) -> Page:
    rows = [[minute * MINUTE_MS, close, close, close, close, 1.0] for minute in minutes if since <= minute < end]
    return read_page(rows[:limit], MINUTE_MS, since * MINUTE_MS, end * MINUTE_MS, limit)


class Reading:
    """Looks over a track; each answer has bounds of its own."""

    def __init__(self, track: SeriesTrack | None = None) -> None:
        self.track = track or made_track()
        self.looks = Looks(self.track, "1m", 1000)
        self.asked = question(NEXT, closed=NEXT + 1)
        self.since = NEXT - 100

    def read(self, minutes: Iterable[int], end: int = NEXT + 3, close: float = 100.0) -> list[int] | None:
        self.since -= 1
        final = self.looks.read(answer(minutes, self.since, end, close=close), self.asked)
        return (
            None
            if final is None
            else [one.open_time_ms // MINUTE_MS for one in final if one.open_time_ms >= NEXT * MINUTE_MS]
        )

    def known(self, minute: int = NEXT) -> Known:
        return self.track.known(minute * MINUTE_MS)


def test_a_row_with_a_later_one_is_final_the_later_one_is_not() -> None:
    assert Reading().read(range(NEXT + 2)) == [NEXT]


def test_the_last_row_is_final_when_it_is_the_same_twice_after_its_close() -> None:
    reading = Reading()
    assert reading.read(range(NEXT + 1)) == []
    assert reading.read(range(NEXT + 1), close=101.0) == [], "it still changes"
    assert reading.read(range(NEXT + 1), close=101.0) == [NEXT]


def test_by_time_alone_the_last_row_has_to_be_the_same_four_times() -> None:
    reading = Reading()
    reading.asked = question(NEXT, closed=NEXT, over=NEXT + 1)
    assert [reading.read(range(NEXT + 1)) for _ in range(4)] == [[], [], [], [NEXT]]


def test_nor_do_frames_alone_say_that_the_last_row_has_closed() -> None:
    reading = Reading()
    assert [reading.read(range(NEXT + 1), end=NEXT + 1) for _ in range(4)] == [[], [], [], [NEXT]]


def test_the_same_twice_before_the_close_is_nothing() -> None:
    reading = Reading()
    reading.asked = question(NEXT, closed=NEXT, over=NEXT)
    assert [reading.read(range(NEXT + 1)) for _ in range(6)] == [[]] * 6


def test_two_answers_with_a_later_candle_make_an_absence() -> None:
    reading = Reading()
    there = [*range(NEXT), NEXT + 1]
    reading.read(there)
    assert reading.known() is Known.OPEN
    reading.read(there)
    assert reading.known() is Known.ABSENT


def test_without_a_later_candle_it_takes_four() -> None:
    reading = Reading()
    for _ in range(3):
        reading.read(range(NEXT))
        assert reading.known() is Known.OPEN
    reading.read(range(NEXT))
    assert reading.known() is Known.ABSENT


def test_nothing_is_absent_that_has_not_closed_by_any_candle() -> None:
    reading = Reading()
    reading.asked = question(NEXT, closed=NEXT)  # a clock may say what it likes
    for _ in range(8):
        reading.read(range(NEXT))
    assert reading.known() is Known.OPEN


@pytest.mark.parametrize("shown", [[], range(NEXT - 3), [*range(NEXT - 7), NEXT - 5, NEXT + 1]])
def test_an_answer_that_leaves_out_a_known_candle_counts_for_nothing(shown: Iterable[int]) -> None:
    reading = Reading()
    for _ in range(3):
        assert reading.read(shown) is None
    assert reading.known() is Known.OPEN


def test_an_exchange_that_has_lost_candles_is_believed_in_the_end() -> None:
    reading = Reading()
    there = [minute for minute in range(NEXT + 2) if minute not in (NEXT - 2, NEXT)]
    believed = [reading.read(there) is not None for _ in range(6)]
    assert believed == [False] * 4 + [True] * 2
    assert reading.known() is Known.ABSENT


def test_what_one_answer_shows_the_next_must_not_leave_out() -> None:
    reading = Reading(SeriesTrack(BTC, "1m", NEXT * MINUTE_MS))  # nothing known at all
    assert reading.read([*range(NEXT - 60, NEXT), NEXT + 1]) is not None
    assert reading.read([*range(NEXT - 60, NEXT - 3), NEXT + 1]) is None


def test_an_answered_question_leaves_no_looks_to_the_next() -> None:
    reading = Reading()
    there = [*range(NEXT), NEXT + 1]
    reading.read(there)
    reading.looks.forget()
    reading.read(there)
    assert reading.known() is Known.OPEN


def test_bounds_hold_a_hundred_known_candles_and_differ_each_time() -> None:
    looks = Looks(made_track(), "1m", 1000)
    asked = [looks.bounds(question(NEXT, closed=NEXT + 1)) for _ in range(5)]
    assert len({since for since, _, _ in asked}) == 5
    for since, end, limit in asked:
        assert since <= (NEXT - 1 - 100) * MINUTE_MS
        assert end >= (NEXT + 2) * MINUTE_MS
        assert limit == (end - since) // MINUTE_MS


def test_bounds_reach_back_to_the_last_candle_of_a_symbol_that_has_none_for_long() -> None:
    track = made_track()
    track.next_ms += 3_000 * MINUTE_MS
    since, _, limit = Looks(track, "1m", 1000).bounds(question(NEXT + 3_000, closed=NEXT + 3_001))
    assert since <= (NEXT - 101) * MINUTE_MS
    assert limit == 1000


# Asking.

Ask = Callable[[str, int, int, int], "asyncio.Future[Page]"]


def asking(
    answers: list[object],
    seconds: float,
    posed: Question | None = None,
    then: tuple[float, Question] | None = None,
) -> tuple[SeriesTrack, list[float], Backfill]:
    """A backfill asked for so long, `then` something else; answers are minutes or faults, the last one repeats."""
    track, times = made_track(), []

    async def ask(symbol: str, since_ms: int, end_ms: int, limit: int) -> Page:
        times.append(asyncio.get_running_loop().time())
        given = answers[min(len(times), len(answers)) - 1]
        if isinstance(given, Exception):
            raise given
        assert isinstance(given, (list, range))
        return answer(given, since_ms // MINUTE_MS, end_ms // MINUTE_MS, limit)

    async def run() -> Backfill:
        backfill = Backfill(
            track,
            Looks(track, "1m", 1000),
            ask,
            settle_s=1.0,
            poll_s=20.0,
            sleep=asyncio.sleep,
            answered=lambda _: None,
        )
        task = asyncio.create_task(backfill.run())
        first = posed or question(NEXT, closed=NEXT + 1)
        backfill.pose(first, 0)
        for tenth in range(1, int(seconds * 10) + 1):
            await asyncio.sleep(0.1)
            if then is not None and tenth == int(then[0] * 10):
                backfill.pose(then[1], 0)
            if not track.wanted(first.wanted[-1][1]):
                backfill.pose(question(closed=NEXT + 1), 0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return backfill

    return track, times, run_virtual(run())


def test_it_stops_asking_when_it_knows() -> None:
    track, times, backfill = asking([range(NEXT + 2)], 60.0)
    assert len(times) == 1
    assert backfill._looks._last is None, "and remembers nothing of it"
    assert track.known(NEXT * MINUTE_MS) is Known.FINAL
    assert track.asked_ms is None


def test_two_looks_are_some_time_apart() -> None:
    track, times, _ = asking([[*range(NEXT), NEXT + 1]], 60.0)
    assert track.known(NEXT * MINUTE_MS) is Known.ABSENT
    assert len(times) == 2 and times[1] - times[0] >= 0.999


def test_looks_at_a_candle_without_a_later_one_are_some_time_apart_although_older_ones_are_news() -> None:
    wanted = question(NEXT, NEXT + 1, closed=NEXT + 2)
    track, times, _ = asking([range(NEXT + 2)], 30.0, wanted)
    assert track.known((NEXT + 1) * MINUTE_MS) is Known.FINAL
    assert len(times) == 2 and times[1] - times[0] >= 0.999


def test_a_full_answer_is_followed_by_the_next_at_once() -> None:
    track, times, _ = asking([range(NEXT + 2_000)], 30.0, question(*range(NEXT, NEXT + 1_500), closed=NEXT + 1_600))
    assert track.known((NEXT + 1_499) * MINUTE_MS) is Known.FINAL
    assert len(times) == 2 and times[1] == times[0]


def test_a_fault_is_asked_again_for_ever_with_growing_waits() -> None:
    track, times, backfill = asking([UnavailableError("scripted")], 600.0)
    assert 20 < len(times) < 200
    assert backfill.faults == len(times)
    assert track.asked_ms == 0
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert max(gaps) <= 15.1


def test_an_exchange_that_says_how_long_to_wait_is_heard() -> None:
    _, times, _ = asking([RateLimitError("scripted", 40.0), range(NEXT + 2)], 100.0)
    assert len(times) == 2 and times[1] >= 40.0


def test_it_comes_through_faults_to_the_candle() -> None:
    faults = [UnavailableError("scripted"), [], range(NEXT - 3), UnavailableError("again")]
    track, _, backfill = asking([*faults, range(NEXT + 2)], 120.0)
    assert track.known(NEXT * MINUTE_MS) is Known.FINAL
    assert backfill.faults == 4 and backfill.failures == 0


def test_an_open_question_is_asked_ever_more_rarely() -> None:
    _, times, _ = asking([range(NEXT)], 300.0, question(NEXT, closed=NEXT))
    assert 15 < len(times) < 30


def test_what_has_closed_since_is_looked_at_as_often_as_at_first_however_long_it_was_asked_in_vain() -> None:
    track, times, _ = asking(
        [range(NEXT)], 200.0, question(NEXT, closed=NEXT), then=(150.0, question(NEXT, closed=NEXT + 1))
    )
    assert track.known(NEXT * MINUTE_MS) is Known.ABSENT
    assert len([at_s for at_s in times if 150.0 <= at_s <= 160.0]) == 4
