"""The state beside the tape: one of the two files is whole whenever the process ends, also in the middle of a write."""

import os
import zlib
from pathlib import Path

import pytest

from app.session.state_file import StateFile, read_states


def test_the_newest_two_states_are_there(tmp_path: Path) -> None:
    assert read_states(tmp_path) == []
    file = StateFile(tmp_path)
    for state in (b"one", b"two, which is longer", b"3"):
        file.write(state)
    file.sync()
    assert sorted(read_states(tmp_path)) == [b"3", b"two, which is longer"]
    file.close()
    file.close()


def test_a_write_that_is_cut_at_any_byte_leaves_the_one_before(tmp_path: Path) -> None:
    file = StateFile(tmp_path)
    file.write(b"first" * 9)
    file.write(b"second" * 9)
    older = (tmp_path / "state.1").read_bytes()
    file.write(b"third" * 9)
    newer = (tmp_path / "state.1").read_bytes()
    file.close()
    for cut in range(1, len(newer)):
        (tmp_path / "state.1").write_bytes(newer[:cut] + older[cut:])
        states = read_states(tmp_path)
        assert b"second" * 9 in states
        assert set(states) <= {b"first" * 9, b"second" * 9, b"third" * 9}
    (tmp_path / "state.2").write_bytes(b"\x00" * 40)
    assert read_states(tmp_path) in ([], [b"third" * 9])


def test_a_shorter_state_over_a_longer_one_is_whole(tmp_path: Path) -> None:
    file = StateFile(tmp_path)
    for state in (b"x" * 500, b"y" * 500, b"z"):
        file.write(state)
    file.close()
    assert sorted(read_states(tmp_path)) == [b"y" * 500, b"z"]


def test_a_full_disk_is_not_worth_a_session(tmp_path: Path) -> None:
    file = StateFile(tmp_path)
    file.write(b"kept")
    os.close(file._descriptors[1])
    file._descriptors[1] = os.open("/dev/full", os.O_WRONLY)
    file.write(b"lost")
    file.sync()
    file.close()
    assert read_states(tmp_path) == [b"kept"]


@pytest.mark.parametrize("written", [1, 2, 3, 4])
def test_after_a_restart_the_older_of_the_two_is_written_over(tmp_path: Path, written: int) -> None:
    first = StateFile(tmp_path)
    for number in range(written):
        first.write(b"%d" % number)
    first.close()
    again = StateFile(tmp_path)
    again.write(b"next")
    assert sorted(read_states(tmp_path)) == sorted([b"%d" % (written - 1), b"next"])
    again.write(b"after it")
    again.close()
    assert sorted(read_states(tmp_path)) == [b"after it", b"next"]


def test_after_a_restart_the_one_that_is_torn_is_written_over(tmp_path: Path) -> None:
    first = StateFile(tmp_path)
    for state in (b"one", b"two", b"three"):
        first.write(state)
    first.close()
    path = tmp_path / "state.1"
    path.write_bytes(path.read_bytes()[:-2])
    again = StateFile(tmp_path)
    again.write(b"four")
    again.close()
    assert sorted(read_states(tmp_path)) == [b"four", b"two"]


def test_what_an_older_onetape_wrote_is_read(tmp_path: Path) -> None:
    state = b'{"seq":7}'
    (tmp_path / "state.2").write_bytes(b"%08x %08x %b" % (zlib.crc32(state), len(state), state))
    assert read_states(tmp_path) == [state]
    again = StateFile(tmp_path)
    again.write(b"next")
    again.close()
    assert sorted(read_states(tmp_path)) == [b"next", state]


def test_a_disk_that_fills_up_in_the_middle_costs_the_older_one_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, write = StateFile(tmp_path), os.pwrite
    for state in (b"one", b"two"):
        file.write(state)
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", lambda descriptor, content, at: write(descriptor, content[:25], at))
        file.write(b"three")
    assert read_states(tmp_path) == [b"two"]
    file.write(b"four")
    file.close()
    assert sorted(read_states(tmp_path)) == [b"four", b"two"]
