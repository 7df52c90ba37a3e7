"""The blocks of the report as plain text, held to what a pipe reads."""

from app.report.console_blocks import Block, Grid, Lines, Row, Summary, Table, plain_text


def test_labelled_figures_stand_right_and_words_after_them() -> None:
    table = Table("Costs", (Row("commission", "3,515.36"), Row("shorts", "550", "and words", value_width=10)))
    assert list(table.plain()) == [
        "Costs",
        "  commission                  3,515.36",
        "  shorts                       550   and words",
    ]


def test_programs_find_a_label_a_colon_and_the_figure() -> None:
    summary = Summary((("Final equity", "7,351.84"), ("Win rate", "n/a")))
    assert list(summary.plain()) == ["Final equity:         7,351.84", "Win rate:             n/a"]


def test_a_grid_is_as_wide_as_its_longest_name() -> None:
    grid = Grid(("Symbol", "trades", "PnL"), (("BTC/USDT", "7", "+1.00"), ("A/B", "10", "-0.50")), widths=(8, 9))
    assert list(grid.plain()) == [
        "Symbol    trades      PnL",
        "BTC/USDT       7    +1.00",
        "A/B           10    -0.50",
    ]
    short = Grid(("Symbol", "x"), (("A", "1"),), widths=(3,))
    assert list(short.plain()) == ["Symbol  x", "A       1"]


def test_an_empty_line_stands_between_blocks_and_none_at_the_end() -> None:
    blocks: list[Block] = [Lines(("one", "two"), alarm=True), Table("Title", (Row("a", "1", value_width=2),))]
    assert plain_text(blocks) == "one\ntwo\n\nTitle\n  a                      1\n"
