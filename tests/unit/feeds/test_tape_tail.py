"""The end of a tape: each event once, whatever is cut, damaged, or in another segment."""

from pathlib import Path

import pytest

from app.feeds.tape import segments_of
from app.feeds.tape_tail import TapeTail
from app.models.events import EndOfData, Event
from tests.live_sessions import live, market

TAPED = [*market(), EndOfData()]


@pytest.fixture
async def run(tmp_path: Path) -> Path:
    """A session of the golden market."""
    await live(tmp_path / "run").run(*market())
    return tmp_path / "run"


def all_of(tail: TapeTail) -> list[Event]:
    events: list[Event] = []
    while found := tail.read():
        events += [event for _, event in found]
    return events


def test_it_is_what_is_on_the_tape(run: Path) -> None:
    tail = TapeTail(run)
    assert all_of(tail) == TAPED
    assert tail.read() == []
    slow = TapeTail(run)
    looks = [slow.read(100) for _ in range(len(TAPED) * 3)]  # a line a look
    assert [event for look in looks for _, event in look] == TAPED


def test_it_grows_with_the_tape_and_waits_for_a_whole_line(run: Path) -> None:
    path = segments_of(run / "tape")[-1]
    whole = path.read_bytes()
    cut = whole.rfind(b'["event"', 0, len(whole) // 2)
    path.write_bytes(whole[:cut])
    tail = TapeTail(run)
    before = all_of(tail)
    path.write_bytes(whole)
    assert 0 < len(before) < len(TAPED)
    assert before + all_of(tail) == TAPED


def test_a_tape_that_a_restart_cut_goes_on_from_its_new_end(run: Path) -> None:
    path = segments_of(run / "tape")[-1]
    whole = path.read_bytes()
    tail = TapeTail(run)
    assert all_of(tail) == TAPED
    shorter = whole[: whole.rstrip(b"\n").rfind(b"\n") + 1]
    path.write_bytes(shorter)
    assert tail.read() == []
    path.write_bytes(shorter + whole[len(shorter) :])
    assert len(all_of(tail)) <= 1


def test_a_long_tape_is_read_from_near_its_end(run: Path) -> None:
    found = all_of(TapeTail(run, tail_bytes=3_000))
    assert found == TAPED[-len(found) :]
    assert 0 < len(found) < len(TAPED)


def test_segments_follow_each_other(run: Path) -> None:
    path = segments_of(run / "tape")[-1]
    lines = path.read_bytes().splitlines(keepends=True)
    half = len(lines) // 2
    path.write_bytes(b"".join(lines[:half]))
    tail = TapeTail(run)
    before = all_of(tail)
    (path.parent / "000002.jsonl").write_bytes(b"".join(lines[half:]))
    assert before + all_of(tail) == TAPED
    assert all_of(TapeTail(run, tail_bytes=sum(map(len, lines)))) == TAPED


def test_a_damaged_line_is_counted_and_passed_over(run: Path) -> None:
    path = segments_of(run / "tape")[-1]
    lines = path.read_bytes().splitlines(keepends=True)
    place = next(at for at, line in enumerate(lines) if b'["event"' in line)
    lines[place] = lines[place].replace(b'"event"', b'"evenT"')
    path.write_bytes(b"".join(lines))
    tail = TapeTail(run)
    assert all_of(tail) == TAPED[1:]
    assert tail.damaged == 1


def test_without_a_tape_there_is_nothing(tmp_path: Path) -> None:
    assert TapeTail(tmp_path).read() == []
