"""What a finished run was fed: the events of its tape, or the candles that its manifest's hashes lead to.

A month of candles is the run's only if its hash is the one in the manifest, in whichever of the caches it lies; what
is not found is said and never replaced by something near it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.candles.cache import CandleCache
from app.candles.manifest_candles import ManifestCandles, Series
from app.errors import DataError
from app.feeds.replay import ReplayFeed
from app.feeds.tape import has_tape, read_tape
from app.models.events import AccountSnapshot, Event, Execution, GiveUp, Reallocate
from app.models.market import Slice
from app.runs.reader import Run
from app.settings.profile import Settings, load_settings
from app.strategies.loader import check_settings, startup_candles

_OF_DECISIONS = (Execution, AccountSnapshot, GiveUp, Reallocate)


def is_for_any_settings(event: Event, epoch: int) -> bool:
    """Whether a runtime of other settings hears a tape's event, too: not what came of the session's own decisions, nor
    the warm-up that a later epoch began with.
    """
    return not isinstance(event, _OF_DECISIONS) and (epoch == 1 or not _is_warmup(event))


def _is_warmup(event: Event) -> bool:
    return isinstance(event, Slice) and event.warmup


@dataclass(frozen=True)
class Inputs:
    """Where a run's events come from; `candles` is None for one that was fed by the tape of `place`."""

    run: Run
    candles: ManifestCandles | None
    place: Path | None = None

    @property
    def are_known(self) -> bool:
        """Whether there is a tape, or month files are named."""
        return self.candles is None or bool(self.candles.hashes)

    def events(self) -> Iterator[Event]:
        """In their order, warm-up first; that of a later epoch brings nothing new and is left out."""
        if self.candles is None:
            tape, last_seq = read_tape(self.place or self.run.folder), self.run.tape_last_seq
            is_what_if, real_until = self.run.what_if is not None, (self.run.real_fills or {}).get("until_seq", 0)
            for epoch in tape.epochs:
                for record in epoch.records:
                    if last_seq is not None and record.seq > last_seq:
                        return
                    if is_what_if and record.seq > real_until and not is_for_any_settings(record.event, epoch.number):
                        continue
                    if epoch.number == 1 or not _is_warmup(record.event):
                        yield record.event
        else:
            for burst in self.bursts():
                yield from burst

    def bursts(self) -> Iterator[Sequence[Event]]:
        """The same in bursts, as fast as they can be had."""
        if self.candles is None:
            for event in self.events():
                yield (event,)
            return
        run, (start_ms, end_ms) = self.run, self.run.period_ms
        feed = ReplayFeed(
            self.candles.of_session(run.timeframe, end_ms),
            run.symbols,
            run.timeframe,
            warmup_start_ms=start_ms - warmup_of(run) * run.length_ms,
            start_ms=start_ms,
            end_ms=end_ms,
        )
        slices: Iterator[Sequence[Slice]] = feed.bursts()
        yield from slices


def inputs_of(run: Run, caches: Sequence[CandleCache]) -> Inputs:
    """The run's tape, the tape that it replayed, or the candles of its manifest from these caches."""
    if run.is_live:
        return Inputs(run, None)
    if run.tape is not None:
        return Inputs(run, None, replayed_tape(run))
    return Inputs(run, ManifestCandles(run.manifest["data"], caches))


def replayed_tape(run: Run) -> Path:
    """The run folder whose tape a run replayed; DataError if it is gone, or another one by now."""
    about = run.tape
    if about is None:
        raise DataError(f"{run.folder} has replayed no tape")
    place = Path(about["run"])
    if not has_tape(place):
        raise DataError(f"{run.folder} is a replay of the tape of {place}, which is not there any more")
    if read_tape(place).sha256(about["last_seq"]) != about["sha256"]:
        raise DataError(f"{run.folder} is a replay of the tape of {place}, which is another one now")
    return place


def settings_of(run: Run) -> Settings:
    """The manifest's settings, validated; ConfigError where this version cannot run them."""
    return load_settings(run.settings)


def warmup_of(run: Run) -> int:
    """Warm-up in candles of the session; `auto` asks the strategy."""
    configured = run.settings["live"]["startup_candles"]
    if isinstance(configured, int):
        return configured
    settings = settings_of(run)
    return startup_candles(settings, check_settings(settings))


def named(series: Sequence[Series]) -> str:
    """Month files in words."""
    shown = ", ".join(" ".join(one) for one in series[:3])
    return f"{shown} and {len(series) - 3} more" if len(series) > 3 else shown
