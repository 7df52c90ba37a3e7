"""`monte-carlo RUN` on the command line: the table, the file, the same bytes, one line for bad input."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from app import run_config_backtest
from app.cli.main import main

ROOT = Path(__file__).resolve().parents[3]
CONFIG, CACHE = ROOT / "config/sample/live.yaml", ROOT / "data/sample"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    run_config_backtest("2023-03-01", "2023-04-15", config=CONFIG, cache=CACHE, out=folder, offline=True)
    return folder


def asked(run: Path, *words: str) -> list[str]:
    return ["monte-carlo", str(run), "--cache", str(CACHE), "--runs", "30", "--workers", "1", *words]


def test_the_table_says_what_each_method_is_worth(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(asked(run, "--out", str(tmp_path / "out"))) == 0
    shown = capsys.readouterr()
    found = json.loads((tmp_path / "out/monte_carlo.json").read_text())
    lines = shown.out.splitlines()
    band = found["methods"]["candles"]["max_drawdown_pct"]
    _, row, _ = (line for line in lines if line.startswith("candles   "))  # tables of equity, drawdown, probability
    assert row.split()[1] == "30"
    assert row.split()[3:9] == [f"{band[name]:.2f}" for name in ("p5", "p25", "p50", "p75", "p95", "observed")]
    for method in ("shuffle", "trades", "days", "candles"):
        (told,) = (line for line in lines if line.startswith(f"{method} keeps "))
        assert len(told) <= 110
    assert "It cannot tell anything about the profit" in " ".join(shown.out.split())
    assert "onetape: candles: 30 of 30 paths" in shown.err
    assert (tmp_path / "out/monte_carlo.html").read_text().count("<svg") == 3  # candles have no common steps
    assert not (run / "monte_carlo.json").exists()


def test_the_file_lies_in_the_run_folder_and_has_the_same_bytes_again(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(asked(run, "--json", "--seed", "4")) == 0
    printed = capsys.readouterr().out
    written = (run / "monte_carlo.json").read_text()
    assert printed == written
    assert main(asked(run, "--seed", "4", "--workers", "2")) == 0
    assert (run / "monte_carlo.json").read_text() == written
    assert main(asked(run, "--seed", "5", "--method", "shuffle, days")) == 0
    assert list(json.loads((run / "monte_carlo.json").read_text())["methods"]) == ["shuffle", "days"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--method", "bootstrap"], "--method bootstrap: unknown; known are shuffle, trades, days, candles and all"),
        (["--workers", "0"], "--workers 0: at least one process is needed"),
        (["--runs", "0"], "--runs 0: at least one path is needed"),
        (["--runs", "many"], "argument --runs: invalid int value: 'many'"),
    ],
)
def test_bad_input_is_one_line(run: Path, capsys: pytest.CaptureFixture[str], words: list[str], problem: str) -> None:
    try:
        status: object = main(asked(run, *words))
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1


def test_a_folder_without_a_finished_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["monte-carlo", str(tmp_path)]) == 2
    assert "it is no run folder" in capsys.readouterr().err
    (tmp_path / "config_backtest_x.csv").touch()
    assert main(["monte-carlo", str(tmp_path)]) == 2
    assert "its run has not finished" in capsys.readouterr().err


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_is_one_line_and_leaves_no_process(run: Path, tmp_path: Path, workers: str, number: int) -> None:
    words = [*asked(run, "--method", "candles", "--out", str(tmp_path / "out")), "--runs", "1000", "--workers", workers]
    command = [sys.executable, "-m", "app", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        assert "candles: 100 of 1,000 paths" in process.stderr.readline()
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # Ctrl-C reaches the workers, too
        else:
            process.send_signal(number)
        try:
            _, told = process.communicate(timeout=300)  # a worker that stayed would keep the pipe open
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    *further, last = told.splitlines()
    assert last == "onetape: stopped; nothing was written"
    assert all(line.endswith(" of 1,000 paths") for line in further), "counted before the signal came"
    assert process.returncode == 2
    assert not (tmp_path / "out").exists()
