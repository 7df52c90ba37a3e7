"""Answers that are wrong for a while, or for good: no candle is lost, no hole believed that is none."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.candles.ranges import Ranges
from app.errors import DataError, UnavailableError
from app.exchange.fetch_report import FetchReport
from app.times import iso_ms
from tests.candle_columns import MINUTE_MS, START_MS, make_candles
from tests.scripted_exchange import Asked, Row, ScriptedExchange, fetch_scripted, rows_of, slot, stored_minutes

SYMBOL, TIMEFRAME = "BTC/USDT", "1m"
NOW_MS = START_MS + 10_000 * MINUTE_MS


def at(number: int) -> int:
    return slot(number, START_MS)


def times(*numbers: Iterable[int]) -> list[int]:
    return sorted(at(number) for some in numbers for number in some)


def spans(*pairs: tuple[int, int]) -> Ranges:
    return tuple((at(start), at(end)) for start, end in pairs)


def exchange_of(*numbers: Iterable[int], page: int = 1000) -> ScriptedExchange:
    return ScriptedExchange(times(*numbers), NOW_MS, page_candles=page)


def asked_slots(exchange: ScriptedExchange) -> list[tuple[int | None, int | None, int]]:
    """The requests, bounds as minutes from the start."""
    numbers = [[None if ms is None else (ms - START_MS) // MINUTE_MS for ms in one[:2]] for one in exchange.asked]
    return [(since, end, one[2]) for (since, end), one in zip(numbers, exchange.asked, strict=True)]


def fetch(cache: CandleCache, exchange: ScriptedExchange, start: int, end: int) -> FetchReport:
    return fetch_scripted(cache, exchange, [SYMBOL], start, end)


def stored(cache: CandleCache) -> list[int]:
    return stored_minutes(cache, SYMBOL)


def absent(cache: CandleCache) -> Ranges:
    return cache.absences(SYMBOL, TIMEFRAME).get("scripted", ())


@pytest.fixture
def cache(tmp_path: Path) -> CandleCache:
    return CandleCache(tmp_path / "cache")


def test_what_one_answer_left_out_is_stored_and_no_hole(cache: CandleCache) -> None:
    exchange = exchange_of(range(200))
    exchange.distort = lambda asked, rows: (
        [row for row in rows if row[0] != at(50)] if asked.since_ms == at(0) else rows
    )
    report = fetch(cache, exchange, 0, 100)
    assert len(exchange.asked) == 2
    assert (absent(cache), report.series[0].absent, report.new) == ((), (), 100)
    assert stored(cache) == [*range(100)]


def test_a_look_without_a_candle_around_the_hole_is_asked_again(cache: CandleCache) -> None:
    exchange = exchange_of(range(20), range(26, 400))

    def without_a_neighbour(asked: Asked, rows: list[Row]) -> list[Row]:
        is_first_look = asked.since_ms != at(0) and asked.times == 0
        return [row for row in rows if row[0] != at(19)] if is_first_look else rows

    exchange.distort = without_a_neighbour
    report = fetch(cache, exchange, 0, 100)
    assert (len(exchange.asked), report.retried) == (3, 1)
    assert exchange.asked[1] == exchange.asked[2]
    assert absent(cache) == spans((20, 26))


def test_a_hole_whose_looks_never_hold_the_candles_around_it_is_not_believed(cache: CandleCache) -> None:
    exchange = exchange_of(range(20), range(26, 400))
    exchange.distort = lambda asked, rows: rows if asked.since_ms == at(0) else rows[:1]
    with pytest.raises(UnavailableError, match=r"left out the candle of 2025-10-31T23:01:00.000Z, which exists"):
        fetch(cache, exchange, 0, 100)
    assert absent(cache) == ()
    assert stored(cache) == [*range(20), *range(26, 100)], "what came before is stored"


def test_pages_that_agree_are_no_second_look(cache: CandleCache) -> None:
    # A page and the jump after an empty one overlap: both leave out the same candles, and both are wrong.
    exchange = exchange_of(range(300), page=10)

    def wrong(asked: Asked, rows: list[Row]) -> list[Row]:
        if (asked.since_ms, asked.end_ms) == (at(0), at(10)):
            return []
        is_jump = (asked.since_ms, asked.end_ms) == (at(0), at(60))
        if is_jump or asked.since_ms == at(10):
            return [row for row in exchange.rows if at(15) <= row[0] < (asked.end_ms or 0)][:10]
        return rows

    exchange.distort = wrong
    fetch(cache, exchange, 0, 60)
    assert (0, 60, 10) in asked_slots(exchange)
    assert (stored(cache), absent(cache)) == ([*range(60)], ())


def test_the_same_question_again_is_no_second_look(cache: CandleCache) -> None:
    # The range is such that the look at the hole has its very bounds, and that answer is wrong each time.
    exchange = exchange_of(range(-300, 300))
    exchange.distort = lambda asked, rows: (
        [row for row in rows if not at(0) <= row[0] < at(10)] if asked.since_ms == at(-250) else rows
    )
    fetch(cache, exchange, -250, 260)
    assert asked_slots(exchange) == [(-250, 260, 1000), (-250, 260, 1000), (-251, 261, 1000)]
    assert (stored(cache), absent(cache)) == ([*range(-250, 260)], ())


def test_an_empty_answer_is_no_first_look(cache: CandleCache) -> None:
    exchange = exchange_of(range(300))

    def wrong(asked: Asked, rows: list[Row]) -> list[Row]:
        looks = sum(limit == 1000 for *_, limit in exchange.asked)
        if asked.limit == 1000 and looks < 3:
            return [] if looks == 1 else [row for row in rows if row[0] != at(50)]
        return rows

    exchange.distort = wrong
    fetch(cache, exchange, 0, 100)
    assert (stored(cache), absent(cache)) == ([*range(100)], ())


def test_empty_answers_tell_nothing_where_a_candle_is_known(cache: CandleCache) -> None:
    cache.merge(SYMBOL, TIMEFRAME, make_candles(times(range(5))))
    exchange = exchange_of(range(300), page=10)
    exchange.distort = lambda asked, rows: []
    with pytest.raises(UnavailableError, match=r"left out the candle of 2025-10-31T23:0\d:00.000Z, which exists"):
        fetch(cache, exchange, 0, 30)
    assert absent(cache) == ()
    exchange.distort = None
    fetch(cache, exchange, 0, 30)
    assert stored(cache) == [*range(30)]


def test_an_exchange_that_ignores_the_bounds_is_given_up(cache: CandleCache) -> None:
    exchange = exchange_of(range(300), page=10)
    first = rows_of(times(range(10)))
    exchange.distort = lambda asked, rows: first[: asked.limit]
    with pytest.raises(UnavailableError, match=rf"{SYMBOL}: no two answers agree on the hole at {iso_ms(at(50))}"):
        fetch(cache, exchange, 50, 60)
    assert (stored(cache), absent(cache)) == ([], ())
    assert len(exchange.asked) < 20


def test_answers_that_contradict_each_other_store_nothing(cache: CandleCache) -> None:
    exchange = exchange_of(range(20), range(26, 400))
    # In the page, and in the look at the hole behind it: a volume that grows from answer to answer.
    exchange.distort = lambda asked, rows: [
        [*row[:5], str(len(exchange.asked))] if row[0] == at(19) else row for row in rows
    ]
    with pytest.raises(DataError) as refusal:
        fetch(cache, exchange, 0, 100)
    assert str(refusal.value) == (
        "BTC/USDT 1m: two candles of 2025-10-31T23:19:00.000Z differ in two answers of scripted; "
        "what they hold was not stored, the same command asks again"
    )
    assert stored(cache) == []
