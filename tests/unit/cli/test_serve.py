"""`serve`: what it says at its start, what it refuses, and that it ends."""

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.cli.main import main
from tests.operator_pages import token_in


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A session's folder."""
    (tmp_path / "run" / "tape").mkdir(parents=True)
    return tmp_path / "run"


@contextmanager
def started(*words: str) -> Iterator["subprocess.Popen[str]"]:
    """Until the block ends, and no longer: a test that fails does not wait for it."""
    with subprocess.Popen(
        [sys.executable, "-m", "app", "serve", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_it_listens_here_alone_and_ends_with_sigterm(run: Path, tmp_path: Path) -> None:
    path = token_in(tmp_path)
    with started(str(run), "--port", "0", "--token-file", str(path)) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        if sys.platform == "linux":
            assert os.sched_getscheduler(process.pid) == os.SCHED_BATCH, "it interrupts no session"
        asked = urllib.request.Request(
            url + "/sessions", headers={"Authorization": f"Bearer {path.read_text().strip()}"}
        )
        with urllib.request.urlopen(asked, timeout=300) as answer:
            assert b'"name": "run"' in answer.read()
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(url + "/sessions", timeout=300)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 0
    assert url.startswith("http://127.0.0.1:")
    assert err == f"onetape: open {url}/login; the token is in {path}\n"
    assert path.read_text().strip() not in err


def test_what_cannot_be_served_is_one_line(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(token_in(tmp_path))
    assert main(["serve", str(tmp_path), "--token-file", path]) == 2
    assert "is no folder of a session: it holds no tape" in capsys.readouterr().err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", str(run), "--port", str(port), "--token-file", path]) == 2
    assert f"127.0.0.1:{port} cannot be listened on" in capsys.readouterr().err
    assert main(["serve", str(run), "--port", "70000", "--token-file", path]) == 2
    assert "--port 70000: at most 65535" in capsys.readouterr().err
    Path(path).chmod(0o644)
    assert main(["serve", str(run), "--token-file", path]) == 2
    assert "may be read by others" in capsys.readouterr().err
