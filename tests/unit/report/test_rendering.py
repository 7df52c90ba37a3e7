"""One file, escaped everywhere, written whole or not at all."""

import base64
import json
import zlib
from pathlib import Path

import pytest

from app.errors import OutputError
from app.report.rendering import cell, document, packed_columns, pairs, script_json, table
from app.report.sections import Cell, Table
from app.runs.run_folder import write_whole

EVIL = "</script><script>alert(1)</script>&\u2028"


def test_json_cannot_leave_its_script() -> None:
    text = script_json({"symbol": EVIL})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"symbol": EVIL}


def test_a_nan_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        script_json([float("nan")])


def test_packed_columns_are_deflated_json() -> None:
    text = packed_columns([EVIL], [("pnl", [0.1, float("nan")]), ("tag", [EVIL, ""])])
    content = json.loads(zlib.decompress(base64.b64decode(text)))
    assert content == {"symbols": [EVIL], "columns": {"pnl": [0.1, None], "tag": [EVIL, ""]}}
    assert json.loads(zlib.decompress(base64.b64decode(packed_columns([], [])))) == {"symbols": [], "columns": {}}


def test_markup_escapes_whatever_it_is_given() -> None:
    one = Cell(EVIL, "", EVIL)
    pieces = [cell(one), table(Table((EVIL, "of which"), [[one, one]])), pairs([(EVIL, EVIL)])]
    for piece in (*pieces, *document(EVIL, [], [])):
        assert "<script" not in piece


def test_a_page_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*page\.html"):
        write_whole(tmp_path / "page.html", ["x"])
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    with pytest.raises(OutputError, match="cannot write"):
        write_whole(tmp_path / "none" / "page.html", ["x"])
