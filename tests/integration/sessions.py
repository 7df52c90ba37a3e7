"""Whole sessions over slices in memory: real stages, real queue, real files; only the feed is the test's own.

`market_slices` reads made-up candles through the real cache and replay feed once; the fake feeds hand them out.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.feeds.base import EventQueue, Feed
from app.feeds.replay import ReplayFeed
from app.models.market import Slice
from app.runs.equity import EquityLog
from app.runs.recorder import RunRecorder
from app.runs.trade_log import TradeLog
from app.runtime.runtime import TradingRuntime
from app.session.building import build_runtime
from app.session.recorded_runtime import RecordedRuntime
from app.session.session import Session
from app.settings.profile import load_settings
from app.strategies.loader import check_settings
from tests.candle_columns import MINUTE_MS
from tests.parity.both import SEEDED
from tests.parity.market import fill_cache, made_up

SYMBOLS = ["AAA/X", "BBB/X", "CCC/X"]
START_MS = 1_743_361_200_000  # 2025-03-30T19:00Z
COUNT = 600
CONFIG: dict[str, Any] = {
    "live": {
        "exchange": "test",
        "symbols": SYMBOLS,
        "timeframe": "1m",
        "startup_candles": 30,
        "strategy": {"name": SEEDED, "params": {"seed": 11}},
    },
    "trading_mode": {"safety": {"max_drawdown": None, "max_exposure": 0.5}},
}
Disturb = Callable[[TradingRuntime], None]


@dataclass
class Files:
    """What a session left in its folder."""

    folder: Path

    @property
    def trades(self) -> bytes:
        """The trade log."""
        return (self.folder / "trades.csv").read_bytes()

    @property
    def equity(self) -> bytes:
        """The equity rows."""
        return (self.folder / "equity.parquet").read_bytes()

    def names(self) -> set[str]:
        """Every file there is."""
        return {path.name for path in self.folder.iterdir()}


def market_slices(folder: Path, seed: int = 1) -> list[Slice]:
    """Warm-up and run, from a real cache through the real feed."""
    cache = fill_cache(folder, made_up(seed, SYMBOLS, START_MS - 30 * MINUTE_MS, COUNT + 30))
    feed = ReplayFeed(
        cache,
        SYMBOLS,
        "1m",
        warmup_start_ms=START_MS - 30 * MINUTE_MS,
        start_ms=START_MS,
        end_ms=START_MS + COUNT * MINUTE_MS,
    )
    return [slice_ for burst in feed.bursts() for slice_ in burst]


class ListFeed:
    """Hands slices out in bursts of one size; `before` is awaited before each burst."""

    def __init__(
        self, slices: Sequence[Slice], size: int = 64, before: Callable[[int], AsyncIterator[None]] | None = None
    ) -> None:
        self.slices = slices
        self.size = size
        self.before = before

    async def run(self, queue: EventQueue) -> None:
        """The Feed protocol."""
        for number, begin in enumerate(range(0, len(self.slices), self.size)):
            if self.before is not None:
                async for _ in self.before(number):
                    pass
            await queue.put(self.slices[begin : begin + self.size])


def make_session(feed: Feed, folder: Path, config: dict[str, Any] | None = None) -> Session:
    """A session whose files lie in `folder`."""
    settings = load_settings(config or CONFIG)
    folder.mkdir(parents=True)
    recorder = RunRecorder(
        settings.live.symbols,
        TradeLog(folder / "trades.csv"),
        EquityLog(folder / "equity.parquet", settings.trading_mode.starting_balance),
    )
    return Session(feed, RecordedRuntime(build_runtime(settings, check_settings(settings), recorder), recorder))


async def run_to_end(feed: Feed, folder: Path, disturb: Disturb | None = None) -> Files:
    """Run a session; `disturb` may change its runtime first."""
    session = make_session(feed, folder)
    if disturb is not None:
        disturb(session.recorded.runtime)
    assert await asyncio.wait_for(session.run(), 300) == "finished"
    return Files(folder)
