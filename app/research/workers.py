"""Processes of this machine that answer the tasks of a search or a Monte Carlo, each with a pipe of its own.

A process that dies (killed, out of memory) is replaced and its task given again, three times at most; an error inside a
task ends the whole. Ctrl-C is left to the parent, which ends the workers.
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
from typing import Any, Protocol

from app.errors import DataError
from app.research.workbench import peak_memory_mib
from app.strategies.loader import own_code
from app.strategies.own_failure import own_failure

TRIES = 3


class Answering(Protocol):
    """What is sent to each process once and answers tasks there; a task has a `number`, and a `label` for messages."""

    def answer(self, task: Any) -> Any: ...


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    task: Any = None


class LocalWorkers:
    """`count` processes, started when the first task comes."""

    def __init__(self, workbench: Answering, count: int) -> None:
        self._workbench = workbench
        self._count = count
        self._workers: list[_Worker] = []
        self._deaths: Counter[int] = Counter()
        self.memory_mib = 0.0

    def run(self, tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """The outcome of each task by its number, as they come."""
        waiting = deque(tasks)
        while waiting or any(worker.task for worker in self._workers):
            while len(self._workers) < min(self._count, len(tasks)):
                self._workers.append(self._start())
            for worker in self._workers:
                if worker.task is None and waiting:
                    worker.task = waiting.popleft()
                    with suppress(BrokenPipeError):  # a dead worker is noticed when its answer is read
                        worker.pipe.send(worker.task)
            ready = wait([worker.pipe for worker in self._workers if worker.task is not None])
            for worker in [one for one in self._workers if one.pipe in ready]:
                yield from self._take(worker, waiting)

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        for worker in self._workers:
            worker.process.terminate()
            worker.pipe.close()
        for worker in self._workers:
            worker.process.join()
        self._workers.clear()

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._workbench), name="onetape-worker", daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _take(self, worker: _Worker, waiting: deque[Any]) -> Iterator[tuple[int, Any]]:
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

    def _bury(self, worker: _Worker, task: Any, waiting: deque[Any]) -> None:
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join()
        self._deaths[task.number] += 1
        if self._deaths[task.number] >= TRIES:
            raise DataError(
                f"{task.label} ended its worker {self._deaths[task.number]} times "
                f"(exit status {worker.process.exitcode}); "
                "is there too little memory? --workers 1 needs the least"
            )
        waiting.appendleft(task)


def _serve(pipe: Connection, workbench: Answering) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent is gone: nobody wants an answer
        while True:
            task = pipe.recv()
            try:
                answer = workbench.answer(task)
            except Exception as error:
                answer = _sendable(error, task)
            pipe.send((answer, peak_memory_mib()))


def _sendable(error: Exception, task: Any) -> Exception:
    # A user's own exception may not survive the pipe, and its traceback does not.
    if type(error).__module__ == "app.errors":
        return error
    told = own_failure(error, own_code) or "".join(traceback.format_exception(error))
    return RuntimeError(f"{task.label}:\n{told}")
