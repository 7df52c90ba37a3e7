"""A second process on one account is refused, whatever folder it writes into."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import OutputError
from app.session.account_lock import account_lock

HOLD = """
import sys
from app.session.account_lock import account_lock
with account_lock("abc"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_process_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        said = f"process {other.pid} trades this account at this exchange already; stop it first"
        with pytest.raises(OutputError, match=said), account_lock("abc"):
            pass
        with account_lock("another"):
            pass
        other.kill()
        other.wait()
        with account_lock("abc"):
            assert (tmp_path / "onetape/accounts/abc.lock").read_text() == f"{os.getpid()}\n"
    with account_lock("abc"):
        pass


def test_without_a_state_folder_it_lies_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with account_lock("abc"):
        assert (tmp_path / ".local/state/onetape/accounts/abc.lock").exists()
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="cannot write"), account_lock("abc"):
        pass
