"""A paper session's provider and feed without a socket: a market of events, heard as the real feed would put them.

The rule: after a stop or a break the feed goes on behind what was handled; a new epoch hears the candles before it once
more as warm-up, as the exchange still has them all.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from app.errors import UnavailableError
from app.exchange.limiter import RateLimiter
from app.feeds.base import EventQueue
from app.feeds.tape import read_tape
from app.feeds.websocket import LiveStart
from app.models.events import Event, LateCandle
from app.models.market import Candle, Slice
from app.session import epochs, paper
from app.session.backtest import BacktestResults
from app.session.paper import PaperRunner
from tests.candle_columns import MINUTE_MS
from tests.golden.make_tape import CONFIG, START_MS
from tests.live_sessions import link, market


class Provider:
    """An exchange whose time is the golden market's start."""

    def __init__(self, *_: object, **__: object) -> None:
        self.now_ms = START_MS + 20_000
        self.limiter = RateLimiter(None)

    async def __aenter__(self) -> "Provider":
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""

    async def server_time_ms(self, *_: object) -> int:
        """Seconds after the first candle of the run has begun."""
        return self.now_ms

    async def keep_market_data(self) -> None:
        """None."""


class Feed:
    """Events after what `start` says was handled, up to `stop_after` of all; then Ctrl-C, or a fault if it `breaks`."""

    starts: ClassVar[list[LiveStart]] = []
    stop_after: ClassVar[int | None] = None
    begin_at: ClassVar[int | None] = None
    breaks: ClassVar[bool] = False
    market: ClassVar[Sequence[Event]] = ()  # empty: the golden one

    def __init__(self, *_: object, start: LiveStart, on_state: Any, **__: object) -> None:
        self.start, self.on_state = start, on_state
        self.starts.append(start)

    async def run(self, queue: EventQueue) -> None:
        """The Feed protocol."""
        self.on_state(link())
        for event in self._heard():
            await queue.put((event,))
        if self.stop_after is None:
            return
        while queue.qsize():
            await asyncio.sleep(0)
        if self.breaks:
            raise UnavailableError("the exchange has gone")
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    def _heard(self) -> Sequence[Event]:
        events, start = list(self.market or market()), self.start
        is_new_epoch = start.warmup_start_ms is not None and start.start_ms > START_MS
        if start.last_close_ms is None and not is_new_epoch:
            return events[: self.stop_after]
        closes = [event.close_time_ms if isinstance(event, Slice) else 0 for event in events]
        after_ms = start.start_ms if is_new_epoch else start.last_close_ms
        assert after_ms is not None
        begin = closes.index(after_ms) + 1 if self.begin_at is None else self.begin_at
        following = events[begin : self.stop_after]
        if not is_new_epoch:
            return following
        later = [e for e in following if not (isinstance(e, LateCandle) and e.candle.open_time_ms < start.start_ms)]
        return [*warm_up(events, start), *later]


def warm_up(events: Sequence[Event], start: LiveStart) -> list[Event]:
    """The candles before a new epoch, as history has them."""
    candles: dict[int, list[Candle]] = {}
    for event in events:
        for candle in event.candles if isinstance(event, Slice) else ():
            candles.setdefault(candle.open_time_ms, []).append(candle)
        if isinstance(event, LateCandle):
            candles.setdefault(event.candle.open_time_ms, []).append(event.candle)
    assert start.warmup_start_ms is not None
    times_ms = range(start.warmup_start_ms, start.start_ms, MINUTE_MS)
    return [Slice(time_ms + MINUTE_MS, tuple(candles[time_ms]), True) for time_ms in times_ms if time_ms in candles]


def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on a paper session is one of this market."""
    monkeypatch.setattr(paper, "HistoricalDataProvider", Provider)
    monkeypatch.setattr(paper, "WebsocketFeed", Feed)
    monkeypatch.setattr(epochs, "code_sha256", lambda: "the code")  # others may write in this checkout
    for name, value in (("starts", []), ("stop_after", None), ("begin_at", None), ("breaks", False), ("market", ())):
        monkeypatch.setattr(Feed, name, value)


def runner(out: Path, *overrides: str, config: Any = CONFIG, **more: Any) -> PaperRunner:
    """A session in `out`, its kill-switch file beside it."""
    words = [f"safety.kill_switch_file={out.parent / 'KILL_SWITCH'}", *overrides]
    return PaperRunner(config, overrides=words, cache=out.parent / "cache", out=out, **more)


async def trade(out: Path, *overrides: str, **more: Any) -> BacktestResults:
    """To its end."""
    return await asyncio.wait_for(runner(out, *overrides, **more).run_async(), 300)


def trades_of(run: Path) -> str:
    """The trade log of a session."""
    return next(run.glob("paper_*.csv")).read_text()


def stop_after(monkeypatch: pytest.MonkeyPatch, count: int | None) -> None:
    """Ctrl-C once so many events of the market have been put; None: never."""
    monkeypatch.setattr(Feed, "stop_after", count)


def taped(run: Path) -> list[Event]:
    """The events of a run's tape."""
    return [record.event for record in read_tape(run).records]
