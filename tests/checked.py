"""Planned runs of the shipped sample for the tests of the strategy checks: two days, 48 decisions, no process."""

import asyncio

from app.candles.cache import CandleCache
from app.research.checks.request import Subject
from app.session.backtest import ConfigBacktestRunner
from app.session.plan import RunPlan
from tests.cheats import CACHE
from tests.integration.processes import PROJECT

__all__ = ["CACHE", "COUNT", "START_MS", "plan", "subject"]
START_MS = 1_580_774_400_000  # 2020-02-04
COUNT = 48


def plan(strategy: str, *overrides: str, start: str = "2020-02-04", end: str = "2020-02-06") -> RunPlan:
    """What a backtest of it would run."""
    runner = ConfigBacktestRunner(
        config=PROJECT / "config/sample/live.yaml", cache=CACHE, start=start, end=end, strategy=strategy,
        overrides=overrides, offline=True,
    )  # fmt: skip
    return asyncio.run(runner.plan())


def subject(strategy: str, *overrides: str, told: list[str] | None = None) -> Subject:
    """The same to check; what it tells goes to `told`."""
    return Subject(plan(strategy, *overrides), CandleCache(CACHE), (lambda what: None) if told is None else told.append)
