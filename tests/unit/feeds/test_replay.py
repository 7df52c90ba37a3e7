"""ReplayFeed: slices of aligned symbols in rising time, warm-up marked, at full speed or paced."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from app import times
from app.candles.cache import CandleCache
from app.feeds import replay
from app.feeds.base import EventQueue, Feed
from app.feeds.replay import ReplayFeed, align
from app.models.events import Event
from app.models.market import Slice
from tests.candle_columns import MINUTE_MS, START_MS, make_candles, minutes
from tests.made import BTC, ETH, candle

ALL = list(minutes(120))


def feed(folder: Path, symbols: dict[str, list[int]], start: int = 30, end: int = 120, **options: float) -> ReplayFeed:
    cache = CandleCache(folder)
    for symbol, times_ms in symbols.items():
        cache.merge(symbol, "1m", make_candles(times_ms))
    begin_ms, start_ms, end_ms = (START_MS + minute * MINUTE_MS for minute in (start - 20, start, end))
    return ReplayFeed(cache, list(symbols), "1m", warmup_start_ms=begin_ms, start_ms=start_ms, end_ms=end_ms, **options)


def slices(made: ReplayFeed) -> list[Slice]:
    return [slice_ for burst in made.bursts() for slice_ in burst]


@pytest.mark.parametrize("burst", [1, 7, 512])
def test_slices_are_what_closes_together_in_config_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, burst: int
) -> None:
    monkeypatch.setattr(replay, "BURST_SLICES", burst)
    ragged = {ETH: ALL[:50] + ALL[55:], BTC: ALL[15:40] + ALL[45:90]}
    made = slices(feed(tmp_path, ragged))
    expected = {
        at + MINUTE_MS: [symbol for symbol, times_ms in ragged.items() if at in times_ms]
        for at in ALL[10:]
        if any(at in times_ms for times_ms in ragged.values())
    }
    assert {one.close_time_ms: [c.symbol for c in one.candles] for one in made} == expected
    assert [one.close_time_ms for one in made] == sorted(expected)
    assert all(c.close_time_ms == one.close_time_ms for one in made for c in one.candles)
    assert [one.warmup for one in made] == [one.close_time_ms <= ALL[30] for one in made]


def test_candles_are_the_stored_ones(tmp_path: Path) -> None:
    made = slices(feed(tmp_path, {BTC: ALL}))
    rows = [tuple(getattr(one.candles[0], name) for name in ("open", "high", "low", "close", "volume")) for one in made]
    assert rows == list(zip(*(column.tolist() for column in make_candles(ALL[10:]).floats()), strict=True))
    assert {(one.candles[0].symbol, one.candles[0].timeframe) for one in made} == {(BTC, "1m")}


async def collect(made: Feed, size: int = 4) -> list[Event]:
    queue: EventQueue = asyncio.Queue(size)
    events: list[Event] = []
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(made.run(queue))
        while not (running.done() and queue.empty()):
            try:
                burst: Sequence[Event] = await asyncio.wait_for(queue.get(), 0.05)
            except TimeoutError:
                continue
            events += burst
    return events


async def test_run_puts_all_bursts_into_a_bounded_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "BURST_SLICES", 3)
    made = feed(tmp_path, {BTC: ALL})
    assert await collect(made, size=1) == slices(feed(tmp_path, {BTC: ALL}))
    assert made.coverage()[0].candles == 90


async def test_a_paced_feed_waits_for_each_candle_and_not_for_the_warm_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [100.0]
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds, 6))
        now_s[0] += seconds

    monkeypatch.setattr(times, "monotonic_s", lambda: now_s[0])
    monkeypatch.setattr("app.feeds.replay.asyncio.sleep", sleep)
    made = feed(tmp_path, {BTC: ALL[:33] + ALL[36:38]}, end=40, speed=60.0)
    queue: EventQueue = asyncio.Queue()
    await made.run(queue)
    assert slept == [0.0, 1.0, 1.0, 4.0, 1.0]  # sixty times real time: a minute takes a second, a gap as many
    assert queue.qsize() == 23 + 2


def test_nothing_outside_the_range_is_read(tmp_path: Path) -> None:
    made = slices(feed(tmp_path, {BTC: ALL}, start=30, end=50))
    assert (made[0].candles[0].open_time_ms, made[-1].candles[0].open_time_ms) == (ALL[10], ALL[49])


def test_align_puts_together_by_time() -> None:
    same, absent = [candle(at=1), candle(at=2)], [candle(at=2, symbol=ETH), candle(at=3, symbol=ETH)]
    times, together = align([([1, 2], same), ([2, 3], absent)])
    assert (list(times), list(together)) == ([1, 2, 3], [(same[0],), (same[1], absent[0]), (absent[1],)])
    times, together = align([([1, 2], same), ([1, 2], absent)])
    assert (list(times), list(together)) == ([1, 2], [(same[0], absent[0]), (same[1], absent[1])])
    times, together = align([([], []), ([2], absent[:1])])
    assert (list(times), list(together)) == ([2], [(absent[0],)])
