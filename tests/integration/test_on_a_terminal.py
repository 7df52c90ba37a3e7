"""A backtest as a user on a terminal sees it, and the same one in a pipe: one set of figures, two layouts."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
ARGUMENTS = [
    "--mode", "backtest", "--config", "config/sample/live.yaml", "--cache", "data/sample", "--start", "2023-04-01",
    "--end", "2023-04-20", "--no-report",
]  # fmt: skip
PROGRAM = (
    "import sys; from app.cli.main import main; status = main(sys.argv[1:]); "
    "print('imported:', [n for n in ('rich', 'pandas', 'plotly') if n in sys.modules]); sys.exit(status)"
)


def on_terminal(out: Path, **environment: str) -> str:
    """What a terminal of 120 columns gets."""
    ours, theirs = pty.openpty()
    env = {**{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}, "COLUMNS": "120"}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *ARGUMENTS, "--out", str(out)],
        cwd=ROOT, env={**env, "TERM": "xterm-256color", **environment}, stdout=theirs, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs)
    got = bytearray()
    try:
        while chunk := os.read(ours, 65_536):
            got += chunk
    except OSError:  # Linux says EIO where the other end is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0
    return got.decode().replace("\r\n", "\n")


def in_pipe(out: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *ARGUMENTS, "--out", str(out)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def words(text: str) -> list[str]:
    """All but what differs between runs: the speed, the folder, the imports."""
    return [
        word for line in text.splitlines()[1:] if "/run" not in line and "imported" not in line for word in line.split()
    ]


def test_a_terminal_has_colours_and_a_pipe_has_none_and_both_have_the_same_figures(tmp_path: Path) -> None:
    seen, piped = on_terminal(tmp_path / "a/run"), in_pipe(tmp_path / "b/run")
    assert "\x1b[31m-" in seen
    assert "\x1b" not in piped
    assert sorted(words(CODE.sub("", seen))) == sorted(words(piped))
    assert "Total return:         " in piped
    assert seen.splitlines()[-1] == "imported: ['rich']"
    assert piped.splitlines()[-1] == "imported: []"


def test_without_colour_the_tables_stay(tmp_path: Path) -> None:
    seen = on_terminal(tmp_path / "run", NO_COLOR="1")
    assert set(re.findall(r"\x1b\[([0-9;?]*)[a-zA-Z]", seen)) == {"1", "0"}, "bold is no colour"
    assert "Final equity:         " in seen


def test_a_dumb_terminal_gets_what_a_pipe_gets(tmp_path: Path) -> None:
    seen = on_terminal(tmp_path / "a/run", TERM="dumb").splitlines()
    piped = in_pipe(tmp_path / "b/run").splitlines()
    assert seen[-1] == "imported: []"
    assert [line for line in seen[1:] if "/run" not in line] == [line for line in piped[1:] if "/run" not in line]
