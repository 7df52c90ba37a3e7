"""docs/orders.md shows what a backtest does: every drawn example is run, drawn and told again."""

import re

import pytest

from tests.drawn_rules import PAGE, Example, examples

BLOCKS = examples()


@pytest.mark.parametrize("block", BLOCKS, ids=[str(number) for number in range(1, len(BLOCKS) + 1)])
def test_an_example(block: str) -> None:
    assert Example.read(block).told() == block, "python -m tests.drawn_rules writes the page anew"


def test_every_reason_of_the_page_has_an_example() -> None:
    told = " ".join(BLOCKS)
    for reason in ("stop_loss", "take_profit", "partial_target", "break_even", "trailing_stop", "time_exit",
                   "is refused: cooldown", "is refused: stop_guard", "is refused: losing_streak",
                   "entries cancelled: expired"):  # fmt: skip
        assert re.search(rf"\b{reason}\b", told), reason


def test_an_example_that_is_not_true_is_noticed() -> None:
    block = BLOCKS[0].replace("limit=97", "limit=98")
    assert Example.read(block).told() != block
    assert PAGE.is_file()
