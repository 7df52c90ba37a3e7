"""One series fetched: the fewest requests, holes that are believed and holes that are not, the youngest candle."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from app.candles.cache import CandleCache
from app.candles.ranges import Ranges
from app.errors import DataError, RefusedError
from app.exchange.fetch_report import FetchReport
from tests.candle_columns import MINUTE_MS, START_MS, make_candles
from tests.scripted_exchange import (
    Asked,
    Distort,
    Row,
    ScriptedExchange,
    fetch_scripted,
    slot,
    stored_minutes,
)  # fmt: skip

SYMBOL, TIMEFRAME = "BTC/USDT", "1m"
NOW_MS = START_MS + 10_000 * MINUTE_MS
YEARS = 1_600_000  # minutes; 1,600 pages


def at(number: int) -> int:
    return slot(number, START_MS)


def times(*numbers: Iterable[int]) -> list[int]:
    return sorted(at(number) for some in numbers for number in some)


def spans(*pairs: tuple[int, int]) -> Ranges:
    return tuple((at(start), at(end)) for start, end in pairs)


def exchange_of(*numbers: Iterable[int], page: int = 1000, now_ms: int = NOW_MS) -> ScriptedExchange:
    return ScriptedExchange(times(*numbers), now_ms, page_candles=page)


def asked_slots(exchange: ScriptedExchange) -> list[tuple[int | None, int | None, int]]:
    """The requests, bounds as minutes from the start."""
    numbers = [[None if ms is None else (ms - START_MS) // MINUTE_MS for ms in one[:2]] for one in exchange.asked]
    return [(since, end, one[2]) for (since, end), one in zip(numbers, exchange.asked, strict=True)]


def fetch(cache: CandleCache, exchange: ScriptedExchange, start: int, end: int, **changes: Any) -> FetchReport:
    return fetch_scripted(cache, exchange, [SYMBOL], start, end, **changes)


def stored(cache: CandleCache) -> list[int]:
    return stored_minutes(cache, SYMBOL)


def absent(cache: CandleCache) -> Ranges:
    return cache.absences(SYMBOL, TIMEFRAME).get("scripted", ())


@pytest.fixture
def cache(tmp_path: Path) -> CandleCache:
    return CandleCache(tmp_path / "cache")


# The fewest requests.


@pytest.mark.parametrize(
    ("missing", "asked"),
    [
        ([3, 4, 9, 12, 50], [(3, 13), (49, 52)]),  # a page reaches over what is stored between two gaps
        ([*range(10, 20)], [(10, 20)]),  # full: a neighbour would be one request more
        ([*range(10, 19)], [(9, 19)]),  # room for one
        ([*range(10, 18)], [(9, 19)]),  # room for both
        ([*range(95, 100)], [(94, 100)]),  # no neighbour on one side
        ([*range(10, 31)], [(10, 20), (20, 30), (30, 32)]),  # what is under way is nobody's neighbour yet
    ],
)
def test_a_page_holds_as_many_gaps_as_it_can(
    cache: CandleCache, missing: list[int], asked: list[tuple[int, int]]
) -> None:
    cache.merge(SYMBOL, TIMEFRAME, make_candles(times(set(range(100)) - set(missing))))
    exchange = exchange_of(range(200), page=10)
    report = fetch(cache, exchange, 0, 100)
    assert asked_slots(exchange) == [(*bounds, 10) for bounds in asked]
    assert stored(cache) == [*range(100)]
    assert (report.series[0].wanted, report.new, report.series[0].absent) == (len(missing), len(missing), ())


# Holes; answers that are wrong about them are in tests/faults/test_wrong_answers.py.


def test_a_hole_costs_one_look_more_with_other_bounds_and_the_candles_around_it(cache: CandleCache) -> None:
    exchange = exchange_of(range(-300, 20), range(26, 400))
    report = fetch(cache, exchange, 0, 100)
    assert asked_slots(exchange) == [(0, 100, 1000), (20 - 250, 26 + 250, 1000)]
    assert report.series[0].absent == absent(cache) == spans((20, 26))
    assert stored(cache) == [*range(20), *range(26, 100)]
    assert fetch(cache, exchange, 0, 100).requests == 0


@pytest.mark.parametrize(
    ("there", "bounds", "hole", "requests"),
    [
        ([range(3_000)], (-YEARS, 3_000), (-YEARS, 0), 10),  # it begins late
        ([range(-YEARS, 100 - YEARS)], (-YEARS, 100), (100 - YEARS, 100), 13),  # it ended years ago
        ([range(-YEARS, 100 - YEARS), range(100)], (-YEARS, 100), (100 - YEARS, 0), 7),
    ],
    ids=["leading", "trailing", "inside"],
)
def test_a_hole_of_years_costs_a_handful(
    cache: CandleCache, there: list[range], bounds: tuple[int, int], hole: tuple[int, int], requests: int
) -> None:
    exchange = exchange_of(*there)
    report = fetch(cache, exchange, *bounds)
    assert len(exchange.asked) <= requests
    assert report.series[0].absent == absent(cache) == spans(hole)
    assert stored(cache) == [one for some in there for one in some]
    assert fetch(cache, exchange, *bounds).requests == 0


def test_of_a_series_without_a_candle_nothing_is_asked_twice(cache: CandleCache) -> None:
    exchange = exchange_of()
    for _ in range(2):
        with pytest.raises(RefusedError, match="scripted has no candle of BTC/USDT 1m from 2025-10-31 23:00 to"):
            fetch(cache, exchange, 0, 9_000)
    assert len(exchange.asked) <= 14
    assert len(set(exchange.asked)) == len(exchange.asked), "no answer is the same one again"
    assert absent(cache) == spans((0, 9_000))


# The youngest candle: now is 20 s into minute 60, so minute 59 closed 20 s ago.


def young_exchange(last: int = 60) -> ScriptedExchange:
    return exchange_of(range(last), now_ms=at(60) + 20_000)


def changing(number: int) -> Distort:
    """A candle whose volume grows from answer to answer."""
    looks: list[int] = []

    def distort(asked: Asked, rows: list[Row]) -> list[Row]:
        looks.append(len(looks))
        return [[*row[:5], str(len(looks))] if row[0] == at(number) else row for row in rows]

    return distort


def test_the_youngest_is_stored_when_two_looks_agree(cache: CandleCache) -> None:
    exchange, slept = young_exchange(), []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    report = fetch(cache, exchange, 0, 60, sleep=sleep)
    assert asked_slots(exchange) == [(0, 60, 1000), (59, 61, 1000)]
    assert slept == [1.0]
    assert (stored(cache), report.series[0].unsettled) == ([*range(60)], ())


def test_an_old_candle_is_looked_at_once(cache: CandleCache) -> None:
    fetch(cache, exchange := young_exchange(), 0, 59)
    assert asked_slots(exchange) == [(0, 59, 1000)]


def test_the_youngest_is_not_stored_while_it_changes(cache: CandleCache) -> None:
    exchange = young_exchange()
    exchange.distort = changing(59)
    report = fetch(cache, exchange, 0, 60)
    assert (stored(cache), report.series[0].unsettled, absent(cache)) == ([*range(59)], spans((59, 60)), ())
    exchange.distort, exchange.now_ms = None, at(70)
    assert fetch(cache, exchange, 0, 60).new == 1
    assert stored(cache) == [*range(60)]


def test_a_successor_settles_it_with_the_second_looks_numbers(cache: CandleCache) -> None:
    exchange = young_exchange(61)  # minute 60 is forming
    exchange.distort = lambda asked, rows: [
        [*row[:5], "123.5"] if row[0] == at(59) and asked.since_ms == at(0) else row for row in rows
    ]
    report = fetch(cache, exchange, 0, 60)
    assert (stored(cache), report.series[0].unsettled) == ([*range(60)], ())


def test_a_youngest_that_is_not_there_yet_is_not_absent(cache: CandleCache) -> None:
    exchange = young_exchange(59)
    report = fetch(cache, exchange, 0, 60)
    assert (stored(cache), report.series[0].unsettled) == ([*range(59)], spans((59, 60)))
    assert (absent(cache), report.series[0].absent) == ((), ())


@pytest.mark.parametrize(
    ("lacking", "looks", "settled"),
    [({0}, 3, True), ({1}, 3, True), ({1, 2}, 4, True), ({0, 1}, 2, False), ({0, 2, 3}, 4, False)],
)
def test_a_youngest_that_an_answer_lacks_is_looked_for_again_once_it_was_seen(
    cache: CandleCache, lacking: set[int], looks: int, settled: bool
) -> None:
    exchange, answers = young_exchange(), iter(range(9))
    exchange.distort = lambda asked, rows: rows[:-1] if next(answers) in lacking else rows
    report = fetch(cache, exchange, 0, 60)
    assert len(exchange.asked) == looks
    assert (stored(cache), report.series[0].unsettled) == ([*range(59 + settled)], () if settled else spans((59, 60)))


def test_a_forming_candle_is_never_stored(cache: CandleCache) -> None:
    exchange = young_exchange(61)
    exchange.distort = lambda asked, rows: [*rows[: 60 if asked.since_ms == at(0) else None], exchange.rows[-1]]
    fetch(cache, exchange, 0, 100)
    assert stored(cache) == [*range(60)]


# Candles of another source in the cache.


@pytest.mark.parametrize("other", [range(30, 31), range(10), range(60, 70)], ids=["inside", "before", "behind"])
def test_candles_of_another_source_are_not_mixed_with(cache: CandleCache, other: range) -> None:
    columns = make_candles(times(other))
    cache.merge(SYMBOL, TIMEFRAME, columns._replace(volume=columns.volume + 1.0))
    before = {path: path.read_bytes() for path in cache.root.rglob("*.parquet")}
    start, end = (0, 60) if other.start == 30 else (10, 60)
    with pytest.raises(DataError) as refusal:
        fetch(cache, exchange_of(range(100)), start, end)
    assert str(refusal.value).startswith(f"BTC/USDT 1m: candles differ from those stored in {cache.root} at 2025-1")
    assert str(refusal.value).endswith(
        "; nothing was written; the stored ones are of another source or scripted has revised them: "
        "fetch into another --cache"
    )
    assert {path: path.read_bytes() for path in cache.root.rglob("*.parquet")} == before
    assert absent(cache) == ()


def test_rows_off_the_grid_are_left_out_and_counted(cache: CandleCache) -> None:
    exchange = exchange_of(range(60))
    exchange.distort = lambda asked, rows: [*rows[:9], [rows[8][0] + 1, *rows[8][1:]], *rows[9:]]
    assert fetch(cache, exchange, 0, 60).series[0].off_grid == 1
    assert stored(cache) == [*range(60)]
