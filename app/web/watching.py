"""Watches sessions from outside: looks once a second, decides on alerts, and hands them to the sender.

It is a process of its own, so it also tells of a session that was killed or hangs; it writes RUN/alerts.json and
RUN/expectation.json alone. A machine that slept is no dead session: after a gap in its own looks it waits before it
judges ages.
"""

import http.client
import os
import shutil
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app import times
from app.candles.locks import read_owner, try_lock
from app.errors import OnetapeError, OutputError
from app.runs.run_folder import ALERTS, LOCK, RESULTS, SIGNALS, is_owned
from app.session.control import STATUS, read_status
from app.settings.alerts import AlertSettings
from app.times import DAY_MS
from app.web.alert_sender import AlertQueue, AlertSender
from app.web.alerts import Alerts
from app.web.conditions import DONE, Seen
from app.web.expecting import keep_expectation
from app.web.tails import RowTail

_ONE = ".alerts"
_ASLEEP_S = 15.0  # between two looks: the machine slept, or this process was stopped
_PING_PATIENCE_S = 10.0
_FRESH_S = 30.0  # of a status that speaks for a living session


class WatchedSession:
    """One session's folder; only one process at a time may tell of it."""

    def __init__(self, run: Path, wanted: AlertSettings) -> None:
        self.run = run
        self.queue = AlertQueue(run / ALERTS, f"Onetape {run.resolve().name}")
        self._wanted = wanted
        self._alerts = Alerts(wanted, self.queue.file.memory)
        self._fills: RowTail | None = None
        self._rows = 0
        self._expected: dict[str, Any] = {}
        self._expected_day: int | None = None
        self._is_fresh = self._has_seen_results = False
        self._descriptor = _claim(run)

    def look(self, now_s: float, *, is_awake: bool = True) -> bool:
        """Once; whether something is to be told. Files that cannot be read now are read the next time."""
        seen = self._seen()
        self._has_seen_results = seen.is_finished and not seen.is_running
        self._is_fresh = seen.age_s is not None and seen.age_s <= _FRESH_S
        owner = _owner(self.run) if seen.is_running else None
        told = self.queue.add(lambda: [*self._alerts.look(seen, owner, now_s, is_awake=is_awake), *self._new_fills()])
        return told > 0

    @property
    def is_well(self) -> bool:
        """Whether the heartbeat may be pinged: it runs and writes, and nothing that was told still lasts."""
        is_calm = not any(one.told_s is not None for one in self.queue.file.memory.lasting.values())
        return is_calm and self._is_fresh and is_owned(self.run)

    @property
    def is_over(self) -> bool:
        """Whether it ended in good order, so that nothing is expected of it."""
        return not is_owned(self.run) and (self.queue.file.memory.ended in DONE or (self.run / RESULTS).exists())

    @property
    def is_finished(self) -> bool:
        """Whether a look saw that nothing more will happen, and all was told."""
        return self._has_seen_results and not self.queue.file.waiting

    @property
    def has_told_its_end(self) -> bool:
        """Of a session whose process is gone: that it ended in good order, or that it was told of."""
        if self.queue.file.waiting:
            return False
        lasting = self.queue.file.memory.lasting.get("dead")
        is_told = lasting is not None and lasting.told_s is not None
        has_ended = self._has_seen_results or self.queue.file.memory.ended in DONE
        return has_ended or is_told or (self._wanted.heartbeat_s is None and not is_owned(self.run))

    def close(self) -> None:
        """Another may tell of it."""
        self.queue.add(list)
        os.close(self._descriptor)

    def _seen(self) -> Seen:
        status: dict[str, Any] = {}
        age_s, free_mib = None, float("inf")
        is_running = is_owned(self.run)  # first: what is read of one that is gone is its last word
        try:
            free_mib = shutil.disk_usage(self.run).free / 2**20
            status = read_status(self.run)
            age_s = max(0.0, times.now_ms() / 1000.0 - (self.run / STATUS).stat().st_mtime)
        except (OnetapeError, OSError):
            pass
        return Seen(
            status=status,
            age_s=age_s,
            candle_age_s=None,
            is_running=is_running,
            is_finished=(self.run / RESULTS).exists(),
            free_mib=free_mib,
            expectation=self._expectation(status.get("last_slice_ms")),
        )

    def _expectation(self, last_ms: int | None) -> dict[str, Any]:
        """Renewed once a UTC day, of what was written by its end; a fault of it is told as what it is."""
        if last_ms is None:
            return self._expected
        day = last_ms // DAY_MS
        if day == self._expected_day:
            return self._expected
        self._expected_day = day
        try:
            self._expected = keep_expectation(self.run, self._wanted)
        except (OnetapeError, OSError) as error:
            self._expected = {"outside": True, "why": f"its expectation cannot be judged: {error}"}
        return self._expected

    def _new_fills(self) -> list[Any]:
        if not self._wanted.fills:
            return []
        if self._fills is None:
            path = next((one for one in sorted(self.run.glob("*.csv")) if one.name != SIGNALS), None)
            if path is None:
                return []
            self._fills = RowTail(path, tail_bytes=1 << 40)
        is_anew, rows = self._fills.read()
        self._rows = len(rows) + (0 if is_anew else self._rows)
        return list(self._alerts.fills(rows, self._rows))


def watch(
    sessions: Sequence[WatchedSession],
    sender: AlertSender,
    goes_on: Callable[[], bool],
    pause: Callable[[float], object],
    ping: Callable[[], None] | None = None,
    ping_s: float = 60.0,
) -> None:
    """Until `goes_on` says no: a look at each once a second."""
    for session in sessions:
        sender.follow(session.queue)
    looked_ms, awake_s, pinged_s = times.now_ms(), float("-inf"), float("-inf")
    while goes_on():
        now_ms, now_s = times.now_ms(), times.monotonic_s()
        if abs(now_ms - looked_ms) > _ASLEEP_S * 1000.0:
            awake_s = now_s + _ASLEEP_S
        looked_ms = now_ms
        told = [session.look(now_s, is_awake=now_s >= awake_s) for session in sessions]
        if any(told):
            sender.wake()
        expected = [session for session in sessions if not session.is_over]
        is_well = bool(expected) and all(session.is_well for session in expected)
        if ping is not None and now_s - pinged_s >= ping_s and is_well:
            pinged_s = now_s
            ping()
        pause(1.0)


def ping_of(url: str, tell: Callable[[str], None]) -> Callable[[], None]:
    """A GET of a heartbeat address on a thread of its own; a failure is told once, without the address."""
    import threading

    state = {"is_failing": False, "is_busy": False}

    def get() -> None:
        try:
            with urllib.request.urlopen(url, timeout=_PING_PATIENCE_S) as answer:  # noqa: S310 - the user's own address
                answer.read(100)
            state["is_failing"] = False
        except (OSError, ValueError, http.client.HTTPException) as error:
            if not state["is_failing"]:
                tell(f"the heartbeat address does not answer ({type(error).__name__})")
            state["is_failing"] = True
        finally:
            state["is_busy"] = False

    def ping() -> None:
        if not state["is_busy"]:
            state["is_busy"] = True
            threading.Thread(target=get, name="heartbeat", daemon=True).start()

    return ping


def _claim(run: Path) -> int:
    try:
        descriptor = os.open(run / _ONE, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise OutputError(f"{run / _ONE} cannot be written: {error.strerror or error}") from error
    if not try_lock(descriptor):
        os.close(descriptor)
        raise OutputError(f"{run} is watched by another process already")
    return descriptor


def _owner(run: Path) -> str | None:
    try:
        descriptor = os.open(run / LOCK, os.O_RDONLY)
    except OSError:
        return None
    try:
        owner, began_ns = read_owner(descriptor), os.fstat(descriptor).st_mtime_ns
    finally:
        os.close(descriptor)
    return None if owner == "?" else f"{owner} {began_ns}"  # in a container each has the same number
