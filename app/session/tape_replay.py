"""`--mode backtest --tape RUN`: a recorded session through the same runtime again, every digest checked.

Settings come from the tape, the files are those of any run. It gives the session's trade log byte for byte, or names
the first event that was decided on differently. Each epoch begins with its own state; where this code decides an
earlier epoch differently, its rows are copied from the session, and that is said.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app import times
from app.feeds.tape import Epoch, Tape, read_tape
from app.models.events import EndOfData
from app.runs.recorder import LogLengths
from app.runs.run_folder import RunFolder, write_json
from app.session.backtest import BacktestResults
from app.session.epochs import plan_of_epoch, refuse_other_logs, state_of
from app.session.period import Period
from app.session.plan import RunPlan
from app.session.recorded_runtime import RecordedRuntime, ReplayError
from app.session.state import SessionState, copy_logs
from app.session.view import SessionView


@dataclass
class TapeRunner:
    """Replays the tape of a run folder into another one, as far as `last_seq` (None: to its end)."""

    run: Path
    out: Path | None = None
    last_seq: int | None = None
    tell: Callable[[str], None] | None = None

    async def run_async(self) -> BacktestResults:
        """To its end; a tape that was never ended is flattened there."""
        tape = read_tape(self.run)
        trades = tape.header["trades"]
        with RunFolder.claim(f"{trades}_tape", self.out) as claimed:
            return await self._replay(tape, RunFolder(claimed.folder, trades))

    async def _replay(self, tape: Tape, folder: RunFolder) -> BacktestResults:
        began_s = times.monotonic_s()
        copied: list[int] = []
        kept: LogLengths | None = None
        epochs = [one for one in tape.epochs if self.last_seq is None or one.first_seq <= max(self.last_seq, 1)]
        for epoch, following in zip(epochs, [*epochs[1:], None], strict=True):
            view = self._view(tape, epoch, folder, kept)
            recorded = view.recorded
            try:
                await recorded.replay(epoch, self.last_seq)
                kept = recorded.recorder.lengths()
                if following is None:
                    if not recorded.runtime.ended and view.plan.orders is None:  # an exchange alone closes real ones
                        await recorded.handle(EndOfData())
                    recorded.recorder.finish()
            except ReplayError as error:
                if following is None:
                    raise ReplayError(f"{error}{_of_epoch(tape, epoch)}") from error
                kept = self._take_rows(epoch, following, folder, error)
                copied.append(epoch.number)
            finally:
                recorded.recorder.close()
        if recorded.undecided is not None:
            self._say(f"event {recorded.undecided}, the last, had not been decided on when the session broke off")
        results = self._finish(tape, view, copied)
        return BacktestResults(results, folder.folder, times.monotonic_s() - began_s)

    def _view(self, tape: Tape, epoch: Epoch, folder: RunFolder, kept: LogLengths | None) -> SessionView:
        state = state_of(epoch)
        plan, _ = plan_of_epoch(tape, epoch, self.run, mode="backtest")
        view = SessionView(plan, folder, RecordedRuntime.build(plan, folder, state, kept))
        view.recall(state)
        return view

    def _take_rows(self, epoch: Epoch, following: Epoch, folder: RunFolder, error: ReplayError) -> LogLengths:
        state: SessionState | None = state_of(following)
        if state is None:
            raise error
        own = RunFolder(self.run, folder.trades.stem)
        refuse_other_logs(own, following, state.logs)
        copy_logs(state.logs, own, folder)
        self._say(f"epoch {epoch.number} was decided by other code: its rows are the session's own ({error})")
        return state.logs

    def _finish(self, tape: Tape, view: SessionView, copied: list[int]) -> dict[str, Any]:
        plan, recorded, folder = view.plan, view.recorded, view.folder
        note = f"the tape of {self.run}"
        ended: RunPlan = replace(
            plan,
            period=Period(plan.period.start_ms, view.last_close_ms or plan.period.start_ms, note),
            epochs=[{**one, "replayed": one["number"] not in copied} for one in plan.epochs],
            tape={
                "run": str(self.run),
                "sha256": tape.sha256(recorded.last_seq),
                "last_seq": recorded.last_seq,
            },
        )
        series = list(view.coverage.series.values())
        results = ended.results("finished", note, series, recorded.runtime, recorded.recorder, folder)
        results |= view.real_orders()
        write_json(folder.manifest, ended.manifest(folder))
        write_json(folder.results, results)
        return results

    def _say(self, text: str) -> None:
        if self.tell is not None:
            self.tell(text)


def _of_epoch(tape: Tape, epoch: Epoch) -> str:
    return f" since epoch {epoch.number} began" if len(tape.epochs) > 1 else ""
