"""The example in docs runs from beginning to end in a fresh kernel, and shows the figures that it gives."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.notebook.execute import NOTEBOOK, executed, nbformat, pictures, stored

SIZE_MAX_BYTES = 60_000


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return executed(tmp_path_factory.mktemp("notebook"))


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_document_shows_what_its_cells_give(fresh: Any) -> None:
    document = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(document)
    for kept, ran in zip(code_cells(document), code_cells(fresh), strict=True):
        assert kept.execution_count == ran.execution_count
        assert json.loads(json.dumps(kept.outputs)) == json.loads(json.dumps(stored(ran))), (
            f"{kept.source}\npython -m tests.notebook.execute"
        )


def test_every_cell_after_the_first_words_shows_something_and_nothing_is_warned_of(fresh: Any) -> None:
    for cell in code_cells(fresh):
        assert [output.output_type for output in cell.outputs] == ["execute_result"] or pictures(cell), cell.source
        assert not any(output.output_type == "stream" for output in cell.outputs), cell.outputs


def test_both_pictures_are_drawn(fresh: Any) -> None:
    drawn = [figure for cell in code_cells(fresh) for figure in pictures(cell)]
    assert [figure["layout"]["title"]["text"].partition(":")[0] for figure in drawn] == ["BTC/USDT 6h", "BTC/USDT 1h"]
    for figure in drawn:
        assert {"candles", "long", "won", "equity", "drawdown %"} <= {trace["name"] for trace in figure["data"]}


def test_the_document_is_small_and_names_no_machine() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text.encode()) < SIZE_MAX_BYTES
    assert not [word for word in ("/tmp", "/home", "/root", "/work", str(Path.home())) if word in text]
