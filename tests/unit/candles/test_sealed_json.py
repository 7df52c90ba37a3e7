"""Sealed JSON: one text for one content, and no byte of it can change unseen."""

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.candles import sealed_json
from app.candles.sealed_json import read_sealed, write_sealed
from app.errors import DataError, NewerFormatError

CONTENT: dict[str, Any] = {"exchange": "binanceus", "symbols": {"BTC/USDT": {"step": 1e-05, "tick": None}}, "ü": [1, 2]}
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8"))
JSON = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner), max_leaves=9)


@settings(deadline=None, max_examples=40)
@given(st.dictionaries(st.sampled_from("abc"), JSON))
def test_what_is_written_is_read(content: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "one.json")
        write_sealed(path, content)
        assert read_sealed(path) == content


def test_equal_content_gives_equal_bytes_and_a_text_for_people(tmp_path: Path) -> None:
    write_sealed(tmp_path / "one", CONTENT)
    write_sealed(tmp_path / "two", dict(reversed(CONTENT.items())))
    data = (tmp_path / "one").read_bytes()
    assert data == (tmp_path / "two").read_bytes()
    assert data.endswith(b"}\n")
    lines = data.decode().splitlines()
    assert lines[:3] == ["{", ' "exchange": "binanceus",', ' "format_version": 1,']
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["one", "two"], "nothing is left beside them"


def test_the_same_bytes_are_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    write_sealed(path, CONTENT)
    os.utime(path, ns=(1, 1))
    write_sealed(path, CONTENT)
    assert path.stat().st_mtime_ns == 1
    write_sealed(path, {**CONTENT, "exchange": "kraken"})
    assert path.stat().st_mtime_ns != 1


def test_a_failing_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "one.json"
    write_sealed(path, CONTENT)

    def full(descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        write_sealed(path, {})
    assert read_sealed(path) == CONTENT
    assert list(tmp_path.iterdir()) == [path]


def test_no_file_is_no_content(tmp_path: Path) -> None:
    assert read_sealed(tmp_path / "one.json") is None


def test_a_file_that_cannot_be_read_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read: Is a directory"):
        read_sealed(tmp_path)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_no_byte_changes_unseen(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "one.json")
        write_sealed(path, CONTENT)
        whole = path.read_bytes()
        at = data.draw(st.integers(0, len(whole) - 1))
        bit = data.draw(st.integers(0, 7))
        damaged = data.draw(
            st.sampled_from([whole[:at], whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :], whole[at:]])
        )
        path.write_bytes(damaged)
        try:
            assert read_sealed(path) == CONTENT, "only space between the values may differ"
        except DataError as error:
            assert str(path) in str(error)
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    "text", ["", "[]", "null", '"text"', "1", "{}", "[" * 100_000, '{"format_version": 1}', '{"sha256": "x"}']
)
def test_other_json_is_damage(tmp_path: Path, text: str) -> None:
    (tmp_path / "one.json").write_text(text)
    with pytest.raises(DataError, match="damaged: it is no sealed JSON"):
        read_sealed(tmp_path / "one.json")


def test_a_checksum_of_other_content_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    write_sealed(path, CONTENT)
    path.write_bytes(path.read_bytes().replace(b"binanceus", b"binanceuk"))
    with pytest.raises(DataError, match="does not match its checksum"):
        read_sealed(path)
    for text in (r'{"format_version": 1, "sha256": "", "a": "\ud800"}', b"\xff\xfe"):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(DataError, match="damaged"):
            read_sealed(path)


def test_a_later_format_is_not_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "one.json"
    with monkeypatch.context() as later:
        later.setattr(sealed_json, "FORMAT_VERSION", 2)
        write_sealed(path, CONTENT)
    with pytest.raises(NewerFormatError, match=r"has cache format 2, this Onetape reads 1: use the newer .* --cache"):
        read_sealed(path)


def test_the_digest_is_that_of_the_canonical_content(tmp_path: Path) -> None:
    # A second implementation, so that the format cannot change without its version.
    path = tmp_path / "one.json"
    write_sealed(path, CONTENT)
    text = json.dumps(CONTENT, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert json.loads(path.read_bytes())["sha256"] == hashlib.sha256(text.encode()).hexdigest()
