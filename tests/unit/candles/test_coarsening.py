"""Coarser candles out of stored finer ones: whole ones only, absences passed on, the same as resampling everything."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.candles.cache import CandleCache
from app.candles.coarsening import CoarseningReport, coarsen_series
from app.candles.month_file import CandleColumns
from app.candles.resample import resample
from app.errors import ConfigError, DataError
from app.times import month_of
from tests.candle_columns import MINUTE_MS, START_MS, equal, make_candles
from tests.scripted_exchange import slot

SYMBOL = "BTC/USDT"
HOUR = 60


def at(number: int) -> int:
    return slot(number, START_MS)


def finer(*numbers: Iterable[int]) -> CandleColumns:
    return make_candles(sorted(at(number) for some in numbers for number in some))


def opened(cache: CandleCache, timeframe: str = "5m") -> list[int]:
    """The minutes at which the coarse candles open."""
    months = [cache.read(SYMBOL, timeframe, month).open_time_ms for month in cache.months(SYMBOL, timeframe)]
    return [(int(time_ms) - START_MS) // MINUTE_MS for times in months for time_ms in times]


@pytest.fixture
def cache(tmp_path: Path) -> CandleCache:
    return CandleCache(tmp_path / "cache")


def test_only_whole_ones_are_made(cache: CandleCache) -> None:
    cache.merge(SYMBOL, "1m", finer(range(2, 17)))
    report = coarsen_series(cache, SYMBOL, "1m", "5m")
    assert opened(cache) == [5, 10]
    assert report == CoarseningReport(SYMBOL, new=2, already_there=0, incomplete=2, first_incomplete_ms=at(0))
    assert equal(cache.read(SYMBOL, "5m", "2025-10"), resample(finer(range(5, 15)), "1m", "5m"))


def test_a_second_time_they_are_there_already(cache: CandleCache) -> None:
    cache.merge(SYMBOL, "1m", finer(range(20)))
    coarsen_series(cache, SYMBOL, "1m", "5m")
    before = {path: path.read_bytes() for path in cache.root.rglob("*.parquet")}
    assert coarsen_series(cache, SYMBOL, "1m", "5m") == CoarseningReport(SYMBOL, already_there=4)
    assert {path: path.read_bytes() for path in cache.root.rglob("*.parquet")} == before


def test_a_candle_that_nobody_was_asked_about_leaves_its_bucket_out(cache: CandleCache) -> None:
    cache.merge(SYMBOL, "1m", finer(range(7), range(8, 20)))
    report = coarsen_series(cache, SYMBOL, "1m", "5m")
    assert opened(cache) == [0, 10, 15]
    assert (report.incomplete, report.first_incomplete_ms) == (1, at(5))
    assert cache.absences(SYMBOL, "5m") == {}


def test_of_what_does_not_exist_the_rest_is_the_candle(cache: CandleCache) -> None:
    cache.merge(SYMBOL, "1m", finer(range(7), range(8, 12), range(23, 30)))
    cache.add_absent(SYMBOL, "1m", "one", ((at(7), at(8)), (at(12), at(23))))
    cache.add_absent(SYMBOL, "1m", "other", ((at(13), at(16)),))
    report = coarsen_series(cache, SYMBOL, "1m", "5m")
    assert opened(cache) == [0, 5, 10, 20, 25]
    assert report.incomplete == 0
    assert cache.absences(SYMBOL, "5m") == {"one": ((at(15), at(20)),)}, "whole buckets only, and by exchange"
    coarse = cache.read(SYMBOL, "5m", "2025-10")
    assert equal(coarse, resample(finer(range(7), range(8, 12), range(23, 30)), "1m", "5m"))


def test_months_are_made_one_by_one_and_nothing_is_lost_between_them(cache: CandleCache) -> None:
    cache.merge(SYMBOL, "1m", finer(range(-HOUR, 3 * HOUR)))
    report = coarsen_series(cache, SYMBOL, "1m", "1h")
    assert report.new == 4
    assert cache.months(SYMBOL, "1h") == ["2025-10", "2025-11"]
    assert opened(cache, "1h") == [-HOUR, 0, HOUR, 2 * HOUR]


@pytest.mark.parametrize(
    ("start", "end", "made"),
    [(0, 20, [0, 5, 10, 15]), (1, 20, [5, 10, 15]), (0, 19, [0, 5, 10]), (-7, 3, []), (5, 10, [5])],
)
def test_bounds_hold_whole_candles(cache: CandleCache, start: int, end: int, made: list[int]) -> None:
    cache.merge(SYMBOL, "1m", finer(range(30)))
    cache.add_absent(SYMBOL, "1m", "one", ((at(-60), at(0)), (at(30), at(60))))
    if made:
        report = coarsen_series(cache, SYMBOL, "1m", "5m", at(start), at(end))
        assert (report.new, report.incomplete) == (len(made), 0)
    else:
        with pytest.raises(DataError, match=rf"no 1m candles of {SYMBOL} in {cache.root} to make 5m candles of"):
            coarsen_series(cache, SYMBOL, "1m", "5m", at(start), at(end))
    assert opened(cache) == made
    assert cache.absences(SYMBOL, "5m") == {}, "what lies outside the bounds is not passed on"


@pytest.mark.parametrize(("from_", "to"), [("1m", "1m"), ("5m", "1m"), ("3m", "5m"), ("1h", "1m")])
def test_what_is_no_multiple_is_refused(cache: CandleCache, from_: str, to: str) -> None:
    with pytest.raises(ConfigError, match=f"{to} candles cannot be made of {from_} candles: it is no multiple of it"):
        coarsen_series(cache, SYMBOL, from_, to)
    assert not cache.root.exists()


@pytest.mark.parametrize("timeframe", ["7m", "1w", ""])
def test_an_unknown_timeframe_is_refused(cache: CandleCache, timeframe: str) -> None:
    for pair in ((timeframe, "1h"), ("1m", timeframe)):
        with pytest.raises(ConfigError, match="unknown timeframe"):
            coarsen_series(cache, SYMBOL, *pair)


def test_without_a_finer_candle_nothing_can_be_made(cache: CandleCache) -> None:
    with pytest.raises(DataError, match=f"no 1m candles of {SYMBOL}"):
        coarsen_series(cache, SYMBOL, "1m", "5m")
    assert not cache.root.exists()


def test_a_coarse_candle_that_is_stored_must_agree(cache: CandleCache) -> None:
    columns = finer(range(20))
    cache.merge(SYMBOL, "1m", columns)
    stored = resample(columns, "1m", "5m").take(slice(1, 2))
    cache.merge(SYMBOL, "5m", stored._replace(volume=stored.volume + 1.0))
    before = cache.path(SYMBOL, "5m", "2025-10").read_bytes()
    with pytest.raises(DataError, match=f"{SYMBOL} 5m: candles differ from those stored"):
        coarsen_series(cache, SYMBOL, "1m", "5m")
    assert cache.path(SYMBOL, "5m", "2025-10").read_bytes() == before


numbers = st.sets(st.integers(0, 2 * HOUR - 1))


@settings(deadline=None)
@given(there=numbers.filter(bool), known=numbers, coarser=st.sampled_from(["3m", "5m", "15m", "1h"]))
def test_the_same_as_resampling_everything(
    tmp_path_factory: pytest.TempPathFactory, there: set[int], known: set[int], coarser: str
) -> None:
    cache = CandleCache(tmp_path_factory.mktemp("cache"))
    cache.merge(SYMBOL, "1m", finer(there))
    ranges = tuple((at(one), at(one + 1)) for one in sorted(known - there))
    cache.add_absent(SYMBOL, "1m", "one", ranges)
    report = coarsen_series(cache, SYMBOL, "1m", coarser)
    length = {"3m": 3, "5m": 5, "15m": 15, "1h": 60}[coarser]
    whole = {one for one in range(0, 2 * HOUR, length) if set(range(one, one + length)) <= there | known}
    everything = resample(finer(there), "1m", coarser)
    wanted = everything.take([(int(ms) - START_MS) // MINUTE_MS in whole for ms in everything.open_time_ms])  # type: ignore[arg-type]
    assert (report.new, report.incomplete) == (
        len(wanted.open_time_ms),
        len(everything.open_time_ms) - len(wanted.open_time_ms),
    )
    for month in ("2025-10", "2025-11"):
        own = wanted.take([month_of(int(ms)) == month for ms in wanted.open_time_ms])  # type: ignore[arg-type]
        if len(own.open_time_ms):
            assert equal(cache.read(SYMBOL, coarser, month), own)
        else:
            assert month not in cache.months(SYMBOL, coarser)
    nothing = sum(one not in {t // length * length for t in there} for one in whole)
    passed_on = cache.absences(SYMBOL, coarser).get("one", ())
    assert sum(end - start for start, end in passed_on) == nothing * length * MINUTE_MS
