"""Paper sessions without a socket: real runtime, tape and files; the feed is a script of events and of things to do.

The rule: a script's events go into the queue in its order; a function in it is called when its turn comes. As a program
(`python -m tests.live_sessions RUN`) it trades until somebody ends it, with a strategy that blocks when told to.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.feeds.base import EventQueue
from app.feeds.tape import read_tape
from app.feeds.websocket import LinkState
from app.models.events import Event
from app.models.market import Candle
from app.runs.run_folder import RunFolder, owned
from app.session.building import OrderNames
from app.session.control import CommandWatch
from app.session.journal import Journal
from app.session.period import Period
from app.session.plan import RunPlan
from app.session.recorded_runtime import RecordedRuntime
from app.session.session import Session
from app.session.view import SessionView
from app.settings.profile import load_settings
from app.strategies.base import FLAT, Signal, Strategy, View, long
from app.strategies.loader import check_settings
from tests.candle_columns import MINUTE_MS
from tests.golden.make_tape import CONFIG, COUNT, START_MS, WARMUP, events

NAME = "paper_test"
OPEN_AFTER = 45  # so many events of the market, and a position is open
Step = Event | Callable[[], object]


@dataclass
class Live:
    """One session and all that belongs to it."""

    plan: RunPlan
    folder: RunFolder
    recorded: RecordedRuntime
    view: SessionView
    journal: Journal
    session: Session | None = None
    results: Mapping[str, Any] = field(default_factory=dict)

    @property
    def run_folder(self) -> Path:
        """RUN."""
        return self.folder.folder

    @property
    def trades(self) -> str:
        """The trade log."""
        return self.folder.trades.read_text()

    def taped(self) -> list[Event]:
        """The events of the tape."""
        return [record.event for record in read_tape(self.run_folder).records]

    async def run(self, *steps: Step, commands: CommandWatch | None = None, **session: Any) -> str:
        """Trade the script, then close the tape; the session's status."""
        self.session = Session(Script(steps), self.recorded, self.journal, commands=commands, **session)
        try:
            status = await asyncio.wait_for(self.session.run(), 300)
            self.results = self.view.finish(status)
            return status
        finally:
            self.close()

    def close(self) -> None:
        """Every file."""
        self.journal.close()
        self.recorded.recorder.close()


class Script:
    """A feed that puts events and does what else is in the script; a step that returns True lets it wait for ever."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = steps

    async def run(self, queue: EventQueue) -> None:
        """The Feed protocol."""
        for step in self.steps:
            if callable(step):
                while queue.qsize():
                    await asyncio.sleep(0)
                answer = step()
                if asyncio.iscoroutine(answer):
                    await answer
                if answer is True:
                    await asyncio.Event().wait()
            else:
                await queue.put((step,))


def wait_for_ever() -> bool:
    """The last step of a session that somebody else ends."""
    return True


def live(
    run: Path,
    *overrides: str,
    config: dict[str, Any] | None = None,
    again: bool = False,
    orders: OrderNames | None = None,
) -> Live:
    """A new session of the golden market in `run`; `again`: the tape there is replayed by the test, and continued."""
    settings = load_settings(config or CONFIG, overrides)
    strategy = check_settings(settings)
    period = Period(START_MS, START_MS + COUNT * MINUTE_MS, "a test")
    mode = "paper" if orders is None else "live"
    plan = RunPlan(settings, strategy, period, WARMUP, START_MS - WARMUP * MINUTE_MS, mode=mode, orders=orders)
    run.mkdir(parents=True, exist_ok=True)
    folder = RunFolder(run, NAME)
    recorded = RecordedRuntime.build(plan, folder)
    next_seq = 1 + len(list(read_tape(run).records)) if again else 1
    journal = Journal(run, header_of(plan), next_seq=next_seq, resume=again)
    return Live(plan, folder, recorded, SessionView(plan, folder, recorded), journal)


def header_of(plan: RunPlan) -> dict[str, Any]:
    """What a replay needs of a header."""
    return {
        "settings": plan.settings.model_dump(mode="json"),
        "start_ms": plan.period.start_ms,
        "warmup": plan.warmup,
        "warmup_start_ms": plan.warmup_start_ms,
        "trades": NAME,
        **({} if plan.orders is None else {"mode": "live", "tag": plan.orders.tag}),
    }


def market() -> list[Event]:
    """Warm-up and forty minutes of two symbols, with all that can be late, and a kill and a resume."""
    return events()


def link(**changes: Any) -> LinkState:
    """A feed that is up."""
    state = LinkState(connected=True, connections=1, frames=10, lag_ms=42)
    for name, value in changes.items():
        setattr(state, name, value)
    return state


class Blocks(Strategy):
    """Opens a position at once, and blocks the whole process with the sixth candle of the run."""

    def __init__(self) -> None:
        self.count = 0

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        """As long as it takes."""
        import time

        self.count += 1
        if self.count == WARMUP + 6:
            print("blocked", flush=True)
            time.sleep(600)
        return long(stop=candle.close / 2, target=candle.close * 50) if view.position is None else FLAT


BLOCKING: dict[str, Any] = {
    **CONFIG,
    "live": {**CONFIG["live"], "strategy": {"name": "tests.live_sessions:Blocks"}},
}


def main() -> None:
    """Trade until somebody ends it."""
    run = Path(sys.argv[1])
    made = live(run, config=BLOCKING)
    with owned(run):
        asyncio.run(made.run(*market(), wait_for_ever))


if __name__ == "__main__":
    main()
