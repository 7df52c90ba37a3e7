"""Events: names with key-values on standard error, JSON lines on demand, nothing at all where nobody listens."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.log import make_log

ROOT = Path(__file__).resolve().parents[2]


def test_json_lines_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    log = make_log(as_json=True)
    log("run_started", config="a.yaml", candles=3)
    log("run_finished")
    out, err = capsys.readouterr()
    first, second = (json.loads(line) for line in err.splitlines())
    assert out == ""
    assert (first["event"], first["config"], first["candles"]) == ("run_started", "a.yaml", 3)
    assert first["timestamp"].endswith("Z")
    assert second["event"] == "run_finished"


def test_in_a_pipe_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    make_log(as_json=False)("run_started", config="a.yaml")
    assert capsys.readouterr() == ("", "")


def test_who_does_not_listen_does_not_pay_for_structlog() -> None:
    script = "import sys; from app.log import make_log; make_log(as_json=False)('x'); print('structlog' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
