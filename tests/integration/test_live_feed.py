"""The live feed over real sockets: the real ccxt.pro client against the testnet at high speed, in every weather."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

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
    """The tasks afterwards are those of before, the testnet's own handlers aside."""
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0.05)
    left = [task for task in asyncio.all_tasks() - before if "RequestHandler" not in repr(task)]
    assert left == []


async def listen(
    net: Testnet, root: Path, candles: int, *, times: FeedTimes = TIMES, start: LiveStart | None = None
) -> Listened:
    """A feed from the candle that is forming now, for so many candles."""
    listened = Listened()
    queue: EventQueue = asyncio.Queue(4)

    async def consume() -> None:
        while True:
            listened.events.extend(await queue.get())  # type: ignore[arg-type]  # a feed's own events

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
            async with asyncio.timeout(40):
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


SCRIPTS: list[tuple[str, object, int]] = [
    ("drops", [{"fault": "drop_sockets", "at_ms": START_MS + at_ms} for at_ms in (150_000, 170_000)], 6),
    (
        "refused",
        [
            {"fault": "refuse_handshakes", "n": 2, "at_ms": START_MS + 150_000},
            {"fault": "drop_sockets", "at_ms": START_MS + 150_000},
        ],
        6,
    ),
    ("silence", [{"fault": "silence", "s": 1.0, "at_ms": START_MS + 150_000}], 6),
    ("skew ahead", [{"fault": "skew", "ms": 30_000}], 6),
    ("skew behind", [{"fault": "skew", "ms": -30_000}], 6),
    ("storm 1", "storm:1", 10),
    ("storm 2", "storm:2", 10),
    ("storm 3", "storm:3", 10),
]


async def test_every_fault_and_a_few_storms_within_the_limit_are_history(tmp_path: Path) -> None:
    async def one(name: str, faults: object, candles: int) -> None:
        async with testnet(faults=faults) as net:
            heard = await listen(net, tmp_path / name, candles)
            # By a clock that is wrong a candle more or less belongs to the run.
            assert heard.slices == history(heard.start_ms, heard.slices[-1].close_time_ms), name
            assert len(heard.slices) >= WARMUP + candles - 1
            assert heard.rare() == [], name
            assert heard.states[-1].reconnects >= (name in ("drops", "refused", "silence")), name

    async with leaving_nothing():
        await asyncio.gather(*(one(*script) for script in SCRIPTS))


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
    async with testnet() as net:
        async with leaving_nothing():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(2.0):
                    await listen(net, tmp_path, 1_000)
        await asyncio.sleep(0.1)
        assert net._sockets.connections == []
