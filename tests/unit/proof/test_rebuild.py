"""Which event a time means, and what a run that cannot be run again says."""

from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.errors import DataError
from app.feeds.tape import candles_of
from app.models.events import EndOfData, Event, Kill, LateCandle
from app.models.market import Slice
from app.proof.rebuild import Source, candle_of, find, source_of
from app.times import iso_ms
from tests.candle_columns import MINUTE_MS
from tests.proof_runs import END_MS, START_MS, WARMUP, changed, edit, market, replay, session, slices_of

SYMBOL = "AAA/X"


def source(run: Path) -> Source:
    return source_of(run, [CandleCache(run.with_name(f"{run.name}_cache"))])


def event_at(made: Source, time_ms: int) -> Event:
    return list(made.events())[find(made, SYMBOL, time_ms)]


def test_the_events_of_a_replay_end_with_the_end_of_the_data(tmp_path: Path) -> None:
    made = source(replay(tmp_path, "run", market()))
    events = list(made.events())
    assert events[:-1] == slices_of(tmp_path / "c", market())
    assert isinstance(events[-1], EndOfData)
    assert list(made.events()) == events, "and can be had again"
    assert not made.may_be_late


def test_a_tape_is_enough_also_of_a_session_that_broke_off(tmp_path: Path) -> None:
    slices = slices_of(tmp_path / "c", market())[:90]
    made = source(session(tmp_path / "live", slices, finish=False))
    assert list(made.events())[:-1] == slices
    assert made.may_be_late
    assert made.settings.live.startup_candles == WARMUP


@pytest.mark.parametrize(("offset_ms", "close_minute"), [(0, 100), (-1, 100), (-MINUTE_MS + 1, 100), (1, 101)])
def test_a_slice_closes_at_a_time_or_contains_it(tmp_path: Path, offset_ms: int, close_minute: int) -> None:
    made = source(replay(tmp_path, "run", market()))
    event = event_at(made, START_MS + 100 * MINUTE_MS + offset_ms)
    assert isinstance(event, Slice)
    assert event.close_time_ms == START_MS + close_minute * MINUTE_MS


def test_the_first_candle_contains_its_own_open(tmp_path: Path) -> None:
    made = source(replay(tmp_path, "run", market()))
    first = next(iter(made.events()))
    assert isinstance(first, Slice)
    assert event_at(made, first.close_time_ms - MINUTE_MS) == first


def test_a_late_candle_is_found_where_its_slice_went_without_it(tmp_path: Path) -> None:
    slices = slices_of(tmp_path / "c", market())
    at = next(n for n, one in enumerate(slices) if n > 200 and candle_of(one, SYMBOL) is not None)
    late = candle_of(slices[at], SYMBOL)
    assert late is not None
    without = Slice(slices[at].close_time_ms, tuple(c for c in slices[at].candles if c is not late), False)
    run = session(tmp_path / "live", [*slices[:at], without, slices[at + 1], LateCandle(late), *slices[at + 2 :]])
    assert event_at(source(run), without.close_time_ms) == LateCandle(late)
    assert event_at(source(run), without.close_time_ms - 1) == LateCandle(late)
    assert find(source(run), "BBB/X", without.close_time_ms) == at


def test_a_slice_that_the_symbol_is_never_in_is_that_slice(tmp_path: Path) -> None:
    candles = changed(market(), SYMBOL, 200, lambda row: None)
    for run in (replay(tmp_path, "run", candles), session(tmp_path / "live", slices_of(tmp_path / "c", candles))):
        event = event_at(source(run), START_MS + 201 * MINUTE_MS)
        assert isinstance(event, Slice)
        assert candle_of(event, SYMBOL) is None


def test_times_without_a_slice(tmp_path: Path) -> None:
    candles = {name: [row for row in rows if not 99 <= minute(row[0]) < 110] for name, rows in market().items()}
    made = source(replay(tmp_path, "run", candles))
    before, after = iso_ms(START_MS + 99 * MINUTE_MS), iso_ms(START_MS + 111 * MINUTE_MS)
    for time_ms, said in (
        (START_MS + 104 * MINUTE_MS, f"the one before closes {before} and the one after closes {after}"),
        (END_MS + MINUTE_MS, "the one before closes "),
        (0, "the one after closes "),
    ):
        with pytest.raises(DataError, match=f"no slice closes at {iso_ms(time_ms)} or contains it; {said}"):
            find(made, SYMBOL, time_ms)


def minute(open_ms: int) -> int:
    return (open_ms - START_MS) // MINUTE_MS


def test_what_cannot_be_run_again(tmp_path: Path) -> None:
    run = replay(tmp_path, "run", market())
    with pytest.raises(
        DataError, match="candles of it are in no cache under the hash of its manifest: AAA/X 1m 2025-03"
    ):
        source_of(run, [CandleCache(tmp_path / "nowhere")])
    edit(run / "manifest.json", lambda content: content.update(data={}))
    with pytest.raises(DataError, match="it has no tape and names neither one nor candles; run it again"):
        source(run)


def test_candles_of_events(tmp_path: Path) -> None:
    one = slices_of(tmp_path / "c", market())[100]
    assert candles_of(one) == one.candles
    assert candles_of(LateCandle(one.candles[0])) == (one.candles[0],)
    assert candles_of(Kill("x")) == ()
    assert candle_of(one, "none") is None
