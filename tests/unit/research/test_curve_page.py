"""The page with a picture of equity: points where they belong, bands, text escaped, nothing asked of a network."""

import re
from html.parser import HTMLParser

import pytest

from app.research.research_pages import HEIGHT, LEFT, WIDTH, Picture, curve_page


def points(page: str, name: str) -> list[tuple[float, float]]:
    (found,) = re.findall(rf'class="{name}" points="([^"]*)"', page)
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in found.split())]


def test_points_lie_where_their_values_are() -> None:
    page = curve_page("t", [Picture("p", [0, 5, 10], [100.0, 200.0, 150.0], x_labels=("a", "b"))], "")
    line = points(page, "line")
    # Five percent of the range are left free above and below: 95 to 205.
    assert line == [
        (LEFT, round(HEIGHT * 105 / 110, 1)),
        ((LEFT + WIDTH) / 2, round(HEIGHT * 5 / 110, 1)),
        (WIDTH, 170),
    ]


def test_a_band_is_closed_and_a_part_has_its_rule() -> None:
    picture = Picture("p", [0, 10], [10.0, 10.0], bands=[([5.0, 0.0], [15.0, 20.0])], rules=[5])
    page = curve_page("t", [picture], "")
    band = points(page, "band")
    assert [x for x, _ in band] == [LEFT, WIDTH, WIDTH, LEFT]
    ys = [y for _, y in band]
    assert ys[1] < ys[0] < ys[3] < ys[2]  # upper side there, lower side back
    middle = (LEFT + WIDTH) / 2
    assert f'x1="{middle:.1f}" x2="{middle:.1f}"' in page


@pytest.mark.parametrize(("x", "line"), [([0, 1], [7.0, 7.0]), ([3], [0.0]), ([0, 1], [0.0, 0.0])])
def test_a_flat_line_and_a_single_point_can_be_drawn(x: list[float], line: list[float]) -> None:
    page = curve_page("t", [Picture("p", x, line)], "")
    assert all(0 <= y <= HEIGHT for _, y in points(page, "line"))
    assert "nan" not in page


def test_text_is_escaped_and_nothing_is_loaded() -> None:
    evil = '<script>alert(1)</script>"&'
    page = curve_page(evil, [Picture(evil, [0, 1], [1.0, 2.0], x_labels=(evil, evil))], evil)
    tags: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append(tag)
            assert not {"src", "href", "onload"} & {name for name, _ in attrs}

    Tags().feed(page)
    assert "script" not in tags
    assert "http" not in page
    assert page.count("&lt;script&gt;") == 7  # title, headings, label, both axis labels, text
