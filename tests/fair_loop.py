"""The event loop of every asynchronous test: on it a busy machine takes no time away from anybody.

Its clock counts what the test itself used: processor time of its thread, and waits that ended with nothing. While other
processes have the processor it stands, for timeouts, for the feed and for a testnet in this process alike, so nobody is
late who would be in time on a quiet machine. Sockets, threads and processes are real. An idle wait passes many times
as fast as it says, unless a thread or a process that the test has started is running: that may be what is waited for.
"""

import asyncio
import selectors
import sys
import threading
import time
from typing import Any

from app import times
from tests import warm_python

_PACE = 20.0
_REAL_S = times.monotonic_s
_READ_REAL_TIME = ("ccxt.base.exchange", "asyncio_throttle.throttler")  # libraries, each by its name `time`


class _FairSelector(selectors.DefaultSelector):
    """Waits, and counts the time."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs = 0  # under way in the loop's own threads, which stay when they have nothing to do
        self._threads = _threads()
        self._processor = time.pthread_getcpuclockid(threading.get_ident())
        self._waited_s = time.monotonic() - time.clock_gettime(self._processor)

    def now_s(self) -> float:
        return time.clock_gettime(self._processor) + self._waited_s

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0.0:
            return ready
        if timeout is None:
            return super().select()
        ready = super().select(timeout if self._is_waited_for() else timeout / _PACE)
        if not ready:
            self._waited_s += timeout
        return ready

    def _is_waited_for(self) -> bool:
        return bool(self.jobs) or _threads() > self._threads or warm_python.is_any_running()


class FairLoop(asyncio.SelectorEventLoop):
    """One at a time; other threads have real time."""

    current: "FairLoop | None" = None

    def __init__(self) -> None:
        self._fair = _FairSelector()
        self._thread = threading.get_ident()
        super().__init__(self._fair)
        FairLoop.current = self

    def time(self) -> float:
        """Seconds, as they passed for the test."""
        return self._fair.now_s()

    def is_here(self) -> bool:
        """Whether this thread is the loop's: others have real time."""
        return self._thread == threading.get_ident()

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]
        """In a thread, as ever."""
        job = super().run_in_executor(executor, func, *args)
        self._fair.jobs += 1
        job.add_done_callback(self._job_ended)
        return job

    def close(self) -> None:
        """From here on the real time is the time."""
        super().close()
        FairLoop.current = None

    def _job_ended(self, _: object) -> None:
        self._fair.jobs -= 1

    def _run_once(self) -> None:
        for name in _READ_REAL_TIME:  # as soon as one is imported
            module = sys.modules.get(name)
            if module is not None and not isinstance(module.time, _FairTime):
                module.time = _FairTime()  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


class _FairTime:
    """The module `time`, by the clock of the loop that runs."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def monotonic(self) -> float:
        return _monotonic_s()

    def time(self) -> float:
        return _EPOCH_S + self.monotonic()

    def time_ns(self) -> int:
        return int(self.time() * 1e9)


def _threads() -> int:
    return sum(not one.name.startswith("asyncio_") for one in threading.enumerate())


def _monotonic_s() -> float:
    loop = FairLoop.current
    return loop.time() if loop is not None and loop.is_here() else _REAL_S()


_EPOCH_S = time.time() - time.monotonic()


def install() -> None:
    """The local clock shows the time of the loop that runs, and real time where there is none."""
    times.monotonic_s = _monotonic_s
