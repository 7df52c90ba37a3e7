"""Rows as they come: header first, text quoted only where it must be, to the kernel when asked to."""

from pathlib import Path

import pytest

from app.runs.row_log import RowLog, quoted


def test_rows_reach_the_file_with_a_flush_and_a_close_may_come_twice(tmp_path: Path) -> None:
    log = RowLog(tmp_path / "rows.csv", ("a", "b"))
    log.add("1,2\n")
    assert (tmp_path / "rows.csv").read_text() == ""
    log.flush()
    assert (tmp_path / "rows.csv").read_text() == "a,b\n1,2\n"
    log.add("3,4\n")
    log.close()
    log.close()
    assert (tmp_path / "rows.csv").read_text() == "a,b\n1,2\n3,4\n"


@pytest.mark.parametrize(
    ("text", "written"), [("plain", "plain"), ('say "x"', '"say ""x"""'), ("a,b", '"a,b"'), ("a\nb", '"a\nb"')]
)
def test_text_is_quoted_where_it_could_be_structure(text: str, written: str) -> None:
    assert quoted(text) == written
