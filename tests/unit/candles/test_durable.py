"""Files appear whole or not at all, and what a killed process left is no obstacle."""

from pathlib import Path

import pytest

from app.candles.durable import replace_files, replacing


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_all_files_take_their_places(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / ".a.tmp").write_bytes(b"left by a killed process")
    replace_files(tmp_path, {tmp_path / "a": b"new", tmp_path / "b": b"more"})
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == {"a": b"new", "b": b"more"}


def test_nothing_to_replace_is_nothing_done(tmp_path: Path) -> None:
    replace_files(tmp_path, {})
    assert names(tmp_path) == []


def test_when_one_cannot_be_written_none_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / ".b.tmp").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        replace_files(tmp_path, {tmp_path / "a": b"new", tmp_path / "b": b"x" * 100_000})
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_block_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="half-way"), replacing(path) as file:
        file.write(b"half")
        raise RuntimeError("half-way")
    assert (path.read_bytes(), names(tmp_path)) == (b"old", ["a"])
    with replacing(path) as file:
        file.write(b"whole")
        assert path.read_bytes() == b"old"
    assert (path.read_bytes(), names(tmp_path)) == (b"whole", ["a"])
