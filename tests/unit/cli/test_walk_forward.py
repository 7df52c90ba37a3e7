"""`walk-forward` on the command line: the same bytes with 1, 2 and 4 workers, a stop and the rest, bad input."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.main import main
from tests.walks import GRID, WORDS, files_of

BAYES = ["--method", "bayes", "--trials", "10", "--seed", "5", "--param", "ema_fast=5:15", "--param", "atr_period=7:21"]


@pytest.mark.parametrize("method", [GRID, BAYES], ids=["grid", "bayes"])
def test_the_same_walk_with_any_number_of_workers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], method: list[str]
) -> None:
    for workers in ("1", "2", "4"):
        assert main([*WORDS, *method, "--workers", workers, "--out", str(tmp_path / workers)]) == 0
    shown = capsys.readouterr().out
    walks = [files_of(tmp_path / workers) for workers in ("1", "2", "4")]
    assert walks[0] == walks[1] == walks[2]
    assert {name for name in walks[0] if "/" not in name} == {
        "walk.json", "walk_forward.html", "walk_forward.json", "equity.parquet",
        "walk_forward_2023-03-22_2023-04-21.csv",
    }  # fmt: skip
    found = json.loads(walks[0]["walk_forward.json"])
    assert len(found["windows"]) == 3
    assert all(block["best"] for block in found["windows"])
    assert shown.count("Onetape walk-forward: 3 rolling windows") == 3


def test_json_is_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*WORDS, *GRID, "--anchored", "--workers", "1", "--json", "--out", str(tmp_path / "walk")]
    assert main(words) == 0
    shown = capsys.readouterr()
    assert shown.out == (tmp_path / "walk/walk_forward.json").read_text()
    found = json.loads(shown.out)
    assert [block["in_sample"]["start"][:10] for block in found["windows"]] == ["2023-03-01"] * 3
    assert shown.err.count("onetape: window ") == 3
    assert main(words) == 2
    assert "holds a finished walk" in capsys.readouterr().err


def test_a_walk_that_was_killed_goes_on_to_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert main([*WORDS, *GRID, "--workers", "1", "--out", str(whole)]) == 0
    words = [sys.executable, "-m", "app", *WORDS, *GRID, "--workers", "2", "--out", str(cut)]
    for number in (signal.SIGKILL, signal.SIGTERM):
        with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if line.startswith("onetape: window ") or "the walk is" in line:
                    os.kill(process.pid, number)
                    break
            rest = process.stderr.read()
        assert process.returncode == (-number if number == signal.SIGKILL else 2)
    assert rest.endswith(f"onetape: stopped; the same command with --out {cut} goes on from here\n")
    assert not (cut / "walk_forward.json").exists()
    assert main([*WORDS, *GRID, "--workers", "1", "--out", str(cut)]) == 0
    assert files_of(cut) == files_of(whole)
    capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (
            ["--in-sample", "90d"],
            "no window fits: --in-sample 90d + --out-of-sample 10d + --embargo 1d is longer than the 55d",
        ),
        (["--embargo", "-1d"], "argument --embargo: expected one argument"),
        (["--embargo=-1d"], "--embargo -1d: write a length of time without a sign, like 90d, 12h, 30m or 2w"),
        (["--embargo", "30m"], "--embargo 30m: it is no whole number of candles of 1h"),
        (["--out-of-sample", "0d"], "--out-of-sample 0d: it must be at least 1h"),
        (["--param", "ema_fats=1:2"], "did you mean ema_fast?"),
        (["--objective", "sharpe"], "--objective sharpe needs 30 days"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], problem: str
) -> None:
    try:
        status: object = main([*WORDS, *GRID, "--workers", "1", "--out", str(tmp_path / "walk"), *words])
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1
    assert not (tmp_path / "walk").exists()


def test_in_sample_without_trades_is_no_best_and_trades_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*WORDS, *GRID, "--set", "strategy.params.volume_factor=1000000000.0", "--workers", "1"]
    assert main([*words, "--out", str(tmp_path / "walk")]) == 0
    shown = capsys.readouterr()
    assert shown.out.count("not traded: no trial had a value") == 3
    assert "no best in sample, not traded" in shown.err
    performance = json.loads((tmp_path / "walk/walk_forward.json").read_text())["performance"]
    assert (performance["final_balance"], performance["total_trades"], performance["win_rate"]) == (10_000.0, 0, None)
