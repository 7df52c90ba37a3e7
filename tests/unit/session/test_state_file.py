"""The state beside the tape: one of the two files is whole whenever the process ends, also in the middle of a write."""

import os
from pathlib import Path

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
