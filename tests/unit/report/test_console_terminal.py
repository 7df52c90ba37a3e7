"""The report on a terminal: the words and figures of the pipe, at any width, in colours that say something."""

import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from app.report.console import render_report, report_blocks
from app.report.console_blocks import Block, Grid, Lines, Row, Summary, Table, plain_text
from app.report.console_terminal import terminal_text
from app.session.backtest import run_config_backtest

ROOT = Path(__file__).resolve().parents[3]
CODE = re.compile(r"\x1b\[([0-9;]*)m")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("terminal") / "run"
    config, cache = ROOT / "config/sample/live.yaml", ROOT / "data/sample"
    run = dict(run_config_backtest("2023-03-20", "2023-04-25", config=config, cache=cache, out=out))
    run["per_symbol"]["[red]ETH[/red]/USDT:smile:"] = {**run["per_symbol"]["BTC/USDT"], "win_rate": None}
    run["kill_switch"] = {"time": "2023-04-01T00:00:00.000Z", "why": "a [b]reason", "untraded_pct": 43.2, "trips": 1}
    run["status"] = "stopped"
    return run


def shown(*blocks: Block, width: int = 80, **environment: str) -> str:
    """As a terminal of 16 colours gets it."""
    env = {"TERM": "xterm", "COLORTERM": "", **environment}
    console = Console(force_terminal=True, width=width, highlight=False, color_system="standard", _environ=env)
    return terminal_text(blocks, console)


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_a_terminal_gets_every_word_and_figure_of_the_pipe_and_no_other(width: int, results: dict[str, Any]) -> None:
    plain = render_report(results, Path("runs/x"), 0.5)
    text = CODE.sub("", shown(*report_blocks(results, Path("runs/x"), 0.5), width=width))
    # Wrapped lines mix the columns, and a long name may be folded; what is printed is all there, once.
    assert sorted(re.sub(r"[─\s]", "", text)) == sorted(re.sub(r"\s", "", plain))
    if width >= 80:
        assert sorted(re.sub("─+", "", text).split()) == sorted(plain.split())
    if width >= 120:
        assert [line.split() for line in text.splitlines() if "─" not in line] == [
            line.split() for line in plain.splitlines()
        ]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_longer_than_the_terminal(width: int, results: dict[str, Any]) -> None:
    blocks = report_blocks(results, Path("runs/x"), 0.5)
    lines = CODE.sub("", shown(*blocks, width=width)).splitlines()
    assert [line for line in lines if len(line) > width and not line.startswith("Trade log saved:")] == []
    assert not any(line.endswith(" ") for line in lines)


def test_a_long_path_is_one_line_that_can_be_copied() -> None:
    path = "/a/long/path/" * 12 + "trades.csv"
    assert shown(Summary((("Trade log saved", path),))) == f"Trade log saved:      {path}\n"


def test_details_are_wrapped_under_themselves() -> None:
    table = Table("Title", (Row("label", "1,234.56", "word " * 12),))
    lines = CODE.sub("", shown(table)).splitlines()
    assert [line.index("word") for line in lines[1:]] == [41, 41]
    assert lines[1].startswith("  label                        1,234.56  word")


def test_a_name_is_folded_before_a_figure_is() -> None:
    name, figures = "A" * 60 + "/USDT", ("1,234,567", "12,345", "100.00 %", "+12,345,678.90")
    grid = Grid(("Symbol", "candles", "trades", "win rate", "PnL"), ((name, *figures),), widths=(12, 9, 11, 14))
    lines = CODE.sub("", shown(grid, width=60)).splitlines()
    assert lines[2].split()[1:] == ["1,234,567", "12,345", "100.00", "%", "+12,345,678.90"]
    assert "".join(line.split()[0] for line in lines[2:]) == name


@pytest.mark.parametrize(
    ("value", "code"),
    [("+1,234.50", "32"), ("-0.01 %", "31"), ("+0.00", None), ("-0.00 %", None), ("1,234.50", None), ("n/a", None)],
)
def test_gains_are_green_losses_red_and_nothing_is_neither(value: str, code: str | None) -> None:
    for block in (
        Summary((("PnL", value),)),
        Table("", (Row("PnL", value),)),
        Grid(("Symbol", "PnL"), (("A/B", value),), widths=(9,)),
        Table("", (Row("PnL", "1", f"this {value}; that"),)),
    ):
        colours = set(CODE.findall(shown(block))) & {"31", "32"}
        assert colours == ({code} if code else set()), block


def test_what_nobody_may_miss_is_bold_red() -> None:
    lines = shown(Lines(("Onetape", "KILL SWITCH"), alarm=True)).splitlines()
    assert lines == ["\x1b[1mOnetape\x1b[0m", "\x1b[1;31mKILL SWITCH\x1b[0m"]
    assert shown(Lines(("Candles", "a gap"))).splitlines() == ["\x1b[1mCandles\x1b[0m", "a gap"]


def test_no_color_leaves_no_colour(results: dict[str, Any]) -> None:
    blocks = report_blocks(results, Path("runs/x"))
    assert {"31", "1;31"} <= set(CODE.findall(shown(*blocks)))
    assert set(CODE.findall(shown(*blocks, NO_COLOR="1"))) <= {"0", "1"}


def test_a_terminal_too_narrow_for_tables_gets_plain_lines() -> None:
    blocks = [Table("Title", (Row("label", "1", "words"),))]
    assert shown(*blocks, width=59) == plain_text(blocks)
    assert shown(*blocks, width=60) != plain_text(blocks)
