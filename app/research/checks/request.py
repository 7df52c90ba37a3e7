"""What a check asks of the process that runs the strategy, and what that process tells back.

The rule: a run of a check is described completely by its request, so that two runs of one request differ in nothing
but their process. Nothing here runs anything.
"""

from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from app.candles.built_candles import built_cache
from app.candles.cache import CandleCache
from app.feeds.replay import ReplayFeed
from app.research.checks.answer_log import Answer
from app.session.plan import RunPlan
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
    trusted: tuple[str, ...] = ()
    rows_max: int = 0
    finer: dict[str, str] = {}  # of which timeframe a symbol's candles are built

    def feed(self, settings: Settings) -> ReplayFeed:
        """The candles of the run, from the real cache."""
        return ReplayFeed(
            built_cache(CandleCache(Path(self.cache)), settings.live.timeframe, self.finer, self.end_ms),
            settings.live.symbols,
            settings.live.timeframe,
            warmup_start_ms=self.warmup_start_ms,
            start_ms=self.start_ms,
            end_ms=self.end_ms,
        )


class Touched(msgspec.Struct, frozen=True):
    """Something outside of Onetape that the strategy reached for; `time_ms` is None while it was being made."""

    what: str
    time_ms: int | None


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
    touched: list[Touched] = []
    frames: FrameCheck | None = None
    wanted: str | None = None  # a file or folder of the cache, to be brought up to the candle at hand before all else
    is_confined: bool = False


def request_of(plan: RunPlan, task: Task, cache: CandleCache, folder: str, **more: Any) -> Request:
    """The request for a planned run."""
    content: dict[str, Any] = {
        "settings": plan.settings.model_dump(mode="json"),
        "start_ms": plan.period.start_ms,
        "end_ms": plan.period.end_ms,
        "warmup_start_ms": plan.warmup_start_ms,
        "cache": str(cache.root.absolute()),
        "finer": dict(plan.finer),
    }
    return Request(task, **{**content, "folder": folder, **more})
