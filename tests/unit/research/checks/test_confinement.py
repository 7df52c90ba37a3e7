"""Confinement, in a process of its own since it is for good: what is not named cannot be read, by whatever means."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.research.checks import confinement
from app.research.checks.confinement import code_below
from tests.integration.processes import PROJECT

CODE = """
import ctypes, sys
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq
from app.research.checks.confinement import confine

folder = Path(sys.argv[1])
for name in ("shown", "hidden"):
    (folder / name).mkdir()
    pq.write_table(pa.table({"x": [1]}), folder / name / "t.parquet")
if not confine([sys.prefix, sys.base_prefix, "/usr", "/lib", "/proc", str(folder / "shown"), str(folder / "none")]):
    print("no Landlock")
    sys.exit()
assert "NoNewPrivs:\\t1" in Path("/proc/self/status").read_text(), "else only root may"
assert pq.read_table(str(folder / "shown" / "t.parquet")).num_rows == 1
c = ctypes.CDLL(None)
c.fopen.restype = ctypes.c_void_p
assert c.fopen(str(folder / "shown" / "t.parquet").encode(), b"r")
assert not c.fopen(str(folder / "hidden" / "t.parquet").encode(), b"r")
for read in (lambda path: pq.read_table(str(path)), lambda path: path.read_bytes()):
    try:
        read(folder / "hidden" / "t.parquet")
    except PermissionError:
        continue
    raise AssertionError("read")
import socket
try:
    socket.create_connection(("127.0.0.1", 9))
except OSError as error:
    assert isinstance(error, (PermissionError, ConnectionRefusedError))
(folder / "hidden" / "written").write_text("writing is nobody's look-ahead")
print("confined")
"""


def test_what_is_not_named_cannot_be_read(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if done.stdout == "no Landlock\n":
        pytest.skip("this kernel has none")
    assert done.stdout == "confined\n"


def test_another_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not confinement.confine([])


def test_code_is_found_and_data_beside_it_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.py", "a.csv", "pack/b.py", "pack/c.so", ".hidden/d.py", "node_modules/e.py", "data/t.parquet"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    assert code_below([tmp_path]) == [f"{tmp_path}/{name}" for name in ("a.py", "pack/b.py", "pack/c.so")]
    assert code_below([]) == []
    monkeypatch.setattr(confinement, "_FOLDERS_MAX", 2)
    assert code_below([tmp_path]) is None
