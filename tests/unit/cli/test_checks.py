"""What the checks print, from made-up findings; the commands themselves run in tests/integration."""

from dataclasses import replace
from math import inf

import pytest

from app.cli.checks import determinism_lines, lookahead_lines, warmup_lines
from app.cli.main import main
from app.research.checks.determinism import WORLDS, Determinism, Differs
from app.research.checks.lookahead import Finding, Lookahead
from app.research.checks.request import FrameCheck
from app.research.checks.warmup import Length, Warmup

CLEAN = Lookahead("S", "BTC/USDT 1h, 2020 to 2021", 8_760, True, (), (), None)
FINDING = Finding("BTC/USDT, candle C", "LONG", "FLAT", "the future cut", 5, ("labels.csv, first at X",))
LENGTHS = (
    Length(0, 3, "candle C", "LONG", "FLAT", inf),
    Length(1, 0, None, "", "", 2.5e-3),
    Length(2, 0, None, "", "", 0.0),
)
WARMUP = Warmup("S", "BTC/USDT 1h", 24, 64, LENGTHS, 1, 2, 1, 2, 1)


def test_a_clean_look_ahead_is_one_line() -> None:
    (line,) = lookahead_lines(CLEAN)
    assert line == (
        "S on BTC/USDT 1h, 2020 to 2021: no look-ahead: 8,760 decisions, each the same without any future, with a "
        "scrambled one, and in a second run of the same process"
    )
    (line,) = lookahead_lines(replace(CLEAN, frames=FrameCheck(8_760, 4_000, 16, False)))
    assert line.endswith(
        "4,000 of 8,760 rows cut behind themselves, 16 cuts of the whole (there is no generate_signal)"
    )
    (line,) = lookahead_lines(replace(CLEAN, frames=FrameCheck(12, 12, 16, True)))
    assert line.endswith("all 12 rows cut behind themselves, 16 cuts of the whole")
    _, note = lookahead_lines(replace(CLEAN, reached_for=("a file, first at X",)))
    assert note == "note: it looks for a file, first at X; without it every answer was the same"


def test_a_finding_names_the_candle_and_both_answers() -> None:
    assert list(lookahead_lines(replace(CLEAN, findings=(FINDING,)))) == [
        "S on BTC/USDT 1h, 2020 to 2021: LOOK-AHEAD", "", "    BTC/USDT, candle C", "    with the future:    LONG",
        "    without the future: FLAT", "    5 of 8,760 decisions differ", "    seen with the future cut",
        "    it looks for labels.csv, first at X",
    ]  # fmt: skip
    first, second, *_ = lookahead_lines(replace(CLEAN, findings=(FINDING,), is_deterministic=False))
    assert "answers differently when nothing was changed" in first and "app determinism" in second


def test_a_warm_up_is_a_table_and_what_it_says() -> None:
    assert list(warmup_lines(WARMUP))[3:] == [
        "warm-up  decisions that differ  numbers differ by\n"
        "      0                3 of 24                  -\n"
        "      1                0 of 24            2.5e-03\n"
        "      2                0 of 24                  0",
        "",
        "from 1 candles on every decision is the same; the strategy declares 1 (settled after 2), startup_candles is 1",
        "from 2 candles on its numbers agree too, to 1e-9",
    ]
    short = list(warmup_lines(replace(WARMUP, configured=0, settled=None)))
    assert short[-5:] == [
        "its numbers never agree to 1e-9", "TOO SHORT: set startup_candles: 1, or more", "    candle C",
        "    after 64 candles of warm-up: LONG", "    after 0 candles of warm-up: FLAT",
    ]  # fmt: skip
    dependent = list(warmup_lines(replace(WARMUP, enough=None)))
    assert dependent[-4].startswith("START-DEPENDENT: no warm-up up to 64 candles is enough")


def test_determinism_in_words() -> None:
    found = Determinism("S", "BTC/USDT 1h", 24, WORLDS, None)
    (line,) = determinism_lines(found)
    assert "24 decisions and all files are the same bytes in 5 processes" in line
    difference = Differs("candle C", "LONG", "FLAT", "another 1", 2, "the clock")
    assert list(determinism_lines(replace(found, difference=difference))) == [
        "S on BTC/USDT 1h: NOT DETERMINISTIC", "    candle C", "    in a usual world: LONG", "    in another 1: FLAT",
        "    2 of 24 decisions differ", "    what alone makes a difference: the clock",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [(["lookahead", "--rows", "0"], "write a whole number, 1 or more"), (["warmup", "--longest", "-3"], "--longest"),
     (["lookahead", "A", "B"], "unrecognized arguments"), (["determinism", "--rows", "3"], "unrecognized arguments")],
)  # fmt: skip
def test_bad_arguments_are_one_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(words)
    err = capsys.readouterr().err
    assert (raised.value.code, err.count("\n"), said in err) == (2, 1, True)
