"""A runtime with its recorder and the digest of all that it decided: what a session runs, and what replays a tape.

`RecordedRuntime.build` makes it for a plan, new or from the state of a session.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import DataError
from app.models.events import Event
from app.models.intents import Cancel, Intent, PlaceOco
from app.models.orders import Decision, Fill
from app.runs.recorder import LogLengths, RunRecorder
from app.runs.run_folder import RunFolder
from app.runtime.digest import FIRST, digest_of
from app.runtime.runtime import TradingRuntime
from app.session.building import build_runtime
from app.session.plan import RunPlan

if TYPE_CHECKING:
    from app.feeds.tape import Epoch, Tape
    from app.session.state import SessionState

Observer = Callable[[Event, Sequence[Fill], Sequence[Decision]], None]


class ReplayError(DataError):
    """A recorded event is decided on differently by this code."""


@dataclass
class RecordedRuntime:
    """Handles one event after the other; `observer` hears of each with what came of it."""

    runtime: TradingRuntime
    recorder: RunRecorder
    observer: Observer | None = None
    digest: str = FIRST
    last_seq: int = 0
    undecided: int | None = None  # the tape's last event, where the session broke off before it had decided on it
    intents: tuple[Intent, ...] = ()  # of the newest event
    unwritten: bool = False  # those of the undecided event are not on the tape

    @classmethod
    def build(
        cls, plan: RunPlan, folder: RunFolder, state: "SessionState | None" = None, kept: LogLengths | None = None
    ) -> "RecordedRuntime":
        """For a plan, with files in `folder`; one that goes on from `state` knows all that was decided before.

        `kept`: how much of the files that are there stays; otherwise they begin anew.
        """
        recorder = plan.recorder(folder, kept=kept)
        try:
            runtime = build_runtime(
                plan.settings, plan.strategies, recorder, None if state is None else state.runtime,
                orders=plan.orders, paper_from_ms=plan.paper_from_ms,
            )  # fmt: skip
            if state is None:
                return cls(runtime, recorder)
            from app.session.state import restore_totals  # a backtest does without

            restore_totals(state.totals, recorder)
            return cls(runtime, recorder, digest=state.digest)
        except BaseException:
            recorder.close()
            raise

    @classmethod
    def continued(cls, plan: RunPlan, folder: RunFolder, state: "SessionState | None") -> "RecordedRuntime":
        """From a state, in the files that are there."""
        return cls.build(plan, folder, state, None if state is None else state.logs)

    @classmethod
    async def verify(cls, plan: RunPlan, folder: RunFolder, epoch: "Epoch", state: "SessionState | None") -> None:
        """Replays an epoch into files of its own: a tape that is refused leaves the session's files as they were."""
        with tempfile.TemporaryDirectory() as temporary:
            recorded = cls.build(plan, RunFolder(Path(temporary), folder.trades.stem), state)
            try:
                await recorded.replay(epoch)
            finally:
                recorded.recorder.close()

    async def handle(self, event: Event) -> str:
        """One event to its end, its rows to the kernel; the digest."""
        await self.runtime.handle((event,))
        fills, decisions = tuple(self.recorder.new_fills), tuple(self.recorder.decisions)
        self.intents = self.runtime.broker.take_intents()
        self.digest = digest_of(self.digest, self.runtime, fills, decisions, self.intents)
        self.recorder.flush()
        if self.observer is not None:
            self.observer(event, fills, decisions)
        return self.digest

    async def replay(self, recorded: "Tape | Epoch", last_seq: int | None = None) -> None:
        """Every event of an epoch (of a tape that has but one), up to `last_seq`, each digest checked.

        ReplayError at the first that differs.
        """
        for record in recorded.records:
            if last_seq is not None and record.seq > last_seq:
                return
            self.go_on()
            digest = await self.handle(record.event)
            self.last_seq = record.seq
            self.undecided = record.seq if record.digest is None else None
            self.unwritten = record.digest is None and not record.intents
            if not self.unwritten and record.intents != self.intents:
                raise ReplayError(
                    f"{recorded.folder}: event {record.seq} ({type(record.event).__name__}) led to other orders when "
                    f"it was recorded ({_told(record.intents)}, now {_told(self.intents)}): the code, or what it uses, "
                    "has changed"
                )
            if record.digest is not None and record.digest != digest:
                raise ReplayError(
                    f"{recorded.folder}: event {record.seq} ({type(record.event).__name__}) was decided on differently "
                    f"when it was recorded ({record.digest}, now {digest}): the code, or what it uses, has changed"
                )

    def go_on(self) -> None:
        """After an end that was none: a stop with `on_stop: keep`, or one before all was closed."""
        self.runtime.ended, self.runtime.gave_up = False, None

    def never_sent(self) -> set[str]:
        """Client ids of orders that the undecided event led to: an order is sent once the digest is on the disk."""
        placed = [one for one in self.intents if not isinstance(one, Cancel)] if self.undecided is not None else []
        lists = [one for one in placed if isinstance(one, PlaceOco)]
        return {one.client_id for one in placed} | {leg for one in lists for leg in (one.target_id, one.stop_id)}


def _told(intents: Sequence[Intent]) -> str:
    return ", ".join(f"{type(one).__name__} {one.client_id}" for one in intents) or "none"
