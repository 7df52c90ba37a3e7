"""The command line: which command, which exit status, and one line for every expected fault."""

import argparse
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import main as cli
from app.cli import new
from app.cli.main import main
from app.errors import OnetapeError
from app.strategies import loader

ROOT = Path(__file__).resolve().parents[3]


def fault(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    try:
        status = main(words)
    except SystemExit as exit_:  # argparse's own way out
        status = exit_.code if isinstance(exit_.code, int) else -1
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert err.startswith("onetape: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "the following arguments are required: --mode"),
        (("--mode",), "argument --mode: expected one argument"),
        (("--mode", "liv"), "invalid choice: 'liv' (choose from 'backtest', 'paper', 'live')"),
        (("--mode", "backtest", "--bogus"), "unrecognized arguments: --bogus; see `python -m app --help`"),
        (("--mode", "backtest", "--star", "2025-01-01"), "unrecognized arguments: --star 2025-01-01"),
        (("--mode", "backtest", "--max-missing", "x"), "--max-missing: 'x' is no count"),
        (("--mode", "backtest", "--max-missing", "-1"), "--max-missing: "),
        (("bogus",), "invalid choice: 'bogus' (choose from"),
        (("check", "--bogus"), "unrecognized arguments: --bogus"),
        (("new",), "the following arguments are required: my_strategy.py; see `python -m app new --help`"),
        (("data",), "the following arguments are required: COMMAND; see `python -m app data --help`"),
        (("data", "improt"), "invalid choice: 'improt'"),
        (("data", "list", "--cach", "x"), "unrecognized arguments: --cach x"),
        (
            ("--mode", "live"),
            "to binanceus, with real money: add --i-know-this-is-real-money, or try exchange: binance",
        ),
        (("live",), "--mode live sends real orders for BTC/USDT, ETH/USDT to binanceus, with real money"),
        (("live", "--offline"), "--mode live needs the exchange; --offline belongs to a backtest"),
        (("live", "--tape", "x"), "--tape belongs to --mode backtest; a live session is continued with --out RUN"),
        (("live", "--exchange-url", "http://192.0.2.1"), "add --i-know-this-is-real-money"),
        (("backtest", "--i-know-this-is-real-money"), "--i-know-this-is-real-money belongs to --mode live"),
        (("halt",), "the following arguments are required: RUN; see `python -m app halt --help`"),
        (("paper", "--offline"), "--mode paper needs the exchange; --offline belongs to a backtest"),
        (("backtest", "--mode", "paper"), "unrecognized arguments: --mode paper; see `python -m app backtest --help`"),
        (("demo", "--mode", "paper"), "unrecognized arguments: --mode paper"),
        (("backtests",), "invalid choice: 'backtests'"),
        (("--mode", "paper", "--offline"), "--mode paper needs the exchange; --offline belongs to a backtest"),
    ],
)
def test_arguments_that_are_wrong(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str) -> None:
    assert message in fault(capsys, *words)


@pytest.mark.parametrize("words", [(), ("demo",), ("data", "import"), *((name,) for name in cli.COMMANDS)])
def test_help_is_no_fault(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        main((*words, "--help"))
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: python -m app")
    for name, (_, about) in cli.COMMANDS.items():
        if words in ((), (name,)):
            assert about[1:] in " ".join(out.split())


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    choices = ", ".join(repr(name) for name in cli.COMMANDS)
    assert f"(choose from {choices})" in fault(capsys, "nothing")


@pytest.mark.parametrize("first", ["backtest", "paper", "live", "demo"])
def test_a_mode_may_be_the_first_word(monkeypatch: pytest.MonkeyPatch, first: str) -> None:
    ran: list[argparse.Namespace] = []

    def note(args: argparse.Namespace) -> int:
        ran.append(args)
        return 0

    monkeypatch.setattr(cli, "_run_mode", note)
    assert main([first, "--out", "run"]) == 0
    mode = "backtest" if first == "demo" else first
    if first != "demo":
        assert main(["--mode", mode, "--out", "run"]) == 0
        assert ran[0] == ran[1]
    assert (ran[0].mode, ran[0].out) == (mode, Path("run"))


def test_a_demo_is_the_whole_sample_whatever_lies_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config").mkdir()
    Path("config/live.yaml").write_text("broken: [")
    assert main(["demo", "--no-report", "--start", "2023-12-01", "--out", "run"]) == 0
    assert "2023-12-01 to 2024-01-02 UTC, 1h" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config", "run"]


def test_new_writes_a_strategy_and_says_how_to_run_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "mine.py"]) == 0
    expected = "mine.py written; run it with: python -m app --mode backtest --strategy mine.py\n"
    assert capsys.readouterr().out == expected
    assert "mine.py exists" in fault(capsys, "new", "mine.py")


class _BrokenError(OnetapeError):
    """A fault whose message has lines, as those of libraries do."""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (_BrokenError("two\nlines  and \t blanks"), "onetape: two lines and blanks\n"),
        (OSError(errno.ENOSPC, "No space left on device"), "onetape: cannot write the output: the disk is full\n"),
    ],
)
def test_a_fault_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Exception, line: str
) -> None:
    def fail(args: object) -> int:
        raise error

    monkeypatch.setattr(new, "run_new", fail)
    monkeypatch.setattr(cli, "_drop_output", lambda: None)
    assert main(["new", "x.py"]) == 2
    assert capsys.readouterr().err == line


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError(errno.EIO, "not the disk's fullness")])
def test_anything_else_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(args: object) -> int:
        raise error

    monkeypatch.setattr(new, "run_new", fail)
    monkeypatch.setattr(loader, "own_code", [])  # of tests that ran before in this process
    with pytest.raises(type(error)):
        main(["new", "x.py"])


def process(*words: str, stdout: int, buffered: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"}
    return subprocess.run(
        [sys.executable, "-m", "app", *words], cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, text=True,
        env=environment, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("buffered", [True, False])
def test_a_reader_that_has_gone_is_no_fault(buffered: bool) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = process("data", "list", "--cache", "data/sample", stdout=writing, buffered=buffered)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("buffered", [True, False])
def test_an_output_on_a_full_disk_is_one_line(buffered: bool) -> None:
    with Path("/dev/full").open("w") as full:
        done = process("data", "list", "--cache", "data/sample", stdout=full.fileno(), buffered=buffered)
    assert (done.returncode, done.stderr) == (2, "onetape: cannot write the output: the disk is full\n")


def test_a_command_does_not_import_what_another_one_needs() -> None:
    script = (
        "import sys; from app.cli.main import main; main(['data', 'list', '--cache', 'data/sample']); "
        "print([n for n in ('pandas', 'pyarrow', 'pydantic', 'yaml', 'rich', 'structlog', 'asyncio') "
        "if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_backtest_imports_nothing_heavy() -> None:
    script = (
        "import sys, tempfile; from app.cli.main import main; out = tempfile.mkdtemp() + '/run'; "
        "main(['--mode', 'backtest', '--config', 'config/sample/live.yaml', '--cache', 'data/sample', "
        "'--start', '2023-04-01', '--end', '2023-04-03', '--out', out]); "
        "print([n for n in ('pandas', 'pyarrow', 'ccxt', 'aiohttp', 'plotly', 'rich', 'structlog') "
        "if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
