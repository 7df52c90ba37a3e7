"""One file, escaped everywhere, written whole or not at all."""

import base64
import json
import zlib
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from app.errors import OutputError
from app.report.rendering import environment, packed_json, script_json, write_page

EVIL = "</script><script>alert(1)</script>&\u2028"


def test_json_cannot_leave_its_script() -> None:
    text = script_json({"symbol": EVIL})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"symbol": EVIL}


def test_a_nan_is_a_mistake() -> None:
    for pack in (script_json, packed_json):
        with pytest.raises(ValueError, match="JSON compliant"):
            pack([float("nan")])


def test_packed_json_is_deflated() -> None:
    assert json.loads(zlib.decompress(base64.b64decode(packed_json([EVIL])))) == [EVIL]


def test_templates_escape_and_know_their_names() -> None:
    made = environment().from_string("{{ name }}{{ '%s' % name }}")
    assert "<script" not in made.render(name=EVIL)
    with pytest.raises(UndefinedError):
        environment().from_string("{{ nobody }}").render()


def test_a_page_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*page\.html"):
        write_page(tmp_path / "page.html", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    with pytest.raises(OutputError, match="cannot write"):
        write_page(tmp_path / "none" / "page.html", "x")
