"""Latency, for `make bench`: from the last frame that completes a slice to the end of the decision on it, tape written.

A paper session of eight symbols in this process, over real sockets, against a testnet in a process of its own. Prints a
Markdown table: the whole, and where the time goes. Asserts nothing.
"""

import argparse
import asyncio
import functools
import gc
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

from app.feeds.websocket import WebsocketFeed
from app.models.events import MarkedSlice
from app.models.market import Slice
from app.session.journal import Journal
from app.session.paper import PaperRunner
from app.session.recorded_runtime import RecordedRuntime
from app.session.session import Session
from tests.fetching import running_testnet
from tests.soak.session import START, SYMBOLS, write_profile

_TARGET_MS = 5.0
_SKIPPED = 20  # the first slices import and fill caches
_PARTS = ("feed", "queue", "tape", "runtime", "rest")


@dataclass
class Probe:
    """Moments of each slice, by its close time, from the outside of the parts that it passes."""

    link_s: list[float] = field(default_factory=list)
    totals_s: list[float] = field(default_factory=list)
    parts_s: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in _PARTS})
    collections_s: list[float] = field(default_factory=list)
    passed_over: int = 0
    _message_s: float = 0.0
    _arrived_s: dict[int, float] = field(default_factory=dict)
    _messages_s: dict[int, float] = field(default_factory=dict)
    _left_s: dict[int, float] = field(default_factory=dict)
    _spent_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While the block lasts, the session's parts are wrapped."""
        client = import_module("ccxt.async_support.base.ws.client").Client  # not to be had by `import a.b.c`

        with ExitStack() as stack:

            def before(target: Any, name: str, note: Callable[..., None]) -> None:
                original = getattr(target, name)

                @functools.wraps(original)
                def wrapped(owner: Any, *args: Any) -> Any:
                    note(*args)
                    return original(owner, *args)

                stack.enter_context(patch.object(target, name, wrapped))

            before(client, "handle_text_or_binary_message", self._note_message)
            before(WebsocketFeed, "_take_frame", self._note_frame)
            before(WebsocketFeed, "_count", self._note_leaving)
            for name in ("write", "done"):
                stack.enter_context(patch.object(Journal, name, self._timed("tape", getattr(Journal, name))))
            stack.enter_context(
                patch.object(RecordedRuntime, "handle", self._timed_async("runtime", RecordedRuntime.handle))
            )
            stack.enter_context(patch.object(Session, "_handle_one", self._noted(Session._handle_one)))
            gc.callbacks.append(self._note_collection)
            try:
                yield
            finally:
                gc.callbacks.remove(self._note_collection)

    def _note_message(self, _: Any) -> None:
        self._message_s = time.perf_counter()

    def _note_frame(self, frame: Any) -> None:
        if frame.closed:
            close_ms = frame.candle.close_time_ms
            self._messages_s[close_ms], self._arrived_s[close_ms] = self._message_s, time.perf_counter()

    def _note_leaving(self, event: Any, _: Any) -> None:
        if isinstance(event, Slice):
            self._left_s[event.close_time_ms] = time.perf_counter()

    def _note_collection(self, phase: str, _: Any) -> None:
        if phase == "start":
            self._collecting_s = time.perf_counter()
        else:
            if self.totals_s:  # not those of the start-up, which imports
                self.collections_s.append(time.perf_counter() - self._collecting_s)

    def _timed(self, part: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any) -> Any:
            began_s = time.perf_counter()
            try:
                return original(*args)
            finally:
                self._spent_s[part] = self._spent_s.get(part, 0.0) + time.perf_counter() - began_s

        return timed

    def _timed_async(self, part: str, original: Callable[..., Any]) -> Callable[..., Any]:
        async def timed(*args: Any) -> Any:
            began_s = time.perf_counter()
            try:
                return await original(*args)
            finally:
                self._spent_s[part] = self._spent_s.get(part, 0.0) + time.perf_counter() - began_s

        return timed

    def _noted(self, original: Callable[..., Any]) -> Callable[..., Any]:
        async def noted(session: Session, journal: Journal, event: Any) -> None:
            self._spent_s.clear()
            began_s = time.perf_counter()
            await original(session, journal, event)
            self._note_handled(event, began_s, time.perf_counter())

        return noted

    def _note_handled(self, event: Any, began_s: float, ended_s: float) -> None:
        if not isinstance(event, Slice) or event.warmup:
            return
        arrived_s = self._arrived_s.pop(event.close_time_ms, None)
        left_s = self._left_s.pop(event.close_time_ms)
        whole = arrived_s is not None and arrived_s <= left_s and len(event.candles) == len(SYMBOLS)
        if arrived_s is None or not whole or (isinstance(event, MarkedSlice) and event.late):
            self.passed_over += 1  # REST had a part in it
            return
        self.totals_s.append(ended_s - arrived_s)
        self.link_s.append(arrived_s - self._messages_s.pop(event.close_time_ms))
        tape_s, runtime_s = self._spent_s["tape"], self._spent_s["runtime"]
        rest_s = ended_s - began_s - tape_s - runtime_s
        for name, value in zip(_PARTS, (left_s - arrived_s, began_s - left_s, tape_s, runtime_s, rest_s), strict=True):
            self.parts_s[name].append(value)


def main() -> None:
    """Run the session and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=1_000)
    parser.add_argument("--speed", type=float, default=600.0, help="times real time")
    parser.add_argument("--realtime", action="store_true", help="nobody else may take the core (Linux, as root)")
    args = parser.parse_args()
    if args.realtime:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(5))
    probe = Probe()
    words = ("--generate", "7", "--symbols", ",".join(SYMBOLS), "--start", START, "--speed", args.speed, "--no-limit")
    with tempfile.TemporaryDirectory() as name, running_testnet(*words) as url:
        asyncio.run(_trade(probe, Path(name), url, args.slices))
    _print(probe, args.slices, args.speed)


async def _trade(probe: Probe, folder: Path, url: str, slices: int) -> None:
    enough = slices + _SKIPPED

    def stop_when_enough(*_: Any) -> None:
        if len(probe.totals_s) >= enough:
            trading.cancel()

    runner = PaperRunner(
        write_profile(folder), cache=folder / "cache", out=folder / "run", exchange_url=url, on_event=stop_when_enough
    )
    with probe.watching():
        trading = asyncio.create_task(runner.run_async())
        await asyncio.gather(trading, return_exceptions=True)
    if not trading.cancelled():
        trading.result()


def _print(probe: Probe, slices: int, speed: float) -> None:
    rows = [
        ("**last frame -> decided, tape written**", probe.totals_s),
        *((f"of it {name}", probe.parts_s[name]) for name in _PARTS),
        ("before it: ccxt, from the message to the feed", probe.link_s),
    ]
    print(f"Latency of {slices:,} slices, {len(SYMBOLS)} symbols, at {speed:g} times real time, ms\n")
    print("| | p50 | p90 | p99 | max |\n|---|---|---|---|---|")
    for name, values_s in rows:
        kept = values_s[_SKIPPED:]
        cells = (*(_quantile(kept, part) for part in (0.5, 0.9, 0.99)), max(kept))
        print(f"| {name} | {' | '.join(f'{value * 1000:.2f}' for value in cells)} |")
    p99_ms = _quantile(probe.totals_s[_SKIPPED:], 0.99) * 1000
    verdict = "met" if p99_ms < _TARGET_MS else "MISSED"
    print(f"\nTarget p99 < {_TARGET_MS:g} ms: {verdict}; {probe.passed_over} slices in which REST had a part left out.")
    longest_ms = max(probe.collections_s, default=0.0) * 1000
    print(f"Garbage collections meanwhile: {len(probe.collections_s)}, the longest {longest_ms:.1f} ms.")
    preempted = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
    print(f"Others took the core {preempted:,} times; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.")


def _quantile(values: Sequence[float], part: float) -> float:
    return statistics.quantiles(values, n=1000, method="inclusive")[round(part * 1000) - 1]


if __name__ == "__main__":
    main()
