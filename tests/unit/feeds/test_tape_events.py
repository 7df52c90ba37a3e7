"""Events in blocks are those of the journal's records, on a whole tape and on a damaged one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import DataError
from app.feeds import tape_events
from app.feeds.tape import Tape, read_tape
from app.feeds.tape_events import event_blocks
from app.models.events import Event
from app.models.intents import Cancel, PlaceOrder
from app.session.journal import Journal
from tests.unit.session.test_journal import EVENTS

INTENTS = (PlaceOrder("tag1-1-1-e", 1, "A/B", True, 1.0, 5), Cancel("tag1-1-1-e", 1, "A/B", 6))
MANY = EVENTS[:-1] * 20 + EVENTS[-1:]


def written(folder: Path, last_is_decided: bool = True, epoch: int = 1) -> Path:
    tape = Journal(folder, {"epoch": epoch})
    for number, event in enumerate(MANY, 1):
        seq = tape.write(event)
        if number % 7 == 0:
            tape.intents(seq, INTENTS)
        if last_is_decided or number < len(MANY):
            tape.done(seq, "d" * 32)
    tape.close()
    return next((folder / "tape").glob("*.jsonl"))


def read(folder: Path) -> list[Event]:
    return [event for block in event_blocks(read_tape(folder)) for event in block]


@pytest.mark.parametrize("block_bytes", [100, 999, 1 << 20])
@pytest.mark.parametrize("last_is_decided", [True, False])
def test_all_events_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int, last_is_decided: bool
) -> None:
    monkeypatch.setattr(tape_events, "_BLOCK_BYTES", block_bytes)
    written(tmp_path, last_is_decided)
    monkeypatch.setattr(Tape, "records", property(lambda _: iter(())))  # the whole of it is read without them
    assert read(tmp_path) == MANY


@pytest.mark.parametrize("kept", [1, 20, 60, 200])
def test_a_tape_cut_by_a_crash_ends_there(tmp_path: Path, kept: int) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:-kept])
    records = list(read_tape(tmp_path).records)
    found = [record.event for record in records]
    assert records[6].intents == INTENTS
    assert read(tmp_path) == found and len(found) in (len(MANY), len(MANY) - 1, len(MANY) - 2)


def without_line(number: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        lines = data.splitlines(keepends=True)
        return b"".join(lines[:number] + lines[number + 1 :])

    return change


def flipped(place: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize("change", [flipped(3_000), flipped(9_005), without_line(41), without_line(80)])
@pytest.mark.parametrize("block_bytes", [999, 1 << 20])
def test_damage_is_refused_as_by_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[bytes], bytes], block_bytes: int
) -> None:
    monkeypatch.setattr(tape_events, "_BLOCK_BYTES", block_bytes)
    path = written(tmp_path)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DataError) as expected:
        list(read_tape(tmp_path).records)
    with pytest.raises(DataError) as found:
        read(tmp_path)
    assert str(found.value) == str(expected.value)
