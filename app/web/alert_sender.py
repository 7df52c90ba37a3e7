"""Sends alerts by Apprise, in their order: each address on a thread of its own, so that one that fails or hangs holds
up no other, and none is told again what it has already taken.

What waits lies in the queue's file before it is tried and leaves it only when every address has it or it was given up,
so none is lost over a restart; one may come twice if the process dies between a delivery and its note, or if a service
takes a message without answering. Addresses appear in no message: they are named by their numbers.
"""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from app import times
from app.web.alerts import Alert, AlertMemory

_FIRST_S, _LONGEST_S = 1.0, 300.0
_TRIES = 100  # some eight hours
_LINES = 20  # of what has waited together
_WAITING_MOST = 1_000
_CONNECT_S, _ANSWER_S = 10.0, 60.0  # a service that was not waited for is told again, though it may have heard
Send = Callable[[str, str], bool]


class AlertFile(msgspec.Struct):
    """RUN/alerts.json: what was told already, and what waits. `sent` and `failed` count an alert at each address."""

    memory: AlertMemory = msgspec.field(default_factory=AlertMemory)
    waiting: list[Alert] = msgspec.field(default_factory=list)
    sent: int = 0
    failed: int = 0  # given up after many tries, or too many waited
    upto: list[int] = msgspec.field(default_factory=list)  # by address: the newest alert it is done with

    @classmethod
    def read(cls, path: Path) -> "AlertFile":
        """As it was left; a new one where there is none, or it cannot be read."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError):
            return cls()


class AlertQueue:
    """The alerts of one session, in its folder, for so many addresses."""

    def __init__(self, path: Path, title: str) -> None:
        self.path, self.title = path, title
        self.file = AlertFile.read(path)
        self._lock = threading.Lock()
        self._written = b""

    def serve(self, addresses: int) -> None:
        """For how many addresses an alert waits."""
        with self._lock:
            self.file.upto = (self.file.upto + [0] * addresses)[:addresses]
            self._forget()

    def add(self, decide: Callable[[], Sequence[Alert]]) -> int:
        """Puts what is decided behind what waits, in one step with the memory of it; how many that were."""
        with self._lock:
            alerts = decide()
            self.file.waiting += alerts
            too_many = len(self.file.waiting) - _WAITING_MOST
            if too_many > 0:
                for alert in self.file.waiting[:too_many]:
                    self.file.failed += sum(alert.number > upto for upto in self.file.upto or [0])
                del self.file.waiting[:too_many]
            self._write()
        return len(alerts)

    def send(self, address: int, send: Send) -> tuple[bool, int] | None:
        """Tries what waits for an address as one message: whether it took it, and the newest; None if nothing does."""
        with self._lock:
            all_of_it = [alert for alert in self.file.waiting if alert.number > self.file.upto[address]]
        if not all_of_it:
            return None
        together = all_of_it[:_LINES]
        more = len(all_of_it) - len(together)
        lines = [alert.text for alert in together] + ([f"and {more} more"] if more else [])
        upto = together[-1].number
        try:
            is_taken = send(self.title, "\n".join(lines))
        except Exception:  # of a service's own code; nothing of it may end the thread, or name an address
            is_taken = False
        if is_taken:
            self.done(address, upto, sent=True)
        return is_taken, upto

    def done(self, address: int, upto: int, *, sent: bool) -> None:
        """An address took all up to this number, or they were given up for it."""
        with self._lock:
            count = sum(self.file.upto[address] < alert.number <= upto for alert in self.file.waiting)
            self.file.sent += count if sent else 0
            self.file.failed += 0 if sent else count
            self.file.upto[address] = max(upto, self.file.upto[address])
            self._forget()
            self._write()

    def _forget(self) -> None:
        least = min(self.file.upto)
        self.file.waiting = [alert for alert in self.file.waiting if alert.number > least]

    def _write(self) -> None:
        """Whole or as it was, if there is anything new. A disk that is full costs the file, not the alert."""
        content = msgspec.json.encode(self.file)
        if content == self._written:
            return
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
            self._written = content
        except OSError:
            pass  # it is written with the next look


class AlertSender:
    """A thread for each address. `tell` hears, in words without an address, when one begins or ceases to fail."""

    def __init__(self, sends: Sequence[Send], tell: Callable[[str], None], first_s: float = _FIRST_S) -> None:
        self._queues: list[AlertQueue] = []
        self._addresses = [_Address(number, send, self._queues, tell, first_s) for number, send in enumerate(sends)]

    def follow(self, queue: AlertQueue) -> None:
        """Send what comes into this queue, too."""
        queue.serve(len(self._addresses))
        self._queues.append(queue)
        self.wake()

    def wake(self) -> None:
        """Something was added."""
        for address in self._addresses:
            address.work.set()

    def close(self, patience_s: float) -> None:
        """Tries what waits for so long; what is left is in the files."""
        end_s = times.monotonic_s() + patience_s
        for address in self._addresses:
            address.is_closing = True
            address.work.set()
        for address in self._addresses:
            address.thread.join(max(0.0, end_s - times.monotonic_s()))


class _Address:
    """One address: tries its queues in turn, and waits ever longer while it fails."""

    def __init__(
        self, number: int, send: Send, queues: list[AlertQueue], tell: Callable[[str], None], first_s: float
    ) -> None:
        self.work = threading.Event()
        self.is_closing = False
        self._number, self._send, self._queues, self._tell, self._first_s = number, send, queues, tell, first_s
        self._failures = 0  # in a row
        self._tried: dict[AlertQueue, tuple[int, int]] = {}  # the newest alert of the first try that failed, and tries
        self.thread = threading.Thread(target=self._run, name=f"alerts {number + 1}", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while True:
            was_closing = self.is_closing
            results = [self._try(queue) for queue in list(self._queues)]
            if False in results:
                if was_closing:
                    return  # it waits in its file
                self._pause()
            elif not any(results):
                if self.is_closing:
                    return
                self.work.wait(1.0)
                self.work.clear()

    def _try(self, queue: AlertQueue) -> bool | None:
        result = queue.send(self._number, self._send)
        if result is None:
            return None
        is_taken, newest = result
        if is_taken:
            if self._failures:
                self._tell(f"address {self._number + 1} takes alerts again, after {self._failures} failures")
            self._failures = 0
            self._tried.pop(queue, None)
            return True
        if not self._failures:
            self._tell(f"address {self._number + 1} did not take an alert; it is tried again")
        self._failures += 1
        upto, tries = self._tried.get(queue, (newest, 0))
        self._tried[queue] = upto, tries + 1
        if tries + 1 >= _TRIES:  # what came later has tries of its own
            queue.done(self._number, upto, sent=False)
            del self._tried[queue]
        return False

    def _pause(self) -> None:
        wait_s = min(_LONGEST_S, self._first_s * 2.0 ** min(self._failures - 1, 16))
        end_s = times.monotonic_s() + wait_s
        # New alerts do not make a failing service be asked sooner; closing does.
        while not self.is_closing and times.monotonic_s() < end_s:
            self.work.wait(min(0.2, wait_s))
            self.work.clear()


def apprise_sends(urls: Sequence[str]) -> list[Send]:
    """One for each address. ValueError, without the address, where Apprise does not know one of them."""
    import apprise

    logging.getLogger("apprise").disabled = True  # its lines have addresses
    return [_apprise_send(apprise.Apprise(), url, f"{number} of {len(urls)}") for number, url in enumerate(urls, 1)]


def _apprise_send(made: Any, url: str, which: str) -> Send:
    if not made.add(url):
        raise ValueError(f"address {which} is none that Apprise knows")
    for service in made:
        service.socket_connect_timeout = max(_CONNECT_S, service.socket_connect_timeout)
        service.socket_read_timeout = max(_ANSWER_S, service.socket_read_timeout)

    def send(title: str, body: str) -> bool:
        return bool(made.notify(title=title, body=body))

    return send
