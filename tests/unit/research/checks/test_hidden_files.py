"""What a strategy may open in a check, in a process of its own: the hook stays in a process for good."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from tests.candle_columns import START_MS, make_candles, minutes
from tests.integration.processes import PROJECT

HEAD = """
import builtins, glob, io, json, os, pathlib, socket, sqlite3, subprocess, sys
from pathlib import Path
import numpy as np
from app.candles.cache import CandleCache
from app.research.checks.hidden_files import HiddenFiles
from app.research.checks.past_cache import PastCache

folder = Path(sys.argv[1])
cache = CandleCache(folder / "real")
past = PastCache(cache, folder / "own" / "past", START, scrambled_future=False)
hidden = HiddenFiles(cache.root, past.place, folder / "own", [folder / "allowed"], [str(folder / "params.json")])
hidden.install()
hidden.now_ms = past.now_ms = START + 30 * 60_000

def refused(call, kind=FileNotFoundError):
    try:
        call()
    except kind:
        return True
    raise AssertionError(f"{call} was let through")

"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    CandleCache(tmp_path / "real").merge("A/X", "1m", make_candles(minutes(120)))
    for name in ("own", "allowed"):
        (tmp_path / name).mkdir()
    for name in ("labels.csv", "allowed/model.json", "params.json", "labels.db"):
        (tmp_path / name).write_text("1,2")
    return tmp_path


def told(folder: Path, code: str) -> list[str]:
    """What was noted, in order; the code may assert."""
    text = HEAD.replace("START", str(START_MS)) + code + "\nprint(*[one.what for one in hidden.accesses], sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", text, str(folder)], cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.replace(str(folder), "F").splitlines()


def test_other_files_do_not_exist(folder: Path) -> None:
    code = """
labels = folder / "labels.csv"
for call in (
    lambda: open(labels), lambda: io.open(str(labels), "rb"), labels.read_text, lambda: os.open(labels, os.O_RDONLY),
    lambda: open(bytes(labels)), lambda: np.loadtxt(labels, delimiter=","), lambda: np.fromfile(str(labels)),
    lambda: open(labels, "r+"), lambda: os.open(labels, os.O_RDWR),
):
    assert refused(call)
assert refused(lambda: sqlite3.connect(folder / "labels.db"))
"""
    assert set(told(folder, code)) == {"F/labels.csv", "F/labels.db"}


def test_what_may_be_opened(folder: Path) -> None:
    code = """
assert (folder / "allowed" / "model.json").read_text() == (folder / "params.json").read_text() == "1,2"
assert [one.is_hidden for one in hidden.accesses] == [False]
(folder / "notes.txt").write_text("its own")
assert (folder / "notes.txt").read_text() == "its own"
(folder / "code.py").write_text("x = 1")
assert "x = 1" in (folder / "code.py").read_text()
assert Path(json.__file__).read_text() and Path("/proc/self/status").read_text()
import calendar, decimal, fractions
assert refused(lambda: open(folder / "absent.txt"))
with open(folder / "labels.csv", "a") as file:
    file.write("3")
assert refused(lambda: open(folder / "labels.csv"))
"""
    assert told(folder, code) == ["F/params.json", "F/labels.csv"], (
        "a file that was there before stays hidden when it is written to"
    )


def test_the_cache_is_that_of_the_moment_by_every_way_in(folder: Path) -> None:
    code = """
month = cache.root / "A_X" / "1m" / "2025-10.parquet"
assert len(cache.read("A/X", "1m", "2025-10").open_time_ms) == 30
assert cache.months("A/X", "1m") == ["2025-10"] and os.listdir(month.parent) == ["2025-10.parquet"]
assert [entry.name for entry in os.scandir(month.parent)] == ["2025-10.parquet"]
assert list(month.parent.glob("*.parquet")) == [month] and glob.glob(str(month.parent / "*")) == [str(month)]
later = month.with_name("2025-11.parquet")
assert month.exists() and not later.exists() and refused(lambda: open(later, "rb"))
size = os.stat(month).st_size
past.now_ms += 60_000
assert len(cache.read("A/X", "1m", "2025-10").open_time_ms) == 31
os.chdir(cache.root)
assert len(CandleCache(Path(".")).read("A/X", "1m", "2025-10").open_time_ms) == 31
assert [os.path.basename(one) for one in os.listdir()] == ["A_X"] and os.stat(path=month).st_size > size
with open(file=month, mode="rb") as file:
    assert file.read() == (past.folder / "A_X" / "1m" / "2025-10.parquet").read_bytes()
with hidden.lifted():
    assert len(cache.read("A/X", "1m", "2025-10").open_time_ms) == 60
"""
    assert all(one.startswith("the candle cache ") for one in told(folder, code))


def test_nothing_connects_and_nothing_is_started(folder: Path) -> None:
    code = """
assert refused(lambda: socket.create_connection(("127.0.0.1", 9)), PermissionError)
assert refused(lambda: socket.getaddrinfo("example.org", 80), PermissionError)
assert refused(lambda: subprocess.run(["true"]), PermissionError)
assert refused(lambda: os.system("true"), PermissionError)
assert refused(os.fork, PermissionError)
"""
    noted = told(folder, code)
    assert [one.split(" (")[0] for one in noted] == ["the network"] * 2 + ["another program"] * 3


def test_when_it_was_reached_for(folder: Path) -> None:
    code = """
hidden.now_ms = None
refused(lambda: open(folder / "labels.csv"))
hidden.now_ms = past.now_ms
refused(lambda: open(folder / "labels.db"))
assert [one.time_ms for one in hidden.accesses] == [None, past.now_ms]
for _ in range(300):
    refused(lambda: open(folder / "labels.csv"))
"""
    assert told(folder, code) == ["F/labels.csv", "F/labels.db"]
