"""The heat map as a page: one cell a cell, the best framed, a user's words escaped, nothing from a network."""

import dataclasses
import re

from app.research.landscape import HeatMap, heat_map
from app.research.research_pages import heat_map_page
from tests.unit.research.test_search_report import studied


def made() -> HeatMap:
    found = heat_map(studied())
    assert found is not None
    return found


def test_cells() -> None:
    found = made()
    page = heat_map_page(found, "total_return_pct")
    cells = re.findall(r"<td[^>]*>([^<]*)(?:<small>(\d+)</small>)?</td>", page)
    values = [cell for line in found.cells for cell in line]
    counts = [count for line in found.counts for count in line]
    assert [text for text, _ in cells] == ["n/a" if value is None else f"{value:.4g}" for value in values]
    assert [int(count or 0) for _, count in cells] == counts
    assert page.count('class="best"') == 1
    assert re.search(r'class="best" style="[^"]+">10<', page)
    assert "http" not in page
    assert "<script" not in page


def test_words_are_escaped_and_one_colour_is_enough() -> None:
    flat = dataclasses.replace(
        made(), cells=((1.0,),), counts=((3,),), best=(0, 0), row_labels=("<b>",), column_labels=("x",)
    )
    page = heat_map_page(flat, "total_return_pct")
    assert "&lt;b&gt;" in page
    assert "hsl(140 " in page
