"""Events: names with key-values on standard error, JSON lines on demand, nothing at all where nobody listens."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import OutputError
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


def test_a_file_gets_json_lines_and_keeps_what_it_had(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "logs" / "onetape.jsonl"
    for number in (1, 2):
        make_log(as_json=False, file=file)("run_finished", candles=number)
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [(line["event"], line["candles"]) for line in lines] == [("run_finished", 1), ("run_finished", 2)]
    assert capsys.readouterr() == ("", "")


def test_a_file_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match=r"--log-file .*taken/log: cannot be written"):
        make_log(as_json=False, file=tmp_path / "taken" / "log")


def test_in_a_pipe_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    make_log(as_json=False)("run_started", config="a.yaml")
    assert capsys.readouterr() == ("", "")


def test_who_does_not_listen_does_not_pay_for_structlog() -> None:
    script = "import sys; from app.log import make_log; make_log(as_json=False)('x'); print('structlog' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
