"""An event loop with real sockets on which time passes only while they are quiet: it jumps to the next timer.

Exchange, man in the middle and session live on one such loop. What a busy machine needs for its work takes no time
there, so a session of a quarter of an hour with the seconds of its own settings takes the second or two that its work
does, and no grace is missed because a processor was. Every clock of the process shows the loop's time meanwhile.
"""

import asyncio
import contextlib
import selectors
import time
from collections.abc import Callable, Iterator
from typing import Any

_SELECTOR: type[selectors.BaseSelector] = selectors.DefaultSelector
_CLOCKS = ("time", "monotonic", "perf_counter")


class _Jump(_SELECTOR):  # type: ignore[misc, valid-type]  # what the system has is known at run time
    """Looks at the sockets; if nothing came, the wait is over at once, and its length is added to the time."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As every selector."""
        found: list[tuple[selectors.SelectorKey, int]] = super().select(None if timeout is None else 0)
        if not found and timeout:
            self.now_s += max(1e-6, timeout)  # less could vanish beside the time itself
        return found


class PatientLoop(asyncio.SelectorEventLoop):
    """`time()` begins at 0."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        """Seconds that have passed, hardly any of them really."""
        return float(self._jump.now_s)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]
        """At once and here: time must not pass beside a thread."""
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done


class _Policy(asyncio.DefaultEventLoopPolicy):
    def __init__(self, loop: PatientLoop) -> None:
        super().__init__()
        self._loop = loop

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop


@contextlib.contextmanager
def living_on(loop: PatientLoop) -> Iterator[None]:
    """`asyncio.run` takes this loop, and every clock shows its time."""
    real = {name: getattr(time, name) for name in (*_CLOCKS, *(f"{one}_ns" for one in _CLOCKS), "clock_gettime")}
    for name in _CLOCKS:
        began_s = real[name]()
        setattr(time, name, lambda began_s=began_s: began_s + loop.time())
        setattr(time, f"{name}_ns", lambda began_s=began_s: int((began_s + loop.time()) * 1e9))
    time.clock_gettime = lambda _: loop.time()
    asyncio.set_event_loop_policy(_Policy(loop))
    try:
        yield
    finally:
        asyncio.set_event_loop_policy(None)
        for name, function in real.items():
            setattr(time, name, function)
