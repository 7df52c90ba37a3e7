"""The tape: what is read back is what was written; a tail cut at any byte is the end, other damage is refused."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from app.errors import DataError, NewerFormatError, OutputError
from app.feeds.tape import Record, has_tape, read_tape
from app.models.events import EndOfData, Event, Kill, LateCandle, MarkedSlice, Resume, RevisedCandle, Stop
from app.session import journal
from app.session.journal import Journal
from app.session.state_file import read_states
from tests.made import candle, slice_of

EVENTS: list[Event] = [
    slice_of(candle(0.1 + 0.2, at=0), warmup=True),
    slice_of(candle(1e-9, at=1), candle(123456789.123, at=1, symbol="ÄÖ/USDT")),
    MarkedSlice(180_000, (candle(5.0, at=2),), False, late=True, stale=("ETH/USDT",)),
    LateCandle(candle(7.0, at=1)),
    RevisedCandle(candle(8.0, at=1)),
    Kill("drawdown\nin two lines"),
    Resume("seen to"),
    Stop("SIGTERM"),
    EndOfData(),
]


def written(folder: Path, count: int = len(EVENTS)) -> list[Record]:
    tape = Journal(folder, {"settings": {"a": 1}})
    records = []
    for event in EVENTS[:count]:
        seq = tape.write(event)
        tape.done(seq, f"{seq:016x}")
        records.append(Record(seq, event, f"{seq:016x}"))
    tape.close()
    return records


def segment(folder: Path, number: int = 1) -> Path:
    return folder / "tape" / f"{number:06}.jsonl"


def test_every_event_reads_back(tmp_path: Path) -> None:
    assert not has_tape(tmp_path)
    records = written(tmp_path)
    tape = read_tape(tmp_path)
    assert list(tape.records) == records
    assert [type(record.event) for record in tape.records] == [type(event) for event in EVENTS]
    assert tape.header == {"format": 3, "settings": {"a": 1}, "segment": 1}
    assert tape.torn_bytes == 0
    assert has_tape(tmp_path)


def test_an_event_is_in_the_kernel_before_its_digest_is(tmp_path: Path) -> None:
    tape = Journal(tmp_path, {})
    seq = tape.write(EVENTS[0])
    assert list(read_tape(tmp_path).records) == [Record(1, EVENTS[0], None)]
    tape.done(seq, "d" * 16)
    assert list(read_tape(tmp_path).records) == [Record(1, EVENTS[0], "d" * 16)]
    tape.close()


def test_a_tail_cut_at_any_byte_is_the_end_and_the_next_writer_goes_on(tmp_path: Path) -> None:
    records = written(tmp_path, 3)
    whole = segment(tmp_path).read_bytes()
    header_ends = whole.index(b"\n") + 1
    for cut in range(header_ends, len(whole)):
        segment(tmp_path).write_bytes(whole[:cut])
        tape = read_tape(tmp_path)
        left = list(tape.records)
        assert [record.event for record in left] == EVENTS[: len(left)]
        assert all(record.digest in (None, f"{record.seq:016x}") for record in left)
        assert tape.torn_bytes == len(whole[:cut]) - (whole[:cut].rfind(b"\n") + 1)
        resumed = Journal(tmp_path, tape.header, next_seq=len(left) + 1, resume=True)
        if left and left[-1].digest is None:
            resumed.done(left[-1].seq, f"{left[-1].seq:016x}")
        resumed.write(EVENTS[5])
        resumed.close()
        again = list(read_tape(tmp_path).records)
        assert again == [*records[: len(left)], Record(len(left) + 1, EVENTS[5], None)]
    assert len(records) == 3


def test_a_last_line_that_is_wrong_inside_is_torn_too(tmp_path: Path) -> None:
    written(tmp_path, 3)
    data = bytearray(segment(tmp_path).read_bytes())
    data[-5] ^= 1
    segment(tmp_path).write_bytes(bytes(data))
    tape = read_tape(tmp_path)
    assert list(tape.records)[-1].digest is None
    assert tape.torn_bytes > 0
    Journal(tmp_path, tape.header, next_seq=4, resume=True).close()
    assert read_tape(tmp_path).torn_bytes == 0


def test_damage_inside_is_refused(tmp_path: Path) -> None:
    written(tmp_path)
    whole = segment(tmp_path).read_bytes()
    for at in range(whole.index(b"\n") + 1, len(whole) - 60, 7):
        if whole[at : at + 1] == b"\n":
            continue
        damaged = bytearray(whole)
        damaged[at] ^= 1
        segment(tmp_path).write_bytes(bytes(damaged))
        with pytest.raises(DataError, match="is damaged"):
            list(read_tape(tmp_path).records)


def test_a_line_that_is_gone_is_missed(tmp_path: Path) -> None:
    written(tmp_path)
    lines = segment(tmp_path).read_bytes().splitlines(keepends=True)
    segment(tmp_path).write_bytes(b"".join(lines[:3] + lines[5:]))
    with pytest.raises(DataError, match="event 2 is missing, 3 follows"):
        list(read_tape(tmp_path).records)


def test_segments_follow_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_SEGMENT_BYTES", 500)
    records = written(tmp_path)
    assert segment(tmp_path, 3).exists()
    assert list(read_tape(tmp_path).records) == records
    segment(tmp_path, 2).write_bytes(segment(tmp_path, 2).read_bytes()[:-20])
    with pytest.raises(DataError, match=r"000002.jsonl is damaged"):
        list(read_tape(tmp_path).records)


def test_another_format_and_a_folder_without_a_tape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="holds no tape"):
        read_tape(tmp_path)
    monkeypatch.setattr(journal, "FORMAT", 4)
    written(tmp_path)
    monkeypatch.undo()
    with pytest.raises(NewerFormatError, match="has tape format 4, this Onetape reads up to 3"):
        read_tape(tmp_path)


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    tape = Journal(tmp_path, {})
    real, tape._descriptor = tape._descriptor, _full_disk()
    with pytest.raises(OutputError, match="No space left on device; nothing is traded without it"):
        tape.write(EVENTS[0])
    tape.close()
    tape._descriptor = real
    tape.close()


def _full_disk() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def epoch_on(folder: Path, count: int, after: int, number: int = 2) -> None:
    """A second epoch that goes on after event `after`, with `count` events."""
    tape = read_tape(folder)
    segments = sum(len(epoch.segments) for epoch in tape.epochs)
    next_seq = 1 + max(record.seq for record in tape.epochs[-1].all_records)
    header = {"epoch": number, "after": after, "state": {"a": number}}
    further = Journal(folder, header, next_seq=next_seq, segment=segments + 1)
    for event in EVENTS[:count]:
        further.done(further.write(event), "e" * 16)
    further.close()


def test_an_event_without_a_digest_is_the_last_one_or_the_tape_is_damaged(tmp_path: Path) -> None:
    tape = Journal(tmp_path, {})
    for event in EVENTS[:2]:
        tape.write(event)
    tape.close()
    with pytest.raises(DataError, match=r"000001.jsonl is damaged: event 1 has no digest, and 2 follows"):
        list(read_tape(tmp_path).records)


def test_a_digest_may_come_with_the_next_start(tmp_path: Path) -> None:
    tape = Journal(tmp_path, {})
    tape.write(EVENTS[0])
    tape.close()
    again = Journal(tmp_path, {}, next_seq=2, resume=True)
    again.done(1, "1" * 16)
    again.done(again.write(EVENTS[1]), "2" * 16)
    again.close()
    assert [record.digest for record in read_tape(tmp_path).records] == ["1" * 16, "2" * 16]


def test_format_1_left_digests_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "FORMAT", 1)
    tape = Journal(tmp_path, {})
    monkeypatch.undo()
    for event in EVENTS[:2]:
        tape.write(event)
    tape.close()
    assert [record.digest for record in read_tape(tmp_path).records] == [None, None]


@pytest.mark.parametrize("torn", [0, 20])
def test_an_epoch_is_a_segment_with_a_snapshot_and_what_came_after_it_does_not_count(tmp_path: Path, torn: int) -> None:
    records = written(tmp_path, 4)
    if torn:
        segment(tmp_path).write_bytes(segment(tmp_path).read_bytes()[:-torn])
    epoch_on(tmp_path, 2, after=3)
    tape = read_tape(tmp_path)
    assert [(epoch.number, epoch.first_seq, epoch.last_seq) for epoch in tape.epochs] == [(1, 1, 3), (2, 5, None)]
    assert list(tape.epochs[0].records) == records[:3]
    assert [record.seq for record in tape.epochs[0].all_records] == [1, 2, 3, 4]
    assert [record.seq for record in tape.records] == [1, 2, 3, 5, 6]
    assert tape.epochs[1].header["state"] == {"a": 2}
    assert tape.header["settings"] == {"a": 1}
    assert tape.torn_bytes == 0


def test_an_epoch_that_begins_once_more_takes_the_place_of_its_first_try(tmp_path: Path) -> None:
    written(tmp_path, 3)
    epoch_on(tmp_path, 2, after=3)
    again = Journal(tmp_path, {"epoch": 2, "after": 3}, next_seq=4, segment=2)
    again.done(again.write(EVENTS[6]), "f" * 16)
    again.close()
    assert [record.event for record in read_tape(tmp_path).epochs[1].records] == [EVENTS[6]]


def test_a_header_that_a_crash_cut_begins_no_epoch(tmp_path: Path) -> None:
    records = written(tmp_path, 3)
    epoch_on(tmp_path, 0, after=3)
    segment(tmp_path, 2).write_bytes(segment(tmp_path, 2).read_bytes()[:-9])
    tape = read_tape(tmp_path)
    assert [epoch.number for epoch in tape.epochs] == [1]
    assert list(tape.records) == records
    resumed = Journal(tmp_path, tape.header, next_seq=4, resume=True)
    resumed.done(resumed.write(EVENTS[3]), "4" * 16)
    resumed.close()
    assert [record.seq for record in read_tape(tmp_path).records] == [1, 2, 3, 4]


def test_segments_of_an_epoch_belong_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_SEGMENT_BYTES", 500)
    written(tmp_path, 5)
    epoch_on(tmp_path, 5, after=5)
    tape = read_tape(tmp_path)
    assert len(tape.epochs) == 2
    assert all(len(epoch.segments) > 1 for epoch in tape.epochs)
    assert [record.seq for record in tape.records] == list(range(1, 11))


def test_the_hash_is_over_headers_and_events_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "a")
    monkeypatch.setattr(journal, "_SEGMENT_BYTES", 500)
    written(tmp_path / "b")
    one, other = read_tape(tmp_path / "a"), read_tape(tmp_path / "b")
    assert one.sha256(9) == other.sha256(9) != one.sha256(8)
    before = one.sha256(8)
    epoch_on(tmp_path / "a", 1, after=9)
    assert read_tape(tmp_path / "a").sha256(8) == before
    assert len({read_tape(tmp_path / "a").sha256(seq) for seq in range(11)}) == 11


def test_the_state_lies_beside_the_tape(tmp_path: Path) -> None:
    tape = Journal(tmp_path, {})
    tape.keep_state(b"one")
    tape.keep_state(b"two")
    tape.close()
    assert sorted(read_states(tmp_path / "tape")) == [b"one", b"two"]


async def test_a_segment_that_ends_while_it_is_synced_disturbs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sync in its thread comes exactly after the segment was closed, and before there is another."""
    monkeypatch.setattr(journal, "_SYNC_S", 0.0)
    begun, closed, tried, again = (threading.Event() for _ in range(4))
    sync, close = os.fsync, os.close

    def fsync(descriptor: int) -> None:
        if threading.current_thread() is threading.main_thread():
            return sync(descriptor)
        if tried.is_set():
            again.set()
            return sync(descriptor)
        begun.set()
        assert closed.wait(30)
        try:
            return sync(descriptor)
        finally:
            tried.set()

    def close_slowly(descriptor: int) -> None:
        close(descriptor)
        if threading.current_thread() is threading.main_thread():
            closed.set()
            assert tried.wait(30)

    tape = Journal(tmp_path, {})
    tape.write(EVENTS[0])
    monkeypatch.setattr(os, "fsync", fsync)
    keeping = asyncio.create_task(tape.keep_synced())
    assert await asyncio.to_thread(begun.wait, 30)
    monkeypatch.setattr(journal, "_SEGMENT_BYTES", 1)
    monkeypatch.setattr(os, "close", close_slowly)
    tape.done(1, "1" * 16)
    tape.write(EVENTS[1])  # into another segment
    while not again.is_set():
        assert not keeping.done(), keeping.exception()
        await asyncio.sleep(0)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    tape.close()
    assert [record.event for record in read_tape(tmp_path).records] == EVENTS[:2]
