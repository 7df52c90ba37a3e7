"""LocalWorkers: processes of this machine that answer the tasks of a study, each with a pipe of its own.

The rule: a process that dies (killed, out of memory) is replaced and its task given again, three times at most; an
error inside a task ends the study. Ctrl-C is the parent's affair: it ends the workers.
"""

import multiprocessing
import pickle
import signal
import traceback
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from app.errors import DataError
from app.research.outcome import Outcome, Task
from app.research.workbench import Workbench, peak_memory_mib
from app.strategies.loader import own_code
from app.strategies.own_failure import own_failure

TRIES = 3


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    task: Task | None = None


class LocalWorkers:
    """`count` processes, started when the first task comes."""

    def __init__(self, workbench: Workbench, count: int) -> None:
        self._workbench = workbench
        self._count = count
        self._workers: list[_Worker] = []
        self._deaths: Counter[int] = Counter()
        self.memory_mib = 0.0

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Outcome]]:
        """The outcome of each task by its number, as they come."""
        waiting = deque(tasks)
        while waiting or any(worker.task for worker in self._workers):
            while len(self._workers) < min(self._count, len(tasks)):
                self._workers.append(self._start())
            for worker in self._workers:
                if worker.task is None and waiting:
                    self._give(worker, waiting)
            for worker in self._ready():
                yield from self._take(worker, waiting)

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        for worker in self._workers:
            worker.process.terminate()
            worker.pipe.close()
        for worker in self._workers:
            worker.process.join()
        self._workers.clear()

    def process_ids(self) -> list[int]:
        """Of the processes that run."""
        return [worker.process.pid for worker in self._workers if worker.process.pid is not None]

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._workbench), name="onetape-worker", daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _give(self, worker: _Worker, waiting: deque[Task]) -> None:
        task = waiting.popleft()
        worker.task = task  # a worker that is dead already is noticed when its answer is read
        with suppress(BrokenPipeError):
            worker.pipe.send(task)

    def _ready(self) -> list[_Worker]:
        ready = wait([worker.pipe for worker in self._workers if worker.task is not None])
        return [worker for worker in self._workers if worker.pipe in ready]

    def _take(self, worker: _Worker, waiting: deque[Task]) -> Iterator[tuple[int, Outcome]]:
        task = worker.task
        if task is None:
            return
        try:
            answer, memory_mib = worker.pipe.recv()
        except (EOFError, ConnectionResetError, pickle.UnpicklingError):
            self._bury(worker, task, waiting)
            return
        worker.task = None
        self.memory_mib = max(self.memory_mib, memory_mib)
        if isinstance(answer, BaseException):
            raise answer
        yield task.number, answer

    def _bury(self, worker: _Worker, task: Task, waiting: deque[Task]) -> None:
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join()
        self._deaths[task.number] += 1
        if self._deaths[task.number] >= TRIES:
            raise DataError(
                f"trial {task.number} ended its worker {self._deaths[task.number]} times "
                f"(exit status {worker.process.exitcode}); "
                "is there too little memory? --workers 1 needs the least"
            )
        waiting.appendleft(task)


def _serve(pipe: Connection, workbench: Workbench) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent is gone: nobody wants an answer
        while True:
            task = pipe.recv()
            try:
                answer: Outcome | BaseException = workbench.answer(task)
            except Exception as error:
                answer = _sendable(error, task)
            pipe.send((answer, peak_memory_mib()))


def _sendable(error: Exception, task: Task) -> Exception:
    # A user's own exception may not survive the pipe, and its traceback does not.
    if type(error).__module__ == "app.errors":
        return error
    overrides = " ".join(f"--set {override}" for override in task.overrides)
    told = own_failure(error, own_code) or "".join(traceback.format_exception(error))
    return RuntimeError(f"trial {task.number} ({overrides}):\n{told}")
