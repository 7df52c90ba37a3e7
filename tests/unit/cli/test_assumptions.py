"""`python -m app assumptions`: its flags, its table, its JSON, and one line where it cannot."""

import json

import pytest

from app.cli.assumptions import assumptions_lines
from app.cli.main import main
from app.research.assumptions import Answer, Assumptions, Doubt
from app.settings.shipped import SAMPLE_CACHE, SAMPLE_CONFIG

WORDS = ["assumptions", "--config", str(SAMPLE_CONFIG), "--cache", str(SAMPLE_CACHE), "--offline"]
MONTH = ["--start", "2023-03-01", "--end", "2023-04-01"]


def answer(name: str, timeframe: str, earned_pct: float, missing: int = 0) -> Answer:
    return Answer(name, timeframe, 10_000.0 + 100.0 * earned_pct, earned_pct, 1_234, 5, 2, missing)


def assumed(*doubts: Doubt) -> Assumptions:
    times = ("2023-03-01T00:00:00.000Z", "2023-04-01T00:00:00.000Z")
    return Assumptions(*times, "1h", answer("as configured", "1h", 1.0), doubts, (answer("costs 0x", "1h", 3.0),))


COARSE = Doubt("1h", answer("pessimistic 1h", "1h", 1.0), answer("optimistic 1h", "1h", 5.0))
FINE = Doubt("1m", answer("pessimistic 1m", "1m", 2.0, missing=7_000), answer("optimistic 1m", "1m", 3.0, 7_000))


def test_the_table_and_the_ranges() -> None:
    lines = list(assumptions_lines(assumed(COARSE, FINE)))
    assert lines[0] == "2023-03-01 to 2023-04-01 UTC, strategy on 1h; each line is a run of its own"
    table = lines[2].splitlines()
    assert table[0].split() == ["answer", "session", "trades", "both", "levels", "touched", "final", "equity", "return"]
    assert [row.split("  ")[0] for row in table[1:]] == [
        "as configured", "pessimistic 1h", "optimistic 1h", "pessimistic 1m", "optimistic 1m", "costs 0x",
    ]  # fmt: skip
    assert table[3].split() == ["optimistic", "1h", "1h", "1,234", "5", "2", "10,500.00", "+5.00", "%"]
    assert "1h candles leave the return between +1.00 and +5.00 %: 4.00 wide" in lines
    assert "1m candles leave the return between +2.00 and +3.00 %: 1.00 wide" in lines
    assert "1m candles leave 25 % of the doubt that 1h candles leave" in lines
    assert "pessimistic 1m: 7,000 candles of the period are missing" in lines


def test_one_timeframe_has_no_comparison_and_no_doubt_no_share() -> None:
    assert not any("of the doubt" in line for line in assumptions_lines(assumed(COARSE)))
    certain = Doubt("1h", COARSE.pessimistic, COARSE.pessimistic)
    assert "1h candles left nothing open" in list(assumptions_lines(assumed(certain, FINE)))


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*WORDS, *MONTH, "--set", "safety.max_drawdown=null"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("2023-03-01 to 2023-04-01 UTC, strategy on 1h")
    assert "costs 3x" in said.out
    assert said.err.splitlines() == [
        "onetape: as configured", "onetape: optimistic 1h", "onetape: costs 0x", "onetape: costs 2x",
        "onetape: costs 3x",
    ]  # fmt: skip


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*WORDS, *MONTH, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["doubts"][0]["optimistic"]["timeframe"] == "1h"
    assert content["doubts"][0]["width_pct"] >= 0.0
    assert [cost["name"] for cost in content["costs"]] == ["costs 0x", "costs 1x", "costs 2x", "costs 3x"]


def test_what_cannot_be_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*WORDS, *MONTH, "--finer", "1m"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("onetape: --finer 1m: ")
    assert "python -m app data fetch --symbols BTC/USDT --timeframe 1m" in last
    assert main([*WORDS, *MONTH, "--finer", "7m"]) == 2
    assert "unknown timeframe '7m'" in capsys.readouterr().err
