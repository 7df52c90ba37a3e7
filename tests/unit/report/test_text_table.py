"""Tables and long lists as plain text, held to what a reader sees."""

import pytest

from app.report.text_table import LISTED_MAX, limited, text_table


def test_words_to_the_left_numbers_to_the_right() -> None:
    rows = [("BTC/USDT", "1m", "1,440", "0"), ("ETH/USDT", "12h", "2", "10")]
    assert text_table(("symbol", "tf", "missing", "x"), rows, numbers=2).splitlines() == [
        "symbol    tf   missing   x",
        "BTC/USDT  1m     1,440   0",
        "ETH/USDT  12h        2  10",
    ]


def test_no_line_ends_in_spaces() -> None:
    assert text_table(("name", "why"), [("a", ""), ("", "long words")], numbers=0).splitlines() == [
        "name  why",
        "a",
        "      long words",
    ]


def test_all_columns_may_be_numbers_and_there_may_be_no_row() -> None:
    assert text_table(("a", "b"), [("10", "200")], numbers=2) == " a    b\n10  200"
    assert text_table(("a", "b"), [], numbers=1) == "a  b"


@pytest.mark.parametrize("count", [0, 1, LISTED_MAX])
def test_a_list_that_fits_is_whole(count: int) -> None:
    assert list(limited([str(number) for number in range(count)])) == [f"    {number}" for number in range(count)]


def test_a_longer_list_says_how_much_is_missing() -> None:
    lines = list(limited([str(number) for number in range(LISTED_MAX + 1_234)]))
    assert len(lines) == LISTED_MAX + 1
    assert lines[-2:] == ["    499", "    and 1,234 more"]
