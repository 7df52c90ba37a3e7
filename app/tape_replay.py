"""`--mode backtest --tape RUN`: a recorded session through the same runtime again, every digest checked.

The rule: settings come from the tape, the files are those of any run; the tape of a session gives its trade log byte
for byte, or the first event that was decided on differently is named.
"""

from dataclasses import dataclass
from pathlib import Path

from app.backtest import BacktestResults
from app.models import EndOfData
from app.paper import plan_of_tape
from app.reporting.run_folder import RunFolder, write_json
from app.run_plan import RunPlan
from app.runtime import clock
from app.runtime.journal import read_tape
from app.runtime.live_session import Books
from app.runtime.period import Period
from app.runtime.session import build_runtime
from app.session_view import SessionView


@dataclass
class TapeRunner:
    """Replays the tape of a run folder into another one."""

    run: Path
    out: Path | None = None

    async def run_async(self) -> BacktestResults:
        """To its end; a tape that was never ended is flattened there."""
        tape = read_tape(self.run)
        plan, recorded = plan_of_tape(tape, self.run)
        made = RunFolder.create(f"{recorded.trades.stem}_tape", self.out)
        folder = RunFolder(made.folder, recorded.trades.stem)
        recorder = plan.recorder(folder)
        books = Books(build_runtime(plan.settings, plan.strategy, recorder), recorder)
        view = SessionView(plan, folder, books)
        began_s = clock.monotonic_s()
        try:
            await books.replay(tape)
            if not books.runtime.ended:
                await books.handle(EndOfData())
            recorder.finish()
        finally:
            recorder.close()
        note = f"the tape of {self.run}"
        ended = RunPlan(
            plan.settings,
            plan.strategy,
            Period(plan.period.start_ms, view.last_close_ms or plan.period.start_ms, note),
            plan.warmup,
            plan.warmup_start_ms,
        )
        series = list(view.coverage.series.values())
        results = ended.results("finished", note, series, books.runtime, recorder, folder)
        write_json(folder.manifest, ended.manifest(folder))
        write_json(folder.results, results)
        return BacktestResults(results, folder.folder, clock.monotonic_s() - began_s)
