"""The page of a run as markup: whole, in pieces, nothing of a user's unescaped."""

import pytest

from app.report.run_page import PageContent, page_pieces
from app.runs.run_on_disk import RunOnDisk, read_run
from tests.report_runs import made_run

EVIL = "</script><img src=x>"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunOnDisk:
    return read_run(made_run(tmp_path_factory.mktemp("runs")))


def content(run: RunOnDisk) -> PageContent:
    data = {"equity": None, "sharpe": None, "symbols": [{"name": EVIL}], "month": None}
    return PageContent(
        run=run, title=EVIL, period="a to b", month=None, data=data, trades="TRADES", chunks=["ONE", "TWO"],
        has_left_out=True, candle_problems=[EVIL], histogram="<svg/>", histogram_r=None, scatter=None, scatter_note="",
    )  # fmt: skip


def test_a_chunk_is_a_piece_of_its_own(run: RunOnDisk) -> None:
    pieces = list(page_pieces(content(run)))
    assert {"ONE", "TWO"} <= set(pieces)  # what is long is not copied into another text
    text = "".join(pieces)
    assert text.index('id="trade-chunk">TRADES<') < text.index('id="chunk-0">ONE<') < text.index('id="chunk-1">TWO<')
    assert text.startswith("<!DOCTYPE html>") and text.endswith("</html>\n")


def test_what_a_user_wrote_is_text(run: RunOnDisk) -> None:
    text = "".join(page_pieces(content(run)))
    assert EVIL not in text and "<img" not in text and text.count("&lt;img src=x&gt;") == 4


def test_what_is_not_there_is_said(run: RunOnDisk) -> None:
    text = "".join(page_pieces(content(run)))
    for words in ("There is no equity to draw.", "it takes thirty days of equity", "Not every candle fits this page"):
        assert words in text
    assert "No candles are at hand." in "".join(
        page_pieces(content(run)._replace(data={"equity": None, "sharpe": None, "symbols": []}))
    )
