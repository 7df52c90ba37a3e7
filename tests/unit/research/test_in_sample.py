"""The in-sample search: the window's own study and no candle after it, the same as a search over that span."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from app.errors import ConfigError, DataError
from app.research.search import SearchOptions, prepare_search
from app.research.study import StudyRun
from app.research.trial import Outcome, Task
from app.research.walk_forward import Best, InSampleSearch, prepare_walk
from app.research.windows import WindowRule
from app.times import DAY_MS, iso_ms
from tests.walks import CACHE, RULE, runner

OPTIONS = SearchOptions(["ema_fast=5:15", "risk.reward_risk_ratio=1:3"], "bayes", "return", trials=10, seed=3)


class Here:
    """Answers tasks in this process and keeps them."""

    memory_mib = 0.0

    def __init__(self, workbench: object) -> None:
        self.workbench, self.tasks = workbench, list[Task]()

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Outcome]]:
        self.tasks += tasks
        for task in tasks:
            yield task.number, self.workbench.answer(task)  # type: ignore[attr-defined]

    def close(self) -> None:
        pass


def test_the_best_of_a_window_is_that_of_a_search_over_its_span() -> None:
    walk, search = prepare_walk(runner(), OPTIONS, RULE)
    workers = Here(search.workbench)
    for window in walk.windows[:2]:
        workers.tasks.clear()
        best = InSampleSearch(search, workers)(window)
        span = window.in_sample
        assert {(task.start_ms, task.end_ms) for task in workers.tasks} == {(span.start_ms, span.end_ms)}
        own = prepare_search(runner(start=iso_ms(span.start_ms), end=iso_ms(span.end_ms)), OPTIONS)
        alone = StudyRun(own.plan, Here(own.workbench)).run().best
        assert alone is not None
        assert best == Best(
            alone.overrides, alone.value, 10, alone.outcome.performance, alone.outcome.halted is not None
        )


def test_a_search_without_a_value_finds_nothing() -> None:
    walk, search = prepare_walk(runner(), replace(OPTIONS, min_trades=10_000), RULE)
    assert InSampleSearch(search, Here(search.workbench))(walk.windows[0]) == Best(None, None, 10, {})


def test_what_cannot_be_walked() -> None:
    with pytest.raises(ConfigError, match="no window fits: --in-sample 90d"):
        prepare_walk(runner(), OPTIONS, WindowRule(90 * DAY_MS, DAY_MS))
    with pytest.raises(ConfigError, match="--embargo 90m: it is no whole number of candles of 1h"):
        prepare_walk(runner(), OPTIONS, WindowRule(DAY_MS, DAY_MS, 90 * 60_000))
    with pytest.raises(ConfigError, match="--objective sharpe needs 30 days, the period has 20"):
        prepare_walk(runner(), replace(OPTIONS, objective="sharpe"), RULE)
    with pytest.raises(ConfigError, match="carries the balance on"):
        prepare_walk(runner(), replace(OPTIONS, params=["trading.starting_balance=1000:2000"]), RULE)
    with pytest.raises(DataError, match="no candle of BTC/USDT 1h"):
        prepare_walk(runner(start="2031-01-01", end="2032-01-01"), OPTIONS, RULE)


def test_what_makes_a_walk_another_one() -> None:
    walk, _ = prepare_walk(runner(), OPTIONS, RULE)
    assert prepare_walk(runner(), OPTIONS, RULE)[0].identity == walk.identity
    for other in (
        prepare_walk(runner(), replace(OPTIONS, seed=4), RULE),
        prepare_walk(runner(overrides=["slippage_rate=0"]), OPTIONS, RULE),
        prepare_walk(runner(), OPTIONS, replace(RULE, anchored=True)),
    ):
        assert other[0].identity != walk.identity
    assert walk.runner.cache == CACHE
