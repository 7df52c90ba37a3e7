"""The live feed over real sockets: the real ccxt.pro client against the testnet at high speed, in every weather."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.candles.cache import CandleCache
from app.exchange.history import HistoricalDataProvider
from app.feeds.alignment import FeedEvent
from app.feeds.base import EventQueue
from app.feeds.replay import align
from app.feeds.websocket import FeedTimes, LinkState, LiveStart, WebsocketFeed
from app.models.events import LateCandle, MarkedSlice
from app.models.market import Candle, Slice
from app.testnet.generator import GeneratorSource
from app.testnet.server import Testnet
from tests.candle_columns import MINUTE_MS, START_MS

SYMBOLS = ["BTC/USDT", "ETH/USDT", "SOL/USDT"]
SOURCE = GeneratorSource(7, SYMBOLS)
SPEED = 120.0  # a minute is half a second
WARMUP = 30
Faults = list[dict[str, object]]
_PATIENCE_S = 300.0
# Real seconds are minutes here: a grace of 5 s is 42 ms, and an answer that hangs 3 s is six candles late.
TIMES = FeedTimes(grace_s=5.0, silence_s=0.6, late_candles=20)


@dataclass
class Listened:
    """What a feed put, and how it was."""

    events: list[FeedEvent] = field(default_factory=list)
    states: list[LinkState] = field(default_factory=list)
    start_ms: int = 0

    @property
    def slices(self) -> list[Slice]:
        return [Slice(one.close_time_ms, one.candles, one.warmup) for one in self.events if isinstance(one, Slice)]

    def rare(self) -> list[str]:
        return [type(one).__name__ for one in self.events if type(one) is not Slice]


def history(start_ms: int, end_ms: int, warmup: int = WARMUP) -> list[Slice]:
    """The slices of the testnet's own candles."""
    series = []
    for symbol in SYMBOLS:
        columns = SOURCE.candles(symbol, "1m", start_ms - warmup * MINUTE_MS, end_ms)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        series.append((columns.open_time_ms.tolist(), [Candle(symbol, "1m", *row) for row in rows]))
    times_ms, candles = align(series)
    return [Slice(time_ms + MINUTE_MS, one, time_ms < start_ms) for time_ms, one in zip(times_ms, candles, strict=True)]


@contextlib.asynccontextmanager
async def leaving_nothing() -> AsyncIterator[None]:
    """The tasks afterwards are those of before, the testnet's own aside."""
    before = asyncio.all_tasks()
    yield
    async with asyncio.timeout(_PATIENCE_S):
        own = ("RequestHandler", "app/testnet/")
        while any(not any(name in repr(task) for name in own) for task in asyncio.all_tasks() - before):
            await asyncio.sleep(0.01)


async def listen(
    net: Testnet,
    root: Path,
    candles: int,
    *,
    times: FeedTimes = TIMES,
    start: LiveStart | None = None,
    faults: Mapping[int, Faults] | None = None,
    listened: Listened | None = None,
) -> Listened:
    """A feed from the forming candle on, for so many candles; `faults` come with that slice, once the link is up."""
    listened = listened or Listened()
    queue: EventQueue = asyncio.Queue(4)
    waiting = dict(faults or {})

    async def consume() -> None:
        while True:
            listened.events.extend(await queue.get())  # type: ignore[arg-type]  # a feed's own events
            reached = sum(not one.warmup for one in listened.slices)
            for number in sorted(number for number in waiting if number <= reached):
                while feed.state.connections <= len(faults or ()) - len(waiting):  # redialled after the one before it
                    await asyncio.sleep(0.01)
                net.faults.add(waiting.pop(number))

    async with HistoricalDataProvider(CandleCache(root), url=net.url, rate=None) as provider:
        now_ms = await provider.server_time_ms(SYMBOLS, "1m")
        listened.start_ms = now_ms // MINUTE_MS * MINUTE_MS if start is None else start.start_ms
        begin = start or LiveStart(listened.start_ms, listened.start_ms - WARMUP * MINUTE_MS)
        end_ms = now_ms // MINUTE_MS * MINUTE_MS + candles * MINUTE_MS
        feed = WebsocketFeed(
            provider, SYMBOLS, "1m", times=times, start=begin, end_ms=end_ms, url=net.url,
            on_state=listened.states.append,
        )  # fmt: skip
        consumer = asyncio.create_task(consume())
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await feed.run(queue)
            await asyncio.sleep(0)
        finally:
            consumer.cancel()
            await asyncio.gather(consumer, return_exceptions=True)
    return listened


def testnet(**options: Any) -> Testnet:
    return Testnet(SOURCE, **{"start_ms": START_MS, "speed": SPEED, "weight_limit": None, **options})


testnet.__test__ = False  # type: ignore[attr-defined]


async def test_calm_weather(tmp_path: Path) -> None:
    async with testnet() as net, leaving_nothing():
        heard = await listen(net, tmp_path, 4)
        assert heard.slices == history(heard.start_ms, heard.start_ms + 4 * MINUTE_MS)
        assert heard.rare() == []
        assert [(one.path, one.status) for one in net.log.handshakes] == [("ws/0", 101)]
        state = heard.states[-1]
        assert (state.slices, state.reconnects, state.rest_faults, state.late_candles) == (4, 0, 0, 0)
        assert state.lag_ms is not None and state.lag_ms < 30_000


# What comes when: with the slice of that number, so that the link is there by then.
DROP: dict[str, object] = {"fault": "drop_sockets"}
SCRIPTS: dict[str, Mapping[int, Faults]] = {
    "drops": {2: [DROP], 3: [DROP]},
    "refused": {2: [{"fault": "refuse_handshakes", "n": 2}, DROP]},
    "silence": {2: [{"fault": "silence", "s": 1.0}]},
    "skew ahead": {0: [{"fault": "skew", "ms": 30_000}]},
    "skew behind": {0: [{"fault": "skew", "ms": -30_000}]},
}
STORMS = ("storm:1", "storm:2", "storm:3")


async def test_every_fault_and_a_few_storms_within_the_limit_are_history(tmp_path: Path) -> None:
    async def one(name: str, faults: Mapping[int, Faults], candles: int) -> None:
        from_the_start = name if name in STORMS else faults.get(0)
        async with testnet(faults=from_the_start) as net:
            later = {number: specs for number, specs in faults.items() if number}
            heard = await listen(net, tmp_path / name, candles, faults=later)
            # By a clock that is wrong a candle more or less belongs to the run.
            assert heard.slices == history(heard.start_ms, heard.slices[-1].close_time_ms), name
            assert len(heard.slices) >= WARMUP + candles - 1
            assert heard.rare() == [], name
            assert heard.states[-1].reconnects >= len(later), name

    async with leaving_nothing():
        calm = [one(name, faults, 6) for name, faults in SCRIPTS.items()]
        await asyncio.gather(*calm, *(one(name, {}, 10) for name in STORMS))


async def test_a_hole_is_left_out_and_the_slice_goes_without_it(tmp_path: Path) -> None:
    hole = {"fault": "hole", "symbol": SYMBOLS[1], "from": START_MS + 3 * MINUTE_MS, "to": START_MS + 4 * MINUTE_MS}
    async with testnet(faults=[hole]) as net, leaving_nothing():
        heard = await listen(net, tmp_path, 5)
        truth = history(heard.start_ms, heard.start_ms + 5 * MINUTE_MS)
        expected = [
            Slice(one.close_time_ms, (one.candles[0], one.candles[2]), one.warmup)
            if one.close_time_ms == START_MS + 4 * MINUTE_MS
            else one
            for one in truth
        ]
        assert heard.slices == expected


async def test_what_closed_while_nobody_listened_is_late_and_whole(tmp_path: Path) -> None:
    async with testnet(start_ms=START_MS + 60 * MINUTE_MS) as net, leaving_nothing():
        start = LiveStart(START_MS, None, START_MS + 50 * MINUTE_MS, dict.fromkeys(SYMBOLS, START_MS + 49 * MINUTE_MS))
        heard = await listen(net, tmp_path, 3, times=FeedTimes(grace_s=5.0, silence_s=0.6, late_candles=2), start=start)
        truth = history(START_MS, START_MS + 90 * MINUTE_MS, 0)
        last = heard.slices[-1].close_time_ms
        assert heard.slices == [one for one in truth if START_MS + 50 * MINUTE_MS < one.close_time_ms <= last]
        late = [one.close_time_ms for one in heard.events if isinstance(one, MarkedSlice) and one.late]
        assert late and late == [one.close_time_ms for one in heard.slices[: len(late)]]
        assert not any(isinstance(one, LateCandle) for one in heard.events)


async def test_a_feed_that_is_cancelled_leaves_no_task_and_no_socket(tmp_path: Path) -> None:
    async with testnet() as net, leaving_nothing(), asyncio.timeout(_PATIENCE_S):
        heard = Listened()
        listening = asyncio.create_task(listen(net, tmp_path, 1_000, listened=heard))
        while not (heard.states and heard.states[-1].frames):
            await asyncio.sleep(0.01)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        while net._sockets.connections:
            await asyncio.sleep(0.01)
