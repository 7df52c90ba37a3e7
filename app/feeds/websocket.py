"""WebsocketFeed: the exchange's live candles as a feed, put together from its parts.

First the warm-up, then what has closed since, then the stream, without a hole or a double. The parts decide: link.py
says what came, time_watch.py what time it is, finality.py and backfill.py what is true, alignment.py when a slice goes.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from app import times
from app.errors import ExchangeError, first_cause
from app.exchange.history import HistoricalDataProvider
from app.exchange.page import Page
from app.exchange.repeated_lines import RepeatedLines
from app.exchange.retries import Tell
from app.feeds.alignment import Aligner, FeedEvent, Patience
from app.feeds.backfill import Backfill, Looks, Question
from app.feeds.base import EventQueue
from app.feeds.finality import SeriesTrack
from app.feeds.link import Frame, Link, LiveStream
from app.feeds.live_state import FeedTimes, LinkState, LiveStart
from app.feeds.replay import ReplayFeed
from app.feeds.time_watch import TimeWatch
from app.feeds.warm_up import fetch_warm_up
from app.models.events import LateCandle, RevisedCandle
from app.models.market import Slice
from app.times import timeframe_ms

__all__ = ["FeedTimes", "LinkState", "LiveStart", "WebsocketFeed"]

_POLL_S = 30.0
_HELD_MOST = 5_000  # frames that wait for the exchange to bear out their time
_TURNS, _ROOM_S = 10, 0.01


class WebsocketFeed:
    """Live candles of `symbols`, in config order; `provider` asks by REST for all that the stream left out.

    `run` returns after the slice that closes at `end_ms` (None: never), or when nobody has a candle for it. `on_state`
    hears of each change of the link and each slice, `tell`, seldom, of what cannot be believed or read. `link` and
    `sleep` are the outermost edge, for tests.
    ConfigError for what the exchange does not have, an ExchangeError where the start-up cannot be done.
    """

    def __init__(
        self,
        provider: HistoricalDataProvider,
        symbols: Sequence[str],
        timeframe: str,
        *,
        times: FeedTimes,
        start: LiveStart,
        end_ms: int | None = None,
        url: str | None = None,
        on_state: Callable[[LinkState], None] | None = None,
        tell: Tell | None = None,
        link: Callable[[], Link] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.state = LinkState()
        self._provider, self._symbols, self._timeframe = provider, list(symbols), timeframe
        self._times, self._start, self._end_ms, self._url = times, start, end_ms, url
        self._on_state, self._make_link, self._sleep = on_state, link, sleep
        self._tell_line, self._lines = tell, RepeatedLines(tell)
        self._step_ms = timeframe_ms(timeframe)
        self._time = TimeWatch(
            provider,
            symbols,
            timeframe,
            times,
            is_waiting=lambda: any(track.asked_ms is not None for track in self._tracks.values()),
            asked=self._time_asked,
            lines=self._lines,
            sleep=sleep,
        )
        self._clock = self._time.clock
        self._frames: deque[Frame] = deque()
        self._held: deque[Frame] = deque()  # ahead of all that the exchange's clock can be by now
        self._stream: LiveStream | None = None
        self._shown_ms = 0  # open time of the newest candle that REST has shown
        self._wake = asyncio.Event()
        self._tracks: dict[str, SeriesTrack] = {}
        self._backfills: list[Backfill] = []

    async def run(self, queue: EventQueue) -> None:
        """Warm-up, what closed since, then live."""
        await self._time.learn()
        link = self._link()
        try:
            async with asyncio.TaskGroup() as tasks:
                # First, so that nothing closes between the warm-up and the stream; frames wait meanwhile.
                helpers = [tasks.create_task(link.run(self._take_frame, self._take_link))]
                aligner = await self._begin(queue)
                helpers += [tasks.create_task(backfill.run()) for backfill in self._backfills]
                helpers.append(tasks.create_task(self._time.run()))
                await self._pump(queue, aligner)
                for helper in helpers:
                    helper.cancel()
        except BaseExceptionGroup as group:
            raise first_cause(group) from None

    # Start-up.

    def _link(self) -> Link:
        if self._make_link is not None:
            return self._make_link()
        self._stream = LiveStream(
            self._provider.exchange,
            self._symbols,
            self._timeframe,
            self._provider.market_rows(self._symbols),
            url=self._url,
            silence_s=self._times.silence_s,
            tell=self._tell_line,
        )
        return self._stream

    async def _begin(self, queue: EventQueue) -> Aligner:
        start, step_ms = self._start, self._step_ms
        slot_ms = start.start_ms
        if start.warmup_start_ms is not None:
            slot_ms = await fetch_warm_up(
                self._provider, self._symbols, self._timeframe, start.warmup_start_ms, start.start_ms
            )
        elif start.last_close_ms is not None:
            slot_ms = start.last_close_ms
        for symbol in self._symbols:
            seen_ms = start.seen.get(symbol)
            begin_ms = min(slot_ms, start.start_ms if seen_ms is None else seen_ms + step_ms)
            self._tracks[symbol] = SeriesTrack(symbol, self._timeframe, begin_ms)
            if seen_ms is not None:
                self._tracks[symbol].resume_after(seen_ms)
        if start.warmup_start_ms is not None and start.warmup_start_ms < slot_ms:
            await self._put_warm_up(queue, start.warmup_start_ms, slot_ms)
        self._backfills = [self._backfill(track) for track in self._tracks.values()]
        return Aligner(
            list(self._tracks.values()),
            Patience(int(self._times.grace_s * 1000), self._times.late_candles * step_ms, self._times.stale_candles),
            slot_ms=slot_ms,
            start_ms=start.start_ms,
            end_ms=self._end_ms,
        )

    async def _put_warm_up(self, queue: EventQueue, begin_ms: int, end_ms: int) -> None:
        history = ReplayFeed(
            self._provider.cache,
            self._symbols,
            self._timeframe,
            warmup_start_ms=begin_ms,
            start_ms=end_ms,
            end_ms=end_ms,
        )
        for burst in history.bursts():
            for slice_ in burst:
                for candle in slice_.candles:
                    self._tracks[candle.symbol].warm(candle)
            await queue.put(burst)

    def _backfill(self, track: SeriesTrack) -> Backfill:
        return Backfill(
            track,
            Looks(track, self._timeframe, self._provider.page_candles()),
            self._ask,
            settle_s=self._times.grace_s / 2,
            poll_s=max(self._times.grace_s, min(_POLL_S, self._step_ms / 2000)),
            sleep=self._sleep,
            answered=self._answered,
        )

    # Live.

    async def _pump(self, queue: EventQueue, aligner: Aligner) -> None:
        self._time.begin()
        while True:
            self._wake.clear()
            await self._time.catch_up()
            self._drain()
            while (event := aligner.next_event(self._clock.candle_ms)) is not None:
                self._count(event, aligner)
                await queue.put((event,))
                await self._until_taken(queue)
                self._drain()
            if aligner.done:
                return
            self._pose_questions(aligner)
            await self._wake.wait()

    async def _until_taken(self, queue: EventQueue) -> None:
        """Whether a slice is late is said when it goes, so none waits in the queue behind a consumer that is slow."""
        turns = 0
        while not queue.empty():
            await self._sleep(0.0 if turns < _TURNS else _ROOM_S)
            turns += 1

    def _drain(self) -> None:
        """The frames that came, one after the other."""
        now_s = times.monotonic_s()
        while self._frames:
            frame = self._frames.popleft()
            track = self._tracks.get(frame.candle.symbol)
            if track is None:
                self.state.dropped += 1
            else:
                self._take(track, frame, now_s)

    def _take(self, track: SeriesTrack, frame: Frame, now_s: float) -> None:
        candle, closed, event_time_ms = frame
        if self._clock.hear(event_time_ms, now_s):
            self._time.doubt()
        # A candle that is called closed before its close by the frame's own time still forms.
        closed = closed and event_time_ms - self._clock.ahead_ms >= candle.close_time_ms
        if (candle.close_time_ms if closed else candle.open_time_ms) > self._clock.latest_ms(now_s):
            self._hold(frame, now_s)
            return
        if self._clock.note_frame(candle.open_time_ms, event_time_ms, now_s, closed=closed):
            self._time.advanced(now_s)
            self.state.last_frame_ms = event_time_ms
        self.state.ahead += frame.closed and not closed
        if closed:
            self.state.dropped += not track.add_final(candle)
        else:
            self.state.dropped += candle.open_time_ms < track.closed_ms
            track.note_forming(candle.open_time_ms)

    def _hold(self, frame: Frame, now_s: float) -> None:
        """Its candle cannot have opened or closed: it waits for the exchange's clock, which denies it or not."""
        if not self._time.is_fresh(now_s) and len(self._held) < _HELD_MOST:
            self._held.append(frame)
            self._time.doubt()
            return
        self.state.ahead += 1
        self.state.dropped += 1
        candle = frame.candle
        self._lines.say(
            "ahead", f"stream: a candle of {candle.symbol} that is further ahead than the exchange's clock was dropped"
        )

    def _pose_questions(self, aligner: Aligner) -> None:
        now_ms = self._clock.candle_ms
        closed_ms = max(track.closed_ms for track in self._tracks.values())
        over_ms = now_ms - int(self._times.grace_s * 1000) - self._step_ms + 1
        for track, backfill in zip(self._tracks.values(), self._backfills, strict=True):
            wanted = track.wanted(aligner.wanted_until_ms(track, now_ms))
            backfill.pose(Question(wanted, closed_ms, over_ms), now_ms)

    async def _ask(self, symbol: str, since_ms: int, end_ms: int, limit: int) -> Page:
        """An answer of a symbol; it says nothing of times of which REST has shown no candle of any symbol."""
        step_ms = self._step_ms
        page = await self._page(symbol, since_ms, end_ms, limit)
        newest = max(self._tracks.values(), key=lambda track: (track.closed_ms, track.symbol != symbol))
        if self._shown_ms < newest.closed_ms - step_ms and newest.symbol != symbol:
            # Frames alone say that so much has closed. They may lie, the clock with them.
            with contextlib.suppress(ExchangeError):
                await self._page(newest.symbol, newest.closed_ms - step_ms, newest.closed_ms + step_ms, 2)
        latest_ms = self._clock.latest_ms(times.monotonic_s())
        return page.until(min(latest_ms // step_ms * step_ms, self._shown_ms) + step_ms)

    async def _page(self, symbol: str, since_ms: int, end_ms: int, limit: int) -> Page:
        page = await self._provider.page(symbol, self._timeframe, since_ms, end_ms, limit)
        self._shown_ms = max([self._shown_ms, *page.columns.open_time_ms[-1:].tolist()])
        return page

    def _answered(self, news: int) -> None:
        self.state.backfilled += news
        self._time.rest_answered()
        self._wake.set()

    def _time_asked(self, is_believed: bool) -> None:
        if is_believed:
            latest_ms = self._clock.latest_ms(times.monotonic_s())
            self._shown_ms = min(self._shown_ms, latest_ms)
            for track in self._tracks.values():
                if track.closed_ms > latest_ms:
                    track.forget_after(latest_ms)
            self._frames.extendleft(reversed(self._held))
            self._held.clear()
            self._wake.set()
        self._tell()  # in quiet times, too, others see how it is

    # What others see.

    def _take_frame(self, frame: Frame) -> None:
        self.state.frames += 1
        self._frames.append(frame)
        self._wake.set()

    def _take_link(self, connected: bool) -> None:
        self.state.connected = connected
        self.state.connections += connected
        self._tell()

    def _count(self, event: FeedEvent, aligner: Aligner) -> None:
        state = self.state
        if isinstance(event, LateCandle):
            state.late_candles += not event.warmup
        elif isinstance(event, RevisedCandle):
            state.revised_candles += 1
        elif isinstance(event, Slice):
            state.slices, state.last_close_ms = aligner.slices, event.close_time_ms
            state.late_slices += getattr(event, "late", False)
            state.lag_ms = self._clock.candle_ms - event.close_time_ms
        self._tell()

    def _tell(self) -> None:
        state, tracks = self.state, self._tracks.values()
        state.exchange_ms, state.clock_ahead_ms = self._clock.time_ms, self._clock.ahead_ms
        state.late = tuple(track.symbol for track in tracks if track.late)
        state.doubted = self._clock.doubted
        state.damaged = 0 if self._stream is None else self._stream.unreadable
        state.rest_faults = self._time.faults + sum(backfill.faults for backfill in self._backfills)
        state.missing = tuple(track.symbol for track in tracks if track.asked_ms is not None)
        if self._on_state is not None:
            self._on_state(state)
