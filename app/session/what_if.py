"""`--mode backtest --tape RUN --set KEY=VALUE`: what a recorded session would have done under other settings.

The recorded events go through a runtime of these settings: candles as they came, late or not, and the operator's
commands at their places. Fills are on paper; those of real orders hold as long as these settings decide the same.
Checksums and numbers of the events are checked; digests of decisions are not, because others are asked for. The result
says in its manifest, its note and its results that no session did this.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from app import times
from app.errors import ConfigError
from app.feeds.tape import Epoch, Tape, read_tape
from app.models.events import EndOfData
from app.runs.run_folder import RunFolder, write_json
from app.runs.run_inputs import is_for_any_settings
from app.session.backtest import BacktestResults
from app.session.building import OrderNames
from app.session.epochs import plan_of_epoch
from app.session.period import Period
from app.session.plan import RunPlan
from app.session.real_fills import RealFills, real_fills_of
from app.session.recorded_runtime import RecordedRuntime
from app.session.view import SessionView
from app.settings.profile import Settings, load_settings
from app.strategies.loader import check_settings, startup_candles
from app.times import iso_ms

_SAME = ("exchange", "symbols", "timeframe", "feed")  # what the events of a tape cannot be asked to be otherwise


@dataclass
class WhatIfRunner:
    """`overrides` are laid over the settings of the tape's last epoch, and hold from its first event on."""

    run: Path
    overrides: Sequence[str]
    out: Path | None = None
    last_seq: int | None = None
    tell: Callable[[str], None] | None = None

    async def run_async(self) -> BacktestResults:
        """To the tape's end; what is open there is closed. ConfigError for settings that the events cannot serve."""
        tape = read_tape(self.run)
        plan = self._plan(tape)
        trades = tape.header["trades"]
        with RunFolder.claim(f"{trades}_what_if", self.out) as claimed:
            return await self._replay(tape, plan, RunFolder(claimed.folder, trades))

    def _plan(self, tape: Tape) -> RunPlan:
        last = tape.epochs[-1]
        recorded = load_settings(last.header["settings"])
        settings = load_settings(recorded, self.overrides)
        self._refuse_what_is_recorded(recorded, settings)
        self._refuse_other_symbols(tape)
        strategies = check_settings(settings)
        asked, held = startup_candles(settings, strategies), tape.header["warmup"]
        if asked > held:
            raise ConfigError(
                f"these settings ask for {asked:,} warm-up candles, the tape of {self.run} holds {held:,}: "
                f"--set live.startup_candles={held}, or a backtest over the cache"
            )
        plan, _ = plan_of_epoch(tape, tape.epochs[0], self.run, mode="backtest")
        note = f"what if: the tape of {self.run} with {', '.join(self.overrides)}; no session did this"
        return replace(
            plan, settings=settings, strategies=strategies, epochs=(), orders=None,
            period=Period(plan.period.start_ms, plan.period.end_ms, note),
        )  # fmt: skip

    def _refuse_what_is_recorded(self, recorded: Settings, settings: Settings) -> None:
        for name in _SAME:
            if getattr(recorded.live, name) != getattr(settings.live, name):
                raise ConfigError(
                    f"live.{name} cannot be otherwise in the tape of {self.run}: its events are recorded; "
                    "a backtest over the cache can have others"
                )

    def _refuse_other_symbols(self, tape: Tape) -> None:
        first, *later = ((one.number, one.header["settings"]["live"]["symbols"]) for one in tape.epochs)
        for number, symbols in later:
            if symbols != first[1]:
                raise ConfigError(
                    f"epoch {number} of {self.run} had the symbols {', '.join(symbols)}, epoch {first[0]} "
                    f"{', '.join(first[1])}: one set of settings cannot hear both; a backtest over the cache can"
                )

    async def _replay(self, tape: Tape, plan: RunPlan, folder: RunFolder) -> BacktestResults:
        began_s = times.monotonic_s()
        real = await real_fills_of(tape, plan, self.last_seq)
        if real is not None:
            self._tell_of(real)
        filled = (
            plan if real is None else replace(plan, orders=OrderNames(real.tag, 1), paper_from_ms=real.paper_from_ms)
        )
        view = SessionView(plan, folder, RecordedRuntime.build(filled, folder))
        try:
            last_seq = await self._handle_all(tape.epochs, view, real)
            view.recorded.recorder.finish()
        finally:
            view.recorded.recorder.close()
        results = self._finish(tape, view, last_seq, real)
        return BacktestResults(results, folder.folder, times.monotonic_s() - began_s)

    async def _handle_all(self, epochs: Sequence[Epoch], view: SessionView, real: RealFills | None) -> int:
        recorded, seq, real_until = view.recorded, 0, 0 if real is None else real.until_seq
        for epoch in epochs:
            for record in epoch.records:
                if self.last_seq is not None and record.seq > self.last_seq:
                    break
                seq = record.seq
                if seq <= real_until:
                    recorded.go_on()
                    await recorded.handle(record.event)
                elif is_for_any_settings(record.event, epoch.number):
                    recorded.go_on()
                    for part in recorded.runtime.parts_of((record.event,)):
                        for event in part:
                            if not recorded.runtime.ended:
                                await recorded.handle(event)
        if not recorded.runtime.ended and (real is None or real.paper_from_ms is not None):
            await recorded.handle(EndOfData())  # an exchange alone closes what it holds
        return seq

    def _finish(self, tape: Tape, view: SessionView, last_seq: int, real: RealFills | None) -> dict[str, Any]:
        plan, folder = view.plan, view.folder
        what_if = list(self.overrides)
        ended = replace(
            plan,
            period=replace(plan.period, end_ms=view.last_close_ms or plan.period.start_ms),
            tape={
                "run": str(self.run),
                "sha256": tape.sha256(last_seq),
                "last_seq": last_seq,
                "what_if": what_if,
                **({} if real is None else {"real_fills": asdict(real)}),
            },
        )
        series, recorded = list(view.coverage.series.values()), view.recorded
        results = ended.results("finished", plan.period.note, series, recorded.runtime, recorded.recorder, folder)
        results["what_if"] = {"run": str(self.run), "changed": what_if}
        if real is not None:
            from_ms = real.paper_from_ms
            results["what_if"]["paper_from"] = None if from_ms is None else iso_ms(from_ms)
        write_json(folder.manifest, ended.manifest(folder))
        write_json(folder.results, results)
        return results

    def _tell_of(self, real: RealFills) -> None:
        if self.tell is not None and real.paper_from_ms is None:
            self.tell("these settings decide what the session decided: all fills are the exchange's own")
        elif self.tell is not None:
            self.tell(
                f"fills are the exchange's up to event {real.until_seq}; from the slice that closes at "
                f"{iso_ms(real.paper_from_ms or 0)} on, where decisions part from the session's, they are on paper"
            )
