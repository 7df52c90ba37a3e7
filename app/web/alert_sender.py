"""Sends alerts by Apprise, in their order, on a thread of its own: again after a failure, never beside each other.

What waits lies in the queue's file before it is tried and leaves it only when it was delivered, so none is lost over a
restart; one may come twice if the process dies between the delivery and its note. Addresses appear in no message.
"""

import logging
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
Send = Callable[[str, str], bool]


class AlertFile(msgspec.Struct):
    """RUN/alerts.json: what was told already, and what waits."""

    memory: AlertMemory = msgspec.field(default_factory=AlertMemory)
    waiting: list[Alert] = msgspec.field(default_factory=list)
    sent: int = 0
    failed: int = 0  # given up after many tries, or too many waited

    @classmethod
    def read(cls, path: Path) -> "AlertFile":
        """As it was left; a new one where there is none, or it cannot be read."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError):
            return cls()


class AlertQueue:
    """The alerts of one session, in its folder."""

    def __init__(self, path: Path, title: str) -> None:
        self.path, self.title = path, title
        self.file = AlertFile.read(path)
        self.fault = ""  # why the file could not be written, or the last try failed
        self._lock = threading.Lock()
        self._written = b""

    def add(self, alerts: Sequence[Alert]) -> None:
        """Put behind what waits, with all that led to them, before anything is tried."""
        with self._lock:
            self.file.waiting += alerts
            too_many = len(self.file.waiting) - _WAITING_MOST
            if too_many > 0:
                del self.file.waiting[:too_many]
                self.file.failed += too_many
            self._write()

    def send(self, send: Send) -> bool | None:
        """Tries all that waits as one message; None where nothing does."""
        with self._lock:
            together = self.file.waiting[:_LINES]
            more = len(self.file.waiting) - len(together)
        if not together:
            return None
        lines = [alert.text for alert in together] + ([f"and {more} more"] if more else [])
        delivered = send(self.title, "\n".join(lines))
        if delivered:
            self._done(len(together), sent=True)
        return delivered

    def give_up(self) -> None:
        """What was tried too often is dropped, and counted."""
        self._done(len(self.file.waiting[:_LINES]), sent=False)

    def _done(self, count: int, *, sent: bool) -> None:
        with self._lock:
            del self.file.waiting[:count]
            if sent:
                self.file.sent += count
            else:
                self.file.failed += count
            self._write()

    def _write(self) -> None:
        """Whole or as it was, if there is anything new."""
        content = msgspec.json.encode(self.file)
        if content == self._written:
            return
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        try:
            temporary.write_bytes(content)
            temporary.replace(self.path)
            self._written, self.fault = content, ""
        except OSError as error:
            self.fault = f"{self.path} cannot be written: {error.strerror or error}"


class AlertSender:
    """One thread for all queues. `tell` hears, in words without an address, when a service begins or ceases to fail."""

    def __init__(self, send: Send, tell: Callable[[str], None], first_s: float = _FIRST_S) -> None:
        self._send, self._tell, self._first_s = send, tell, first_s
        self._queues: list[AlertQueue] = []
        self._work = threading.Event()
        self._is_closing = False
        self._tries = 0
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._thread.start()

    def follow(self, queue: AlertQueue) -> None:
        """Send what comes into this queue, too."""
        self._queues.append(queue)
        self._work.set()

    def wake(self) -> None:
        """Something was added."""
        self._work.set()

    def close(self, patience_s: float) -> None:
        """Tries what waits for so long; what is left is in the files."""
        self._is_closing = True
        self._work.set()
        self._thread.join(patience_s)

    def _run(self) -> None:
        while True:
            was_closing = self._is_closing
            results = [self._tried(queue) for queue in list(self._queues)]
            if False in results:
                if was_closing:
                    return  # it waits in its file
                self._pause()
            elif not any(results):
                if self._is_closing:
                    return
                self._work.wait(1.0)
                self._work.clear()

    def _tried(self, queue: AlertQueue) -> bool | None:
        try:
            delivered = queue.send(self._send)
        except Exception as error:  # of a service's own code; nothing of it may end the thread, or name an address
            queue.fault, delivered = type(error).__name__, False
        if delivered and self._tries:
            self._tell(f"alerts are delivered again, after {self._tries} failures")
        if delivered is False:
            if not self._tries:
                self._tell("an alert was not delivered; it is tried again")
            if self._tries >= _TRIES:
                queue.give_up()
        self._tries = 0 if delivered else self._tries + (delivered is False)
        return delivered

    def _pause(self) -> None:
        wait_s = min(_LONGEST_S, self._first_s * 2.0 ** min(self._tries - 1, 16))
        end_s = times.monotonic_s() + wait_s
        # New alerts do not make a failing service be asked sooner; closing does.
        while not self._is_closing and times.monotonic_s() < end_s:
            self._work.wait(min(0.2, wait_s))
            self._work.clear()


def apprise_send(urls: Sequence[str]) -> Send:
    """ValueError, without the address, where Apprise does not know one of them."""
    import apprise

    logging.getLogger("apprise").disabled = True  # its lines have addresses
    made: Any = apprise.Apprise()
    for number, url in enumerate(urls, start=1):
        if not made.add(url):
            raise ValueError(f"address {number} of {len(urls)} is none that Apprise knows")

    def send(title: str, body: str) -> bool:
        return bool(made.notify(title=title, body=body))

    return send
