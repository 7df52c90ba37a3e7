"""What is checked: a strategy over a period with its cache, and the requests for runs of it.

All runs of a check are asked for here, so they differ only in what the check says.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.candles.cache import CandleCache
from app.errors import DataError
from app.models.market import Slice
from app.research.checks.answer_log import read_answers
from app.research.checks.observed_run import ANSWERS
from app.research.checks.request import Request, Task
from app.session.backtest import ConfigBacktestRunner
from app.session.plan import RunPlan
from app.times import short_time


@dataclass(frozen=True)
class Subject:
    """A strategy over one period; `tell` hears what is run next."""

    plan: RunPlan
    cache: CandleCache
    tell: Callable[[str], None]

    @property
    def strategy(self) -> str:
        """As the config or the command line names it."""
        return self.plan.strategy.name

    @property
    def over(self) -> str:
        """On what it is checked, for people."""
        settings, period = self.plan.settings, self.plan.period
        between = f"{short_time(period.start_ms)} to {short_time(period.end_ms)}"
        return f"{', '.join(settings.live.symbols)} {settings.strategy_timeframe}, {between}"

    def request(self, task: Task, folder: Path, **more: Any) -> Request:
        """The request for a run of it in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        plan, cache = self.plan, str(self.cache.root.absolute())  # the strategy may change the folder that it is in
        span = plan.period.start_ms, plan.period.end_ms, plan.warmup_start_ms
        return Request(task, plan.settings.model_dump(mode="json"), *span, cache, str(folder), finer=dict(plan.finer), **more)

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


def subject_of(runner: ConfigBacktestRunner, tell: Callable[[str], None]) -> Subject:
    """What a backtest with these arguments would run; candles that are missing are fetched first, as there."""
    return Subject(asyncio.run(runner.plan()), CandleCache(Path(runner.cache)), tell)
