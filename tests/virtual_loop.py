"""An event loop on which time passes only when nothing else can happen: it jumps to the next timer.

The rule: a run on it depends on nothing but its input, and waiting costs nothing; the local clock of app.times
shows the same time, and the jitter of waits is drawn anew from the same seed. Real sockets, threads and processes have
no place on it.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, TypeVar

from app import times
from app.exchange import retries

Result = TypeVar("Result")


class _Jump(selectors.SelectSelector):
    """Looks at no file: a wait is over at once, and its length is added to the time."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen: no task can go on and no timer is set")
        if timeout > 0.0:
            self.now_s += max(1e-6, timeout)  # less could vanish beside the time itself
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` begins at 0."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        """Seconds that have passed, none of them really."""
        return self._jump.now_s

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]
        """At once and here: time must not pass beside a thread."""
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done


def run_virtual(main: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run` on a virtual clock; tasks that are left over are an error."""
    loop = VirtualLoop()
    real = times.monotonic_s, retries._JITTER
    times.monotonic_s, retries._JITTER = loop.time, Random(1)  # type: ignore[assignment]
    try:
        result = loop.run_until_complete(main)
        left = [task for task in asyncio.all_tasks(loop) if not task.done()]
        if left:
            raise RuntimeError(f"tasks left behind: {left}")
        return result
    finally:
        times.monotonic_s, retries._JITTER = real
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
