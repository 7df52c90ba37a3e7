"""What a session says, on a thread of its own: a slow terminal, a full pipe or a failing disk holds no session up.

Calls are made in the order in which they were given; one that fails is dropped and counted, and when too many wait,
new ones are. Nothing that a session needs may be given to it.
"""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

_WAITING_MAX = 10_000
_CLOSE_S = 2.0


class OutputThread:
    """Makes calls, one after the other. `lost` are those that failed or were too many, `fault` is the first failure."""

    def __init__(self) -> None:
        self.lost = 0
        self.fault = ""
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: Thread | None = None

    def do(self, call: Callable[[], None]) -> None:
        """Make this call soon; returns at once and never raises."""
        if self._calls.qsize() >= _WAITING_MAX:
            self.lost += 1
            return
        self._calls.put(call)
        if self._thread is None:
            self._thread = Thread(target=self._run, name="onetape-output", daemon=True)
            self._thread.start()

    @property
    def waiting(self) -> int:
        """Calls that were not begun yet."""
        return self._calls.qsize()

    def close(self, timeout_s: float = _CLOSE_S) -> bool:
        """Makes what waits, as long as it lasts no longer; whether all was made. Idempotent."""
        if self._thread is None:
            return True
        self._calls.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            except Exception as error:
                self.lost += 1
                self.fault = self.fault or f"{type(error).__name__}: {error}"
