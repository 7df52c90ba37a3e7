"""A session: events from the queue to the runtime, until the feed ends or an operator stops it.

Without a journal (a backtest) a burst at a time. With one, event by event: each is on the tape before it is handled,
its digest after it, so that the next start continues from there, whatever ended the session.
"""

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from math import inf
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from app import times
from app.errors import first_cause
from app.feeds.base import QUEUE_BURSTS, EventQueue, Feed
from app.models.events import EndOfData, Event, GiveUp, Stop
from app.models.market import Slice
from app.runs.run_folder import writing
from app.session.recorded_runtime import RecordedRuntime

if TYPE_CHECKING:
    from app.models.intents import Intent
    from app.session.control import CommandWatch
    from app.session.journal import Journal

_LOOK_S = 0.1  # whether a stop may come
_AT_ONCE = 130  # exit status of a second Ctrl-C where there is a journal
Result = TypeVar("Result")


class Desk(Protocol):
    """Where the intents of real orders go, once they are on the disk; what becomes of them it puts into the queue."""

    def send(self, intents: "Sequence[Intent]") -> None:
        """In their order, without waiting here."""

    async def run(self, queue: EventQueue) -> None:
        """Until cancelled."""


@dataclass
class Session:
    """`feed` is the only part that knows whether this is history.

    With a journal: `watchers` run beside it, `first` comes before all other events, `sift` says what an event of the
    feed is here, `state` is asked for what a later epoch would need, and `on_slow` hears of each event that took longer
    than `slow_s` of real time to handle. `desk`: where its orders are real; then a stop
    waits until `may_stop`.
    """

    feed: Feed
    recorded: RecordedRuntime
    journal: "Journal | None" = None
    hears_signals: bool = True  # not a trial among many: Ctrl-C is meant for all of them
    watchers: Sequence[Callable[[EventQueue], Coroutine[Any, Any, None]]] = ()
    commands: "CommandWatch | None" = None
    slow_s: float = inf
    on_slow: Callable[[Event, float], None] | None = None
    on_handled: Callable[[float], None] | None = None  # hears how many seconds each event took
    first: Sequence[Event] = ()
    sift: Callable[[Event], Sequence[Event]] | None = None
    state: Callable[[int], bytes] | None = None
    desk: Desk | None = None
    may_stop: Callable[[], bool] | None = None
    closing_s: float = 60.0  # how long a broker that answers later may take until all is flat at the end
    _is_stopped: bool = False

    async def run(self) -> str:
        """Until the end of the data (`finished`) or an operator's stop (`stopped`), and until all is closed.

        `gave_up`: a broker did not close what was open in `closing_s`; what is left is in the account.

        A fault of the feed, the disk or a stage is raised, and nothing is traded after it. Without a journal the files
        are completed first; with one, all that was handled is on the tape, with a digest for each event but the last.
        """
        queue: EventQueue = asyncio.Queue(QUEUE_BURSTS)
        try:
            if self.journal is None:
                try:
                    with _rare_garbage_collection():
                        await self._consume(queue, self._handle_burst)
                finally:
                    with writing(self.recorded.recorder.trade_log.path.parent):
                        self.recorded.recorder.finish()
            else:
                await self._go_on(self.journal)
                beside = [self.journal.keep_synced(), *(watch(queue) for watch in self.watchers)]
                beside += [] if self.desk is None else [self.desk.run(queue)]
                await self._consume(queue, partial(self._handle_events, self.journal), beside)
        except BaseException as error:
            raise first_cause(error) from None
        if self.recorded.runtime.gave_up is not None:
            return "gave_up"
        return "stopped" if self._is_stopped else "finished"

    async def _consume(
        self,
        queue: EventQueue,
        handle: Callable[[Sequence[Event]], Coroutine[Any, Any, None]],
        beside: Sequence[Coroutine[Any, Any, None]] = (),
    ) -> None:
        runtime, asked = self.recorded.runtime, asyncio.Queue[Stop]()
        async with asyncio.TaskGroup() as tasks:
            feeding = tasks.create_task(self._feed(queue))
            background = [feeding, *map(tasks.create_task, beside)]
            if self.commands is not None:
                background.append(tasks.create_task(self.commands.watch(queue, asked)))
            background.append(tasks.create_task(self._stop(queue, asked, feeding)))
            closing: asyncio.Task[None] | None = None
            with _stop_signals(asked, self.journal is not None) if self.hears_signals else nullcontext():
                while not runtime.ended:
                    await handle(await queue.get())
                    if runtime.ending is not None and not runtime.ended and closing is None:
                        closing = tasks.create_task(self._give_up(queue))
                        background.append(closing)
            for task in background:
                task.cancel()

    async def _handle_burst(self, events: Sequence[Event]) -> None:
        runtime = self.recorded.runtime
        for part in runtime.parts_of(events):
            if not runtime.ended:
                await runtime.handle(part)
        self.recorded.recorder.flush_if_full()
        self._is_stopped |= isinstance(events[-1], Stop)

    async def _go_on(self, journal: "Journal") -> None:
        """What a replay of the tape left to do, and commands that were given while nothing ran."""
        recorded = self.recorded
        if recorded.undecided is not None:
            # It has been now, by the replay: a tape whose session goes on has a digest for every event.
            if recorded.unwritten and recorded.intents:
                journal.intents(recorded.undecided, recorded.intents)
            journal.done(recorded.undecided, recorded.digest)
            recorded.undecided = None
        if self.state is not None:
            state = self.state(recorded.last_seq)
            if recorded.last_seq:
                journal.keep_state(state)
        for event in (*self.first, *(() if self.commands is None else self.commands.waiting())):
            await self._handle_one(journal, event)

    async def _handle_events(self, journal: "Journal", events: Sequence[Event]) -> None:
        for event in events:
            for own in (event,) if self.sift is None else self.sift(event):
                for one in chain.from_iterable(self.recorded.runtime.parts_of((own,))):
                    if self.recorded.runtime.ended:
                        return
                    await self._handle_one(journal, one)

    async def _handle_one(self, journal: "Journal", event: Event) -> None:
        began_s = times.monotonic_s()
        if self.commands is not None:
            self.commands.comes(event, self.recorded.runtime.account)
        seq = journal.write(event)
        digest = await self.recorded.handle(event)
        intents = self.recorded.intents
        if intents:
            journal.intents(seq, intents)
        journal.done(seq, digest)
        self._is_stopped |= isinstance(event, Stop)
        if self.state is not None and not (isinstance(event, Slice) and event.warmup):
            journal.keep_state(self.state(seq))
        if intents and self.desk is not None:
            await journal.sync()
            self.desk.send(intents)
        if self.commands is not None:
            self.commands.handled(event)
        took_s = times.monotonic_s() - began_s
        if self.on_handled is not None:
            self.on_handled(took_s)
        if took_s > self.slow_s and self.on_slow is not None:
            self.on_slow(event, took_s)

    async def _give_up(self, queue: EventQueue) -> None:
        await asyncio.sleep(self.closing_s)
        await queue.put((GiveUp(f"not everything was closed within {self.closing_s:g} s"),))

    async def _stop(self, queue: EventQueue, asked: asyncio.Queue[Stop], feeding: "asyncio.Task[None]") -> None:
        """An operator's stop becomes a command in the queue like any other.

        The feed ends first: one that is always ready would keep the queue full and the command out of it.
        """
        stop = await asked.get()
        feeding.cancel()
        if self.may_stop is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.closing_s):
                    while not self.may_stop():
                        await asyncio.sleep(_LOOK_S)
        await queue.put((stop,))

    async def _feed(self, queue: EventQueue) -> None:
        await self.feed.run(queue)
        await queue.put((EndOfData(),))


@contextmanager
def _stop_signals(asked: asyncio.Queue[Stop], has_tape: bool) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM asks for a stop; the second ends the run at once, also while a strategy blocks it.

    With a tape it ends the process: the tape is in the kernel, and the next start continues from it. Without one it is
    a KeyboardInterrupt, so that files are closed.
    """
    loop = asyncio.get_running_loop()
    heard: list[int] = []
    before: dict[int, Any] = {}

    def hear(number: int, _: FrameType | None) -> None:
        heard.append(number)
        if len(heard) == 1:
            loop.call_soon_threadsafe(asked.put_nowait, Stop(signal.Signals(number).name))
        elif has_tape:
            os._exit(_AT_ONCE)
        else:
            raise KeyboardInterrupt

    with suppress(ValueError):  # in a thread (a notebook) there are no signals to hear
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, hear)
    try:
        yield
    finally:
        for known, handler in before.items():
            signal.signal(known, signal.SIG_DFL if handler is None else handler)


@contextmanager
def _rare_garbage_collection() -> Iterator[None]:
    # What flows through the queue has no cycles and is freed by counting; the collector would look at every
    # tuple of every candle for nothing. It still runs, a hundred times less often.
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def outside_of_a_loop(work: Callable[[], Result]) -> Result:
    """What `work` gives, which may call asyncio.run(): inside a running loop (a notebook) in a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    results: list[Result] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, name="onetape")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]
