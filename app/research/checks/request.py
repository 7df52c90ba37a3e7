"""What a check asks of the process that runs the strategy, and what that process answers.

A request describes a run completely, so two runs of one request differ in nothing but their process.
"""

from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from app.candles.built_candles import built_cache
from app.candles.cache import CandleCache
from app.feeds.replay import ReplayFeed
from app.research.checks.answer_log import Answer
from app.settings.profile import Settings

PAST = "past"  # in the folder of a stepped run: the cache as it was


class Task(StrEnum):
    """Whole runs as a backtest makes them; one slice at a time, as the check sends them; or whole DataFrames."""

    RUN = "run"
    STEP = "step"
    FRAMES = "frames"


class Future(StrEnum):
    """What a strategy finds in the cache of the time after the candle at hand, when it looks there itself."""

    CUT = "cut"
    SCRAMBLED = "scrambled"


class Request(msgspec.Struct, frozen=True):
    """`folder` is the process's own; `runs` are made one after the other in it, into `folder/0`, `folder/1` ..."""

    task: Task
    settings: dict[str, Any]
    start_ms: int
    end_ms: int
    warmup_start_ms: int
    cache: str
    folder: str
    runs: int = 1
    indicators: bool = False
    seed: int = 0
    clock_shift_s: float = 0.0
    future: Future = Future.CUT
    allowed: tuple[str, ...] = ()  # files and folders that the strategy may read
    rows_max: int = 0
    finer: dict[str, str] = {}  # of which timeframe a symbol's candles are built

    def feed(self, settings: Settings) -> ReplayFeed:
        """The candles of the run, from the real cache."""
        live, times_ms = settings.live, {"warmup_start_ms": self.warmup_start_ms, "start_ms": self.start_ms}
        cache = built_cache(CandleCache(Path(self.cache)), live.timeframe, self.finer, self.end_ms)
        return ReplayFeed(cache, live.symbols, live.timeframe, **times_ms, end_ms=self.end_ms)


class Access(msgspec.Struct, frozen=True):
    """Something outside of Onetape that the strategy opened; `time_ms` is None while it was being made.

    `is_hidden` is false for its own parameter files, which it could read.
    """

    what: str
    time_ms: int | None
    is_hidden: bool = True


class FrameDifference(msgspec.Struct, frozen=True):
    """The first row of a DataFrame whose value or signal depends on later rows."""

    symbol: str
    close_time_ms: int
    what: str
    with_future: str
    without: str
    how: str


class FrameCheck(msgspec.Struct, frozen=True):
    """What was found in whole DataFrames; `rows` are those of the run, `checked` those cut right behind themselves."""

    rows: int
    checked: int
    cuts: int
    has_signals: bool
    difference: FrameDifference | None = None


class Reply(msgspec.Struct, frozen=True):
    """An answer of the process; `failure` is what the strategy raised, at the candle that it was asked about."""

    answers: list[Answer] = []
    failure: str | None = None
    failed_at: str = ""
    accesses: list[Access] = []
    frames: FrameCheck | None = None
    wanted: str | None = None  # a file or folder of the cache, to be brought up to the candle at hand before all else
    is_confined: bool = False
