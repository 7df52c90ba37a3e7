"""Worker processes: any number gives the same answers, a killed one is replaced, an error ends the study."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import ConfigError, DataError
from app.research.trial import Outcome, Task
from app.research.workbench import Workbench
from app.research.workers import TRIES, LocalWorkers
from app.settings.profile import load_settings
from tests.searches import CACHE, END_MS, START_MS, bench, settings

TASKS = [Task(number, (f"strategy.params.ema_fast={number}",), START_MS, END_MS) for number in range(5, 13)]
DEADLY = """import os
from app.strategies.base import FLAT, Strategy
class Deadly(Strategy):
    def __init__(self, how: int = 0) -> None:
        self.how = how
    async def on_candle(self, candle, view):
        if self.how == 1 or (self.how == 2 and not os.path.exists({mark!r})):
            open({mark!r}, "w").close()
            os.kill(os.getpid(), 9)
        if self.how == 3:
            raise KeyError("a mistake of the user's")
        return FLAT
"""


def answers(workers: LocalWorkers, tasks: list[Task]) -> dict[int, Outcome]:
    try:
        return dict(workers.run(tasks))
    finally:
        workers.close()


def deadly(folder: Path) -> Workbench:
    file = folder / "deadly.py"
    file.write_text(DEADLY.format(mark=str(folder / "mark")))
    return bench(load_settings(settings(), strategy=str(file)))


def how(*values: int) -> list[Task]:
    return [Task(number, (f"strategy.params.how={value}",), START_MS, END_MS) for number, value in enumerate(values, 1)]


def test_any_number_gives_the_same_answers() -> None:
    own = bench()
    expected = {task.number: own.answer(task) for task in TASKS}
    for count in (1, 2):
        workers = LocalWorkers(bench(), count)
        assert answers(workers, TASKS) == expected
        assert workers.memory_mib > 10.0
    assert multiprocessing.active_children() == []


def test_a_killed_worker_is_replaced_and_its_task_given_again() -> None:
    workers = LocalWorkers(bench(), 2)
    killed: list[int] = []

    def killing() -> Iterator[tuple[int, Outcome]]:
        for answer in workers.run(TASKS):
            alive = [one.pid for one in multiprocessing.active_children() if one.pid and one.pid not in killed]
            if len(killed) < TRIES - 1 and alive:  # one that was killed a moment ago may still be named
                killed.append(alive[0])
                os.kill(killed[-1], signal.SIGKILL)
            yield answer

    own = bench()
    try:
        assert dict(killing()) == {task.number: own.answer(task) for task in TASKS}
        assert len(killed) == TRIES - 1  # once more, and all might have met one task, which is then given up
    finally:
        workers.close()


def test_a_task_that_kills_its_worker_once_is_answered(tmp_path: Path) -> None:
    found = answers(LocalWorkers(deadly(tmp_path), 2), how(0, 2, 0))
    assert sorted(found) == [1, 2, 3]
    assert found[1] == found[2]


def test_a_task_that_always_does_ends_the_study(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"trial 1 \(--set strategy.params.how=1\) ended its worker 3 times \(exit status -9\)"
    ):
        answers(LocalWorkers(deadly(tmp_path), 1), how(1))


def test_errors_come_back_with_their_trial(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"trial 4 \(--set strategy.params.ema_fast=99\)"):
        answers(LocalWorkers(bench(), 1), [Task(4, ("strategy.params.ema_fast=99",), START_MS, END_MS)])
    with pytest.raises(
        RuntimeError, match=r"(?s)trial 1 \(--set strategy.params.how=3\).*KeyError: \"a mistake of the user"
    ):
        answers(LocalWorkers(deadly(tmp_path), 1), how(3))


def test_they_end_while_they_work() -> None:
    workers = LocalWorkers(bench(), 2)
    running = workers.run(TASKS)
    next(running)
    ids = [one.pid for one in multiprocessing.active_children() if one.pid]
    workers.close()
    for process in ids:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
    assert CACHE.exists()
