"""The live feed in a seed's weather, on a virtual clock: `python -m tests.live_weather within|beyond FIRST [COUNT]`.

The rule: within the lateness limit its slices are those of history; beyond it every candle is still a true one, once
and in order, and what came late says so. A seed that fails prints the command that replays it.
"""

import asyncio
import json
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from app.candles.cache import CandleCache
from app.exchange.history import HistoricalDataProvider
from app.feeds.alignment import FeedEvent
from app.feeds.base import EventQueue
from app.feeds.websocket import FeedTimes, LinkState, LiveStart, WebsocketFeed
from app.models.events import LateCandle, MarkedSlice, RevisedCandle
from app.models.market import Candle, Slice
from tests.candle_columns import MINUTE_MS, START_MS
from tests.scripted_live import LiveExchange, Span, Weather, true_candle
from tests.virtual_loop import run_virtual

SYMBOLS = ("BTC/USDT", "ETH/USDT")
CANDLES = 12
TIMES = FeedTimes()
_CACHE = CandleCache(Path(tempfile.gettempdir(), "onetape-no-cache"))  # never written: nothing is fetched into it


def run_feed(
    exchange: LiveExchange,
    *,
    candles: int = CANDLES,
    times: FeedTimes = TIMES,
    start: LiveStart | None = None,
    consumer_s: Callable[[int], float] | None = None,
    states: list[LinkState] | None = None,
    on_state: Callable[[LinkState], None] | None = None,
    cache: CandleCache = _CACHE,
) -> list[FeedEvent]:
    """Everything that the feed puts, until the candle of minute `candles - 1` has closed."""

    async def run() -> list[FeedEvent]:
        events: list[FeedEvent] = []
        queue: EventQueue = asyncio.Queue(4)

        async def consume() -> None:
            while True:
                events.extend(await queue.get())  # type: ignore[arg-type]  # a feed's own events
                if consumer_s is not None:
                    await asyncio.sleep(consumer_s(len(events)))

        provider = HistoricalDataProvider(cache, "scripted", rate=None, connect=lambda *_: exchange)
        async with provider:
            feed = WebsocketFeed(
                provider,
                exchange.symbols,
                "1m",
                times=times,
                start=start or LiveStart(START_MS, None),
                end_ms=START_MS + candles * MINUTE_MS,
                link=lambda: exchange,
                on_state=on_state,
            )
            if states is not None:
                states.append(feed.state)
            consumer = asyncio.create_task(consume())
            async with asyncio.timeout(86_400 * 3):
                await feed.run(queue)
            while not queue.empty():
                await asyncio.sleep(1)
            consumer.cancel()
            await asyncio.gather(consumer, return_exceptions=True)
        return events

    return run_virtual(run())


def history(exchange: LiveExchange, candles: int = CANDLES, times: FeedTimes = TIMES) -> list[Slice]:
    """The slices that history has, as a feed that is never late puts them: stale symbols are marked."""
    slices: list[Slice] = []
    last = dict.fromkeys(exchange.symbols, -1)
    for minute in range(candles):
        open_time_ms = START_MS + minute * MINUTE_MS
        found = [exchange.candle(symbol, open_time_ms) for symbol in exchange.symbols]
        there = tuple(candle for candle in found if candle is not None)
        if not there:
            continue
        last |= {candle.symbol: minute for candle in there}
        stale = tuple(symbol for symbol in exchange.symbols if minute - last[symbol] >= times.stale_candles)
        close_ms = open_time_ms + MINUTE_MS
        slices.append(MarkedSlice(close_ms, there, False, False, stale) if stale else Slice(close_ms, there, False))
    return slices


def check_promises(events: Sequence[FeedEvent], exchange: LiveExchange, candles: int = CANDLES) -> None:
    """What holds however late the world is."""
    newest = dict.fromkeys(exchange.symbols, 0)
    newest_late_ms = 0
    closes: list[int] = []
    handed: list[Candle] = []
    for event in events:
        if isinstance(event, RevisedCandle):
            raise AssertionError(f"nothing was revised: {event}")
        if isinstance(event, Slice):
            assert not closes or event.close_time_ms > closes[-1], "slices rise"
            closes.append(event.close_time_ms)
            assert event.candles, "no slice without a candle"
            assert event.close_time_ms > newest_late_ms, "late candles come before the next slice"
            order = [exchange.symbols.index(candle.symbol) for candle in event.candles]
            assert order == sorted(set(order)), "config order"
            assert all(candle.close_time_ms == event.close_time_ms for candle in event.candles)
        for candle in [event.candle] if isinstance(event, LateCandle) else event.candles:
            assert candle == true_candle(candle.symbol, candle.open_time_ms), "a true candle"
            assert candle.open_time_ms > newest[candle.symbol], "each once, in order"
            newest_late_ms = candle.close_time_ms if isinstance(event, LateCandle) else newest_late_ms
            newest[candle.symbol] = candle.open_time_ms
            handed.append(candle)
    handed_keys = {(candle.symbol, candle.open_time_ms) for candle in handed}
    for symbol in exchange.symbols:
        for minute in range(candles):
            open_time_ms = START_MS + minute * MINUTE_MS
            exists = exchange.candle(symbol, open_time_ms) is not None
            # What a symbol still lacks at the end is its tail.
            if open_time_ms <= newest[symbol]:
                assert exists == ((symbol, open_time_ms) in handed_keys), f"{symbol} minute {minute}"
            elif exists:
                assert exchange.weather.outages, f"{symbol} minute {minute} is missing"


def draw_spans(random: Random, most: int, longest_s: float, candles: int = CANDLES) -> list[Span]:
    """A few stretches of the session."""
    begins = [random.uniform(62, candles * 60) for _ in range(random.randint(0, most))]
    return [(begin, begin + random.uniform(0, longest_s)) for begin in begins]


def draw_weather(seed: int, *, beyond: bool, symbols: Sequence[str] = SYMBOLS, candles: int = CANDLES) -> Weather:
    """Every kind of fault, from none to most of the time; `beyond`: outages longer than anybody waits."""
    random = Random(f"weather {seed}")
    most = 2 * candles // CANDLES
    weather = Weather(
        frame_loss=random.choice((0.0, 0.1, 0.5, 0.95)),
        frame_copies=random.choice((0.0, 0.3)),
        frame_delay=random.choice((0.0, 0.5)),
        frame_delay_s=random.choice((1.0, 5.0, 90.0)),
        updates=random.choice((0, 1, 3)),
        drops=draw_spans(random, most, 25.0, candles),
        silences=draw_spans(random, most, 15.0, candles),
        answer_faults=random.choice((0.0, 0.3, 0.6)),
        latency_s=random.choice((0.05, 0.4)),
        holes={
            (symbol, minute)
            for symbol in symbols
            for minute in range(candles - 1)
            if random.random() < 0.15
        } if random.random() < 0.5 else set(),
        skew_ms=random.choice((0, 0, 0, 30_000, -30_000)),
    )  # fmt: skip
    if weather.skew_ms:  # a clock that is ahead is seen by frames of forming candles, and by nothing else
        weather.updates, weather.frame_loss = 3, min(weather.frame_loss, 0.1)
    if beyond:
        weather.drops = [*weather.drops, *draw_spans(random, 1, 400.0, candles)]
        weather.outages = draw_spans(random, 2, 500.0, candles)
        weather.outage_of = random.choice((None, *symbols))
    return weather


def check_seed(seed: int, mode: str) -> None:
    """One seed; AssertionError if a promise is broken."""
    exchange = LiveExchange(SYMBOLS, draw_weather(seed, beyond=mode == "beyond"), seed, begin_s=seed % 60)
    events = run_feed(exchange)
    check_promises(events, exchange)
    if mode == "within":
        assert events == history(exchange), "live is history"


def check_seeds(mode: str, first: int, count: int) -> None:
    """All of them; the first that fails is named with the command that replays it."""
    for seed in range(first, first + count):
        try:
            check_seed(seed, mode)
        except Exception as error:
            error.add_note(f"replay it: python -m tests.live_weather {mode} {seed}")
            raise


if __name__ == "__main__":
    try:
        seeds = int(sys.argv[3]) if len(sys.argv) > 3 else 1
        check_seeds(sys.argv[1], int(sys.argv[2]), seeds)
        print(json.dumps({"seeds": seeds}))
    except Exception:
        traceback.print_exc()
        sys.exit(1)
