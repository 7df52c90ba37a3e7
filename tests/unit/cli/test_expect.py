"""`expect` prints band and standing, its exit status is the answer, and what is wrong is one line."""

import json
from pathlib import Path

import pytest

from app.cli.main import main
from tests.expected_runs import backtest, broken_off, write_rows


def test_inside_outside_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, expected = broken_off(tmp_path, [1.01, 1.0]), backtest(tmp_path)
    assert main(["expect", str(run), str(expected), "--trials", "5", "--days", "16"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"backtest  {expected}, 200 days"
    assert lines[1] == "trials    5 (given)"
    assert lines[2].startswith("standing  day 2 of 16: +0.00 % since the start, expected were ")
    rows = {line.split()[0]: line.split()[1:] for line in lines if line[:1] == " " and line.split()[0].isdigit()}
    content = json.loads((run / "expectation.json").read_text())
    assert list(rows) == ["2", "4", "6", "8", "10", "12", "14", "16"]
    names = ("floor", "low", "mid", "high", "ceiling")
    assert rows["16"] == [*(f"{100.0 * (content[name][16] - 1.0):+.2f}" for name in names), "-"]
    assert rows["2"][5] == "+0.00"
    write_rows(run, [1.01, 0.5])
    assert main(["expect", str(run), "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == json.loads((run / "expectation.json").read_text())
    write_rows(run, [1.01, 0.5, *[1.0] * 20])
    assert main(["expect", str(run)]) == 0
    told = capsys.readouterr().out
    assert "it was outside on 2025-04-01 and has come back" in told
    assert "the band has ended" in told


def test_what_is_wrong_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        ([str(tmp_path)], "no backtest was named"),
        ([str(tmp_path), "--days", "3"], "--trials and --days belong to a BACKTEST"),
        ([str(tmp_path), str(tmp_path)], "is no run folder"),
    ):
        assert main(["expect", *words]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
    with pytest.raises(SystemExit, match="2"):
        main(["expect", str(tmp_path), str(tmp_path), "--trials", "0"])
