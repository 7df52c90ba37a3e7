"""An event loop with real sockets on which time passes only while they are quiet: it jumps to the next timer.

Exchange, man in the middle and session live on one such loop. What a busy machine needs for its work takes no time
there, so a session of a quarter of an hour with the seconds of its own settings takes the second or two that its work
does, and no grace is missed because a processor was. Every clock of the process shows the loop's time meanwhile.
"""

import asyncio
import contextlib
import selectors
import socket
import struct
import time
import weakref
from asyncio import selector_events
from collections.abc import Callable, Iterator
from typing import Any

_SELECTOR: type[selectors.BaseSelector] = selectors.DefaultSelector
_CLOCKS = {"time": 1_800_000_000.0, "monotonic": 1_000.0, "perf_counter": 2_000.0}  # as they stand at the start
_LOOK_S, _LOOKS = 0.001, 200  # real seconds
_ESTABLISHED = 1
_INFO = getattr(socket, "TCP_INFO", None)
_INFO_BYTES, _RECEIVED, _SENT = 232, 128, 200  # of Linux's struct tcp_info: its length, and places in it


class _Jump(_SELECTOR):  # type: ignore[misc, valid-type]  # what the system has is known at run time
    """Looks at the sockets; if nothing came, the wait is over at once, and its length is added to the time."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.has_changed = False
        self.connecting = 0
        self.ends: weakref.WeakSet[Any] = weakref.WeakSet()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As every selector."""
        found: list[tuple[selectors.SelectorKey, int]] = super().select(None if timeout is None else 0)
        if not found and timeout:
            found = self._look_again()
            if not found:
                self.now_s += max(1e-6, timeout)  # less could vanish beside the time itself
        return found

    def _look_again(self) -> list[tuple[selectors.SelectorKey, int]]:
        """What was sent and is not there yet: on a busy machine the kernel takes its time."""
        for _ in range(_LOOKS):
            if not self.connecting and not (self.has_changed and self._is_under_way()):
                break
            found: list[tuple[selectors.SelectorKey, int]] = super().select(_LOOK_S)
            if found:
                return found
        self.has_changed = False
        return []

    def _is_under_way(self) -> bool:
        """Whether an end has sent more than the other one has received, or has not heard of the other one's end."""
        if _INFO is None:
            return True
        counts: dict[Any, tuple[int, int, int]] = {}
        for end in self.ends:
            if end._sock is not None and end._sock.fileno() >= 0:
                info = end._sock.getsockopt(socket.IPPROTO_TCP, _INFO, _INFO_BYTES)
                (received,) = struct.unpack_from("Q", info, _RECEIVED)
                sent, again = struct.unpack_from("QQ", info, _SENT)
                counts[end.get_extra_info("sockname"), end.get_extra_info("peername")] = info[0], sent - again, received
        for (ours, theirs), (state, sent, _) in counts.items():
            other = counts.get((theirs, ours))
            if state == _ESTABLISHED if other is None else sent > other[2]:
                return True
        return False


class _End(selector_events._SelectorSocketTransport):  # type: ignore[name-defined, misc]  # asyncio's own
    """One end of a connection; it says when it sends or ends."""

    def write(self, data: Any) -> None:
        self._loop._jump.has_changed = True
        super().write(data)

    def _call_connection_lost(self, exc: Any) -> None:
        self._loop._jump.has_changed = True
        super()._call_connection_lost(exc)


class PatientLoop(asyncio.SelectorEventLoop):
    """`time()` begins at 0."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        """Seconds that have passed, hardly any of them really."""
        return float(self._jump.now_s)

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """As every loop."""
        self._jump.connecting += 1
        try:
            await super().sock_connect(sock, address)
        finally:
            self._jump.connecting -= 1

    def _make_socket_transport(self, sock: Any, protocol: Any, waiter: Any = None, **more: Any) -> Any:
        end = _End(self, sock, protocol, waiter, more.get("extra"), more.get("server"))
        self._jump.ends.add(end)
        return end

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
    for name, began_s in _CLOCKS.items():
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
