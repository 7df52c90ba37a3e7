"""A live session: the same runtime as a backtest's, its events from a live feed, each on the tape before it is handled.

The rule: one queue, one consumer; what an operator wants (stop, kill, resume) comes through the same queue; whatever
ends the session, the tape holds all that was handled, so that the next start continues from it. It decides nothing.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from math import inf
from types import FrameType
from typing import Any

from app import times
from app.errors import DataError, first_cause
from app.feeds.base import QUEUE_BURSTS, EventQueue, Feed
from app.feeds.tape import Epoch, Tape
from app.models.events import EndOfData, Event, Stop
from app.models.market import Slice
from app.models.orders import Decision, Fill
from app.runs.recorder import RunRecorder
from app.runtime.digest import FIRST, digest_of
from app.runtime.runtime import TradingRuntime
from app.session.control import CommandWatch
from app.session.journal import Journal

_AT_ONCE = 130  # exit status of a second Ctrl-C
Observer = Callable[[Event, Sequence[Fill], Sequence[Decision]], None]


class ReplayError(DataError):
    """A recorded event is decided on differently by this code."""


@dataclass
class Books:
    """A runtime with its recorder, handling one event after the other; the digest of all that was decided."""

    runtime: TradingRuntime
    recorder: RunRecorder
    observer: Observer | None = None
    digest: str = FIRST
    last_seq: int = 0
    undecided: int | None = None  # the tape's last event, where the session broke off before it had decided on it

    async def handle(self, event: Event) -> str:
        """One event to its end, its rows to the kernel; the digest."""
        await self.runtime.handle((event,))
        fills, decisions = tuple(self.recorder.new_fills), tuple(self.recorder.decisions)
        self.digest = digest_of(self.digest, self.runtime, fills, decisions)
        self.recorder.flush()
        if self.observer is not None:
            self.observer(event, fills, decisions)
        return self.digest

    async def replay(self, recorded: Tape | Epoch, last_seq: int | None = None) -> None:
        """Every event of an epoch (of a tape that has but one), up to `last_seq`, each digest checked.

        ReplayError at the first that differs.
        """
        for record in recorded.records:
            if last_seq is not None and record.seq > last_seq:
                return
            self.runtime.ended = False  # where it was stopped with `on_stop: keep`, it went on
            digest = await self.handle(record.event)
            self.last_seq = record.seq
            self.undecided = record.seq if record.digest is None else None
            if record.digest is not None and record.digest != digest:
                raise ReplayError(
                    f"{recorded.folder}: event {record.seq} ({type(record.event).__name__}) was decided on differently "
                    f"when it was recorded ({record.digest}, now {digest}): the code, or what it uses, has changed"
                )


@dataclass
class LiveSession:
    """Runs until the feed ends (`finished`) or an operator stops it (`stopped`).

    `on_slow` hears of each event that took longer than `slow_s` of real time to handle. `first` comes before all
    others, `sift` says what an event of the feed is here, `state` is asked for what a later epoch would need.
    """

    feed: Feed
    books: Books
    journal: Journal
    watchers: Sequence[Callable[[EventQueue], Coroutine[Any, Any, None]]] = ()
    commands: CommandWatch | None = None
    slow_s: float = inf
    on_slow: Callable[[Event, float], None] | None = None
    first: Sequence[Event] = ()
    sift: Callable[[Event], Sequence[Event]] | None = None
    state: Callable[[int], bytes] | None = None
    last: Event | None = None
    _heard: list[signal.Signals] = field(default_factory=list)

    async def run(self) -> str:
        """A fault of the feed, the disk or a stage is raised, and nothing is traded after it.

        What was handled before is on the tape, with a digest for each event but the one at hand.
        """
        queue: EventQueue = asyncio.Queue(QUEUE_BURSTS)
        runtime = self.books.runtime
        try:
            if self.books.undecided is not None:
                # It has been now, by the replay: a tape whose session goes on has a digest for every event.
                self.journal.done(self.books.undecided, self.books.digest)
                self.books.undecided = None
            if self.state is not None:
                state = self.state(self.books.last_seq)
                if self.books.last_seq:
                    self.journal.keep_state(state)
            await self._obey_what_waited()
            async with asyncio.TaskGroup() as tasks:
                background = [tasks.create_task(self._feed(queue)), tasks.create_task(self.journal.keep_synced())]
                background += [tasks.create_task(watch(queue)) for watch in self.watchers]
                if self.commands is not None:
                    background.append(tasks.create_task(self.commands.watch(queue)))
                asked = asyncio.Event()
                background.append(tasks.create_task(self._stop(queue, asked, background[0])))
                with _stop_signals(asked, self._heard):
                    while not runtime.ended:
                        await self._handle(await queue.get())
                for task in background:
                    task.cancel()
        except BaseException as error:
            raise first_cause(error) from None
        return "stopped" if isinstance(self.last, Stop) else "finished"

    async def _obey_what_waited(self) -> None:
        """Commands that were given while nothing ran come before the first new slice."""
        for event in self.first:
            await self._handle_one(event)
        for command in () if self.commands is None else self.commands.waiting():
            await self._handle_one(command)

    async def _handle(self, events: Sequence[Event]) -> None:
        for event in events:
            for one in (event,) if self.sift is None else self.sift(event):
                if self.books.runtime.ended:
                    return
                await self._handle_one(one)

    async def _handle_one(self, event: Event) -> None:
        began_s = times.monotonic_s()
        seq = self.journal.write(event)
        self.journal.done(seq, await self.books.handle(event))
        self.last = event
        if self.state is not None and not (isinstance(event, Slice) and event.warmup):
            self.journal.keep_state(self.state(seq))
        if self.commands is not None:
            self.commands.handled(event)
        took_s = times.monotonic_s() - began_s
        if took_s > self.slow_s and self.on_slow is not None:
            self.on_slow(event, took_s)

    async def _stop(self, queue: EventQueue, asked: asyncio.Event, feeding: "asyncio.Task[None]") -> None:
        """An operator's stop, a command in the queue like any other; where the queue is full it waits, as they do."""
        await asked.wait()
        feeding.cancel()
        await queue.put((Stop(self._heard[0].name),))

    async def _feed(self, queue: EventQueue) -> None:
        await self.feed.run(queue)
        await queue.put((EndOfData(),))


@contextmanager
def _stop_signals(asked: asyncio.Event, heard: list[signal.Signals]) -> Iterator[None]:
    # The first Ctrl-C or SIGTERM asks for a stop; the second ends the process at once, also while a strategy holds up
    # the loop: the tape is in the kernel, and the next start continues from it.
    loop = asyncio.get_running_loop()
    before: dict[int, Any] = {}

    def hear(number: int, _: FrameType | None) -> None:
        if heard:
            os._exit(_AT_ONCE)
        heard.append(signal.Signals(number))
        loop.call_soon_threadsafe(asked.set)

    with suppress(ValueError):  # in a thread (a notebook) there are no signals to hear
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, hear)
    try:
        yield
    finally:
        for known, handler in before.items():
            signal.signal(known, handler)
