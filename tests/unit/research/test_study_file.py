"""The study file: what was run survives any end, another study is refused by name, one search at a time."""

import sqlite3
from pathlib import Path

import pytest

from app.errors import DataError, OutputError
from app.research.study_file import StudyFile, first_difference
from tests.searches import outcome

IDENTITY = {"config": {"live": {"symbols": ["A"], "timeframe": "1h"}}, "seed": 1, "code_sha256": "a" * 64}


def test_outcomes_survive_without_an_orderly_end(tmp_path: Path) -> None:
    file = StudyFile(tmp_path / "study", IDENTITY)
    file["a=1", "b=2"] = outcome(1.5, returns=[0.1, -1e-9])
    file._database.close()  # as a kill would leave it: every row is committed
    again = StudyFile(tmp_path / "study", dict(IDENTITY))
    assert dict(again) == {("a=1", "b=2"): outcome(1.5, returns=[0.1, -1e-9])}
    assert len(again) == 1
    again.close()
    again.close()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 2}, "seed was 1 and is 2"),
        ({"config": {"live": {"symbols": ["A"], "timeframe": "4h"}}}, 'config.live.timeframe was "1h" and is "4h"'),
        ({"code_sha256": "b" * 64}, "code_sha256 was"),
        ({"batch": 8}, "batch was null and is 8"),
    ],
)
def test_another_study_is_refused_by_name(tmp_path: Path, change: dict[str, object], told: str) -> None:
    StudyFile(tmp_path, IDENTITY).close()
    with pytest.raises(DataError, match=f"trials.sqlite is another study: {told}"):
        StudyFile(tmp_path, IDENTITY | change)
    StudyFile(tmp_path, IDENTITY).close()


def test_a_newer_format_and_a_strange_file(tmp_path: Path) -> None:
    StudyFile(tmp_path, IDENTITY).close()
    with sqlite3.connect(tmp_path / "trials.sqlite") as database:
        database.execute("UPDATE study SET format = 2")
    database.close()
    with pytest.raises(DataError, match="has format 2, this Onetape reads 1"):
        StudyFile(tmp_path, IDENTITY)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/trials.sqlite").write_text("no database, but long enough to look at" * 40)
    with pytest.raises(OutputError, match="cannot be used: file is not a database"):
        StudyFile(tmp_path / "other", IDENTITY)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be used"):
        StudyFile(tmp_path / "file", IDENTITY)


def test_one_search_at_a_time(tmp_path: Path) -> None:
    first = StudyFile(tmp_path, IDENTITY)
    with pytest.raises(OutputError, match="is being written by another search"):
        StudyFile(tmp_path, IDENTITY)
    first.close()
    StudyFile(tmp_path, IDENTITY).close()


def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    file = StudyFile(tmp_path, IDENTITY)
    file._database.execute("PRAGMA max_page_count = 1")
    with pytest.raises(OutputError, match="cannot be used: database or disk is full"):
        for number in range(100):
            file[(f"a={number}",)] = outcome(1.0, returns=[0.1] * 500)
    assert len(file) < 100
    file.close()


def test_the_first_difference_is_the_deepest_name() -> None:
    assert first_difference({"a": {"b": 1}, "c": 2}, {"a": {"b": 1}, "c": 2}) is None
    assert first_difference({"a": 1, "gone": 2}, {"a": 1}) == "gone was 2 and is null"
    long = first_difference({"a": "x" * 100}, {"a": "y"})
    assert long is not None
    assert len(long) < 100
