"""What is needed to run a recorded run again: its settings, its strategy, and its events from tape or cache.

The events are the run's own, in their order, or there are none; a session that still runs is read as far as its tape
goes. It runs nothing and writes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.candles.cache import CandleCache
from app.errors import DataError
from app.feeds.tape import Epoch, Tape, candles_of, has_tape, read_tape
from app.models.events import EndOfData, Event, LateCandle
from app.models.market import Candle, Slice
from app.runs.manifest import code_sha256
from app.runs.reader import Run
from app.runs.run_inputs import Inputs, inputs_of, named, replayed_tape
from app.session.building import OrderNames
from app.session.epochs import orders_of, state_of
from app.session.state import SessionState
from app.settings.profile import Settings, load_settings
from app.strategies.loader import LoadedStrategies, check_settings
from app.times import iso_ms, timeframe_ms


@dataclass(frozen=True)
class Source:
    """A run that can be run again; `about` is its manifest, or the header of its tape."""

    folder: Path
    settings: Settings
    strategies: LoadedStrategies
    about: Mapping[str, Any]
    recorded: Epoch | Inputs
    last_seq: int | None = None
    orders: OrderNames | None = None  # of a session whose orders are real: an exchange filled them, no simulator
    paper_from_ms: int | None = None  # of a what-if of one: from that slice on the simulator did

    @property
    def state(self) -> SessionState | None:
        """What it goes on from, if it is a later epoch of a session."""
        return state_of(self.recorded) if isinstance(self.recorded, Epoch) else None

    def events(self) -> Iterator[Event]:
        """All of them, from the start each time; the end of the data last, where it is not on the tape already."""
        if isinstance(self.recorded, Epoch):
            for record in self.recorded.records:
                if self.last_seq is not None and record.seq > self.last_seq:
                    break
                yield record.event
        else:
            yield from self.recorded.events()
        yield EndOfData()

    @property
    def may_be_late(self) -> bool:
        """Whether candles may come after their slice."""
        return isinstance(self.recorded, Epoch) or self.recorded.candles is None


def source_of(folder: Path, caches: Sequence[CandleCache], time_ms: int | None = None) -> Source:
    """What is needed to run it again, of several epochs the one that `time_ms` lies in; DataError if it is gone."""
    if has_tape(folder):
        return _of_tape(folder, read_tape(folder), time_ms, None)
    run = Run.open(folder)
    if run.tape is not None and run.what_if is None:
        return _of_tape(folder, read_tape(replayed_tape(run)), time_ms, run.tape_last_seq)
    inputs = inputs_of(run, caches)
    if not inputs.are_known:
        raise DataError(f"{folder}: it has no tape and names neither one nor candles; run it again")
    if inputs.candles is not None and inputs.candles.lost:
        raise DataError(
            f"{folder}: candles of it are in no cache under the hash of its manifest: {named(inputs.candles.lost)}; "
            "--cache names another"
        )
    return _source(folder, run.manifest, inputs)


def source_of_epoch(folder: Path, epoch: Epoch) -> Source:
    """The same for an epoch that was chosen already."""
    return _source(folder, epoch.header, epoch)


def candle_of(event: Event, symbol: str) -> Candle | None:
    """The symbol's candle in an event."""
    return next((candle for candle in candles_of(event) if candle.symbol == symbol), None)


def changes(source: Source) -> list[str]:
    """What is not as it was when the run was made, so that this may not be what happened."""
    found = []
    if source.about.get("strategy_sha256") != source.strategies.source_sha256:
        found.append("the strategy's file has changed since the run: this is what it would do now")
    if source.about.get("code_sha256") != code_sha256():
        found.append("the code of Onetape has changed since the run: this is what it would do now")
    return found


def find(source: Source, symbol: str, time_ms: int) -> int:
    """The number of the event to look at: the slice that closes at a time or contains it, or, where that one went
    without the symbol, its candle that came late. DataError where there is no such slice.
    """
    length_ms = timeframe_ms(source.settings.live.timeframe)
    slice_number: int | None = None
    before_ms: int | None = None
    for number, event in enumerate(source.events()):
        candle = candle_of(event, symbol)
        if slice_number is None and isinstance(event, Slice):
            if event.close_time_ms - length_ms > time_ms:
                raise _nothing_there(source, time_ms, before_ms, event.close_time_ms)
            before_ms = event.close_time_ms
            if event.close_time_ms < time_ms:
                continue
            slice_number = number
            if candle is not None or not source.may_be_late:
                return number
        elif (
            isinstance(event, LateCandle)
            and candle is not None
            and candle.open_time_ms < time_ms <= candle.close_time_ms
        ):
            return number
    if slice_number is None:
        raise _nothing_there(source, time_ms, before_ms, None)
    return slice_number


def _of_tape(folder: Path, tape: Tape, time_ms: int | None, last_seq: int | None) -> Source:
    chosen = tape.epochs[0]
    for epoch in tape.epochs[1:]:
        state = epoch.header["state"]
        if time_ms is not None and state["last_close_ms"] < time_ms and not _is_beyond(epoch, last_seq):
            chosen = epoch
    return _source(folder, chosen.header, chosen, last_seq)


def _is_beyond(epoch: Epoch, last_seq: int | None) -> bool:
    return last_seq is not None and epoch.first_seq > last_seq


def _source(folder: Path, about: Mapping[str, Any], recorded: Epoch | Inputs, last_seq: int | None = None) -> Source:
    settings = load_settings(about["settings"])
    source = Source(folder, settings, check_settings(settings), about, recorded, last_seq)
    if isinstance(recorded, Epoch):
        return replace(source, orders=orders_of(recorded))
    real = recorded.run.real_fills
    return (
        source
        if real is None
        else replace(source, orders=OrderNames(real["tag"], 1), paper_from_ms=real["paper_from_ms"])
    )


def _nothing_there(source: Source, time_ms: int, before_ms: int | None, after_ms: int | None) -> DataError:
    around = [
        f"the one {where} closes {iso_ms(close_ms)}"
        for where, close_ms in (("before", before_ms), ("after", after_ms))
        if close_ms is not None
    ]
    there = " and ".join(around) or "it has no slice at all"
    return DataError(f"{source.folder}: no slice closes at {iso_ms(time_ms)} or contains it; {there}")
