"""The live feed put together, against a scripted exchange on a virtual clock: RULES.md, "Live", rule by rule."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app import times
from app.candles.cache import CandleCache
from app.candles.month_file import CandleColumns
from app.errors import UnavailableError
from app.feeds.alignment import FeedEvent
from app.feeds.link import Frame
from app.feeds.websocket import FeedTimes, LinkState, LiveStart
from app.models.events import LateCandle, MarkedSlice, RevisedCandle
from app.models.market import Slice
from tests.candle_columns import MINUTE_MS, START_MS
from tests.live_weather import SYMBOLS, check_promises, history, run_feed
from tests.made import BTC, ETH
from tests.scripted_live import LiveExchange, Weather, true_candle


def exchange(begin_s: float = 1.0, **weather: object) -> LiveExchange:
    return LiveExchange(SYMBOLS, replace(Weather(), **weather), 1, begin_s=begin_s)  # type: ignore[arg-type]


def times_of(events: list[FeedEvent], kind: type) -> list[int]:
    return [minute(event) for event in events if type(event) is kind]


def minute(event: FeedEvent) -> int:
    time_ms = event.close_time_ms - MINUTE_MS if isinstance(event, Slice) else event.candle.open_time_ms
    return (time_ms - START_MS) // MINUTE_MS


def filled(root: Path, minutes: range) -> CandleCache:
    """A cache with the exchange's own history."""
    import numpy as np

    cache = CandleCache(root)
    for symbol in SYMBOLS:
        candles = [true_candle(symbol, START_MS + number * MINUTE_MS) for number in minutes]
        rows = [(one.open_time_ms, one.open, one.high, one.low, one.close, one.volume) for one in candles]
        times, *floats = zip(*rows, strict=True)
        cache.merge(symbol, "1m", CandleColumns(np.array(times), *(np.array(column) for column in floats)))
    return cache


def test_a_calm_stream_is_history_and_asks_rest_for_nothing() -> None:
    calm, states = exchange(), list[LinkState]()
    assert run_feed(calm, states=states) == history(calm)
    assert calm.requests == 0
    (state,) = states
    assert (state.slices, state.backfilled, state.connections, state.late) == (12, 0, 1, ())
    assert state.lag_ms is not None and 0 < state.lag_ms < 400


def test_the_clock_of_this_machine_is_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise AssertionError("the local clock")

    monkeypatch.setattr("app.times.now_ms", refuse)
    calm = exchange(frame_loss=0.3)
    assert run_feed(calm) == history(calm)


def test_a_stream_that_never_says_a_word_is_replaced_by_rest() -> None:
    mute = exchange(frame_loss=1.0)
    assert run_feed(mute) == history(mute)


def test_lost_final_frames_are_asked_for_when_their_successor_shows() -> None:
    states: list[LinkState] = []
    lossy = exchange(frame_loss=0.5)
    assert run_feed(lossy, states=states) == history(lossy)
    assert states[0].backfilled > 0


def test_warm_up_then_what_closed_since_then_the_stream(tmp_path: Path) -> None:
    live = exchange(begin_s=190.0)  # three minutes of the run have closed when it dials
    start = LiveStart(START_MS, START_MS - 50 * MINUTE_MS)
    events = run_feed(live, start=start, cache=filled(tmp_path, range(-50, 0)))
    warm, rest = events[:50], events[50:]
    assert all(isinstance(event, Slice) and event.warmup for event in warm)
    assert [minute(event) for event in events] == list(range(-50, 12))
    late = [MarkedSlice(one.close_time_ms, one.candles, False, True) for one in history(live)[:1]]
    assert rest == [*late, *history(live)[1:]], "minute 0 is more than two candles late"


def test_a_revised_warm_up_candle_is_told_too(tmp_path: Path) -> None:
    live = exchange()
    old = true_candle(BTC, START_MS - MINUTE_MS)
    live.overrides[BTC, old.open_time_ms] = changed = type(old)(BTC, "1m", old.open_time_ms, 1.0, 2.0, 1.0, 2.0, 9.0)
    lose(live, BTC, range(2, 4))
    start = LiveStart(START_MS, START_MS - 50 * MINUTE_MS)
    events = run_feed(live, start=start, cache=filled(tmp_path, range(-50, 0)))
    assert [event for event in events if isinstance(event, RevisedCandle)] == [RevisedCandle(changed)]


def test_a_resumed_session_goes_on_after_its_last_slice() -> None:
    live = exchange(begin_s=301.0)
    start = LiveStart(
        START_MS, None, START_MS + 3 * MINUTE_MS, {BTC: START_MS + 2 * MINUTE_MS, ETH: START_MS + MINUTE_MS}
    )
    events = run_feed(live, start=start)
    assert events[0] == LateCandle(true_candle(ETH, START_MS + 2 * MINUTE_MS))
    assert [minute(event) for event in events[1:]] == list(range(3, 12))
    assert not any(isinstance(event, MarkedSlice) for event in events)


def test_slices_after_a_long_outage_are_late_and_whole() -> None:
    away = exchange(outages=[(125.0, 485.0)], drops=[(125.0, 485.0)])
    events = run_feed(away)
    assert [one.candles for one in events if isinstance(one, Slice)] == [one.candles for one in history(away)]
    assert [minute(one) for one in events if isinstance(one, MarkedSlice) and one.late] == [2, 3, 4, 5]


@pytest.mark.parametrize("over_s", [335.0, 343.0, 351.0, 359.0])
def test_candles_that_come_before_the_time_can_be_asked_again_are_late_by_the_true_time(over_s: float) -> None:
    """REST is down for minutes, and in the end the stream shows nothing but an old frame, again and again."""
    away = exchange(outages=[(125.0, over_s)], drops=[(250.0, 900.0)])
    lose(away, ETH, range(12))
    run_stream = away.run

    async def run(on_frame: Callable[[Frame], None], on_link: Callable[[bool], None]) -> None:
        async def again() -> None:
            while True:
                await asyncio.sleep(5.0)
                on_frame(Frame(true_candle(BTC, START_MS), True, START_MS + MINUTE_MS + 10))

        await asyncio.gather(run_stream(on_frame, on_link), again())

    away.run = run  # type: ignore[method-assign]
    lags_ms: dict[int, int] = {}

    def look(state: LinkState) -> None:
        if state.last_close_ms is not None:
            lags_ms.setdefault(state.last_close_ms, away.now_ms - state.last_close_ms)

    events = run_feed(away, on_state=look)
    marked = [event.close_time_ms for event in events if isinstance(event, MarkedSlice) and event.late]
    assert marked == [close_ms for close_ms, lag_ms in lags_ms.items() if lag_ms > 2 * MINUTE_MS] != []


def test_in_an_outage_others_see_that_rest_fails() -> None:
    told: list[int] = []
    away = exchange(outages=[(125.0, 485.0)], drops=[(125.0, 485.0)])
    run_feed(away, on_state=lambda state: told.append(state.rest_faults))
    assert len(set(told)) > 3 and told == sorted(told)


def test_a_slice_goes_without_a_symbol_whose_candle_cannot_be_had() -> None:
    one_dead = exchange(outages=[(61.0, 500.0)], outage_of=ETH)
    lose(one_dead, ETH, range(2, 7))
    states: list[LinkState] = []
    events = run_feed(one_dead, states=states)
    check_promises(events, one_dead)
    assert [minute(event) for event in events if isinstance(event, LateCandle)] == list(range(2, 8))
    without = [event for event in events if isinstance(event, Slice) and len(event.candles) == 1]
    assert [minute(event) for event in without] == list(range(2, 8))
    # It waited two candles for the first, then went with the stream; after three ETH is stale.
    assert [type(event) for event in without] == [MarkedSlice, Slice, *[MarkedSlice] * 4]
    assert [event.stale for event in without if isinstance(event, MarkedSlice)] == [(), *[(ETH,)] * 4]
    assert states[0].late == () and states[0].late_candles == 6


def lose(live: LiveExchange, symbol: str, minutes: range) -> None:
    """The stream says nothing of these candles."""
    plan = live._plan

    def less(minute_ms: int, random: object) -> list[tuple[int, str, int]]:
        lost = symbol if (minute_ms - START_MS) // MINUTE_MS in minutes else None
        return [one for one in plan(minute_ms, random) if one[1] != lost]  # type: ignore[arg-type]

    live._plan = less  # type: ignore[method-assign]


def test_a_candle_revised_by_rest_is_an_event_once() -> None:
    revised = exchange()
    lose(revised, ETH, range(5, 8))
    changed = true_candle(BTC, START_MS + MINUTE_MS)
    changed = type(changed)(changed.symbol, "1m", changed.open_time_ms, 1.0, 2.0, 1.0, 2.0, 9.0)
    revised.overrides[BTC, changed.open_time_ms] = changed
    lose(revised, BTC, range(3, 6))
    events = run_feed(revised)
    assert [event for event in events if isinstance(event, RevisedCandle)] == [RevisedCandle(changed)]
    assert [event for event in events if isinstance(event, Slice)] == history(revised)


def test_an_hour_of_maintenance_and_a_hole_in_it() -> None:
    hour = exchange(outages=[(130.0, 3_730.0)], drops=[(130.0, 3_730.0)], holes={(BTC, 20), (ETH, 20), (ETH, 21)})
    events = run_feed(hour, candles=70)
    check_promises(events, hour, 70)
    assert len([event for event in events if isinstance(event, Slice)]) == 69
    assert times_of(events, LateCandle) == []


def test_a_symbol_delisted_half_way_is_stale_and_the_other_goes_on() -> None:
    gone = exchange(holes={(ETH, number) for number in range(4, 200)})
    events = run_feed(gone, candles=150)
    assert events == history(gone, 150)


@pytest.mark.parametrize("skew_ms", [30_000, -30_000, 3_600_000])
def test_a_clock_that_is_wrong_changes_nothing(skew_ms: int) -> None:
    skewed = exchange(skew_ms=skew_ms, updates=4, frame_loss=0.1)
    assert run_feed(skewed) == history(skewed)


def test_a_clock_that_is_ahead_makes_no_slice_wait_longer_for_a_symbol_that_has_no_candle() -> None:
    """It is asked about half a minute before the close; once the close is seen, a few looks are enough."""
    ahead = exchange(skew_ms=30_000, updates=0, holes={(ETH, number) for number in range(3)})
    lags_ms: list[int] = []
    events = run_feed(ahead, on_state=lambda state: lags_ms.append(state.lag_ms or 0))
    assert events == history(ahead)
    assert 30_000 < max(lags_ms) < 40_000, "by its clock"


def test_a_slow_consumer_gets_the_same_slices() -> None:
    slow = exchange()
    events = run_feed(slow, consumer_s=lambda count: 300.0 if count == 3 else 0.0)
    assert [one.candles for one in events if isinstance(one, Slice)] == [one.candles for one in history(slow)]
    assert [minute(event) for event in events if isinstance(event, MarkedSlice)] == [4], "it says so"


def test_frozen_for_minutes_it_asks_the_time_before_it_says_that_a_slice_is_on_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frozen = exchange(updates=60)  # frames tell the time: nobody needs to ask
    asked: list[float] = []
    original = LiveExchange.server_time_ms

    async def noted(self: LiveExchange) -> int | None:
        asked.append(self.now_s)
        return await original(self)

    monkeypatch.setattr(LiveExchange, "server_time_ms", noted)

    def freeze(count: int) -> float:
        if count == 4:
            times.monotonic_s = lambda: asyncio.get_running_loop().time() + 300.0
        return 0.0

    assert run_feed(frozen, consumer_s=freeze) == history(frozen)
    assert [now_s for now_s in asked if 239.0 < now_s < 241.0], "after the standstill, at minute 4"


def test_the_end_of_a_dead_market_is_an_end() -> None:
    dead = exchange(holes={(symbol, number) for symbol in SYMBOLS for number in range(-10, 99)})
    assert run_feed(dead) == []


def test_a_start_that_cannot_be_made_is_a_clear_error() -> None:
    with pytest.raises(UnavailableError):
        run_feed(exchange(outages=[(0.0, 10_000.0)]))


def test_times_scale_with_the_settings() -> None:
    patient = exchange(outages=[(61.0, 500.0)], outage_of=ETH, frame_loss=0.0)
    lose(patient, ETH, range(2, 7))
    events = run_feed(patient, times=FeedTimes(late_candles=30))
    assert events == history(patient)
