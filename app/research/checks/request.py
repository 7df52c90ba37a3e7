"""What is checked, what a check asks of the process that runs the strategy, and what that process answers.

All runs of a check are asked for by its `Subject`. A request describes a run completely, so two runs of one request
differ in nothing but their process.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from app.candles.built_candles import built_cache
from app.candles.cache import CandleCache
from app.errors import DataError
from app.feeds.replay import ReplayFeed
from app.models.market import Slice
from app.research.checks.answer_log import ANSWERS, Answer, read_answers
from app.session.plan import RunPlan
from app.settings.profile import Settings
from app.times import short_time

if TYPE_CHECKING:
    from app.session.backtest import ConfigBacktestRunner

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

    @property
    def strategies(self) -> list[str]:
        """As the config names them, known before one is loaded."""
        live = self.settings["live"]
        return [one["name"] for one in live.get("strategies") or [live["strategy"]]]

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


@dataclass(frozen=True)
class Subject:
    """A strategy, or several, over one period; `tell` hears what is run next."""

    plan: RunPlan
    cache: CandleCache
    tell: Callable[[str], None]

    @property
    def strategy(self) -> str:
        """As the config or the command line names it; of several their ids."""
        strategies = self.plan.strategies.of
        return strategies[0][1].name if len(strategies) == 1 else ", ".join(spec.id for spec, _ in strategies)

    @property
    def over(self) -> str:
        """On what it is checked, for people."""
        settings, period = self.plan.settings, self.plan.period
        between = f"{short_time(period.start_ms)} to {short_time(period.end_ms)}"
        timeframes = ", ".join(dict.fromkeys(spec.timeframe for spec in settings.strategies))
        return f"{', '.join(settings.live.symbols)} {timeframes}, {between}"

    def request(self, task: Task, folder: Path, **more: Any) -> Request:
        """The request for a run of it in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        plan, cache = self.plan, str(self.cache.root.absolute())  # the strategy may change the folder that it is in
        span = plan.period.start_ms, plan.period.end_ms, plan.warmup_start_ms
        return Request(
            task, plan.settings.model_dump(mode="json"), *span, cache, str(folder), finer=dict(plan.finer), **more
        )

    def slices(self) -> Iterator[Slice]:
        """All of the run in their order, warm-up first."""
        for burst in self.request(Task.STEP, Path()).feed(self.plan.settings).bursts():
            yield from burst

    def count_decisions(self, folder: Path) -> int:
        """How many answers a run gave; DataError if there was none to check."""
        count = sum(1 for _ in read_answers(folder / ANSWERS))
        if count == 0:
            raise DataError(f"{self.strategy} is asked for no candle on {self.over}: choose a longer period")
        return count


def subject_of(runner: "ConfigBacktestRunner", tell: Callable[[str], None]) -> Subject:
    """What a backtest with these arguments would run; candles that are missing are fetched first, as there."""
    return Subject(asyncio.run(runner.plan()), CandleCache(Path(runner.cache)), tell)
