"""A whole paper session on a virtual clock: PaperRunner with its feed, runtime, recorder and tape, killed as drawn.

The rule: everything of the session is real down to the files; only the exchange is scripted. A kill leaves what the
kernel had: the tape as far as it was written, perhaps with half a line; nothing that runs afterwards can write to it.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

import app.session.control
import app.session.journal
import app.session.paper
import app.session.view
from app.candles.cache import CandleCache
from app.candles.month_file import CandleColumns
from app.cli.paper import run_on
from app.exchange.history import HistoricalDataProvider
from app.feeds.websocket import WebsocketFeed
from app.runs.manifest import code_sha256
from app.session.backtest import BacktestResults, ConfigBacktestRunner
from app.session.paper import PaperRunner
from app.session.tape_replay import TapeRunner
from app.times import parse_time_ms
from tests.candle_columns import MINUTE_MS
from tests.parity.market import columns
from tests.scripted_live import LiveExchange

_SELDOM_S = 3_600.0  # fsync, status and commands by files: they wait on the virtual clock, and change nothing
_LONGEST_S = 86_400.0 * 3


class KilledError(BaseException):
    """The process is no more."""


@dataclass
class Fate:
    """When one life ends: in the middle of the tape's write number `write`, or after so many seconds."""

    write: int | None = None
    part: float = 0.0  # of that write's bytes that reach the kernel
    after_s: float | None = None
    dead: bool = False


class _MortalOs:
    """The module os as the tape sees it."""

    def __init__(self, fate: Fate) -> None:
        self._fate = fate
        self._writes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def write(self, descriptor: int, data: memoryview) -> int:
        """As os.write, until the end."""
        fate = self._fate
        if fate.dead:
            raise KilledError
        self._writes += 1
        if self._writes == fate.write:
            os.write(descriptor, data[: int(len(data) * fate.part)])
            fate.dead = True
            raise KilledError
        return os.write(descriptor, data)


@contextlib.contextmanager
def scripted(exchange: LiveExchange, fate: Fate) -> Iterator[None]:
    """Sessions that begin inside meet this exchange, and this fate."""
    # No limit: the limiter paces itself by the real clock.
    provider = partial(HistoricalDataProvider, connect=lambda *_: exchange, rate=None)
    changed = [
        (app.session.paper, "HistoricalDataProvider", provider),
        (app.session.paper, "WebsocketFeed", partial(WebsocketFeed, link=lambda: exchange)),
        (app.session.journal, "os", _MortalOs(fate)),
        (app.session.journal, "_SYNC_S", _SELDOM_S),
        (app.session.control, "_POLL_S", _SELDOM_S),
        (app.session.view, "_STATUS_S", _SELDOM_S),
    ]
    with _changed(changed):
        yield


@contextlib.contextmanager
def loaded_code() -> Iterator[None]:
    """The hash of the code is that of what this process has loaded, whatever is edited meanwhile."""
    using = [
        module for name, module in sys.modules.items() if name.startswith("app.") and "code_sha256" in vars(module)
    ]
    with _changed([(module, "code_sha256", _code_sha256) for module in using]):
        yield


_code_sha256 = cache(code_sha256)


@contextlib.contextmanager
def _changed(values: Sequence[tuple[Any, str, Any]]) -> Iterator[None]:
    before = [(module, name, getattr(module, name)) for module, name, _ in values]
    for module, name, value in values:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


async def live(runner: PaperRunner, exchange: LiveExchange, fate: Fate) -> BacktestResults | None:
    """One life of a session: its results, or None if it was killed."""
    with scripted(exchange, fate):
        session = asyncio.create_task(run_on(runner, lambda _: None))
        await asyncio.wait([session], timeout=_LONGEST_S if fate.after_s is None else fate.after_s)
        if not session.done():
            fate.dead = True
            session.cancel()
            await asyncio.wait([session])
        if fate.dead:
            with contextlib.suppress(KilledError, asyncio.CancelledError):
                session.exception()
            return None
        return session.result()


def draw_fates(random: Random, lives: int, writes: int, seconds: float) -> list[Fate]:
    """As many ends, half of them in a write, half of these with a part of a line."""
    fates = []
    for _ in range(lives):
        if random.random() < 0.5:
            fates.append(Fate(after_s=random.uniform(0.1, seconds)))
        else:
            part = random.choice((0.0, 1.0, random.random(), random.random()))
            fates.append(Fate(write=random.randint(1, writes), part=part))
    return fates


def replay_of(run: Path, out: Path) -> BacktestResults:
    """`--tape RUN`."""
    return asyncio.run(TapeRunner(run, out).run_async())


def history_of(exchange: LiveExchange, config: dict[str, Any], live: BacktestResults, folder: Path) -> BacktestResults:
    """A backtest over the exchange's own candles of a session's period; its cache is `folder/cache`."""
    start, end = (str(live["requested"][name]) for name in ("start", "end"))
    first_ms = parse_time_ms(start) - config["live"]["startup_candles"] * MINUTE_MS
    filled = CandleCache(folder / "cache")
    for symbol in exchange.symbols:
        filled.merge(symbol, "1m", _truth(exchange, symbol, first_ms, parse_time_ms(end)))
    return ConfigBacktestRunner(
        config=config, start=start, end=end, cache=filled.root, out=folder / "run", offline=True
    ).run()


def _truth(exchange: LiveExchange, symbol: str, start_ms: int, end_ms: int) -> CandleColumns:
    times = range(start_ms, end_ms, MINUTE_MS)
    candles = [found for time_ms in times if (found := exchange.candle(symbol, time_ms)) is not None]
    return columns([(one.open_time_ms, one.open, one.high, one.low, one.close, one.volume) for one in candles])
