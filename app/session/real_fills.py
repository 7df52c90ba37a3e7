"""How far a what-if of a session with real orders may use what the exchange did: as far as it decides the same.

The recorded events go through an exchange broker of the other settings until a digest, or what was to be sent, differs
from the recorded one. What the exchange did after that answers orders that these settings would not have placed.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from app.feeds.tape import Epoch, Record, Tape
from app.models.market import Slice
from app.runs.run_folder import RunFolder
from app.session.epochs import orders_of
from app.session.plan import RunPlan
from app.session.recorded_runtime import RecordedRuntime


@dataclass(frozen=True)
class RealFills:
    """Executions up to event `until_seq` of the session `tag` are used; from the slice that closes at `paper_from_ms`
    on fills are on paper, None: the settings decide what was decided, to the end.
    """

    tag: str
    until_seq: int
    paper_from_ms: int | None


async def real_fills_of(tape: Tape, plan: RunPlan, last_seq: int | None) -> RealFills | None:
    """For the plan of a what-if; None for a session on paper. A later epoch is always on paper: it began with the
    orders that its own decisions had left.
    """
    first = tape.epochs[0]
    orders = orders_of(first)
    if orders is None:
        return None
    until_seq, is_parted = await _same_until(first, replace(plan, orders=orders), last_seq)
    if not is_parted and len(tape.epochs) == 1:
        return RealFills(orders.tag, until_seq, None)
    close_ms = plan.period.start_ms
    for record in _records(tape, last_seq):
        if isinstance(record.event, Slice) and not record.event.warmup:
            close_ms = record.event.close_time_ms
            if record.seq > until_seq:
                break
    return RealFills(orders.tag, until_seq, close_ms)


async def _same_until(epoch: Epoch, plan: RunPlan, last_seq: int | None) -> tuple[int, bool]:
    """The last event that is the session's own, and whether another decision follows. What is decided otherwise on a
    slice is so from that slice on; on another event from the next slice on.
    """
    seq = 0
    with tempfile.TemporaryDirectory() as temporary:
        recorded = RecordedRuntime.build(plan, RunFolder(Path(temporary), "real_fills"))
        try:
            for record in epoch.records:
                if last_seq is not None and record.seq > last_seq:
                    break
                recorded.go_on()
                digest = await recorded.handle(record.event)
                if record.digest is not None and (digest, recorded.intents) != (record.digest, record.intents):
                    return (seq if isinstance(record.event, Slice) else record.seq), True
                seq = record.seq
        finally:
            recorded.recorder.close()
    return seq, False


def _records(tape: Tape, last_seq: int | None) -> Iterator[Record]:
    for epoch in tape.epochs:
        for record in epoch.records:
            if last_seq is not None and record.seq > last_seq:
                return
            yield record
