"""`reproduce` as a command: a line for each hash, and the exit status is the answer."""

import json
from pathlib import Path

import pytest

from tests.parity.market import fill_cache
from tests.proof_runs import changed, dearer, edit, market, replay, said

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return replay(tmp_path, "run", market())


def test_reproduced(capsys: Capture, run: Path) -> None:
    status, out = said(capsys, "reproduce", run, "--cache", run.with_name("run_cache"))
    lines = out.splitlines()
    assert (status, lines[0]) == (0, f"{run}: reproduced, every byte of its outputs")
    assert [line.split()[-1] for line in lines[3:]] == ["same"] * 7


def test_not_reproduced(capsys: Capture, tmp_path: Path, run: Path) -> None:
    other = fill_cache(tmp_path / "other", changed(market(), "AAA/X", 100, dearer)).root
    status, out = said(capsys, "reproduce", run, "--cache", other)
    assert (status, out.splitlines()[0]) == (1, f"{run}: NOT reproduced")
    assert "first difference: data_sha256: the candles are not those that the run read" in out
    assert "note: other candles of AAA/X 1m: 2025-03" in out
    status, out = said(capsys, "reproduce", run, "--cache", other, "--json")
    content = json.loads(out)
    assert (status, content["same"], content["first_difference"]) == (1, False, "data_sha256")
    assert content["hashes"]["data_sha256"]["then"] != content["hashes"]["data_sha256"]["now"]


def test_other_code_that_gives_the_same_is_reproduced(capsys: Capture, run: Path) -> None:
    edit(run / "manifest.json", lambda content: content.update(code_sha256="0"))
    status, out = said(capsys, "reproduce", run, "--cache", run.with_name("run_cache"))
    assert status == 0
    assert "first difference: code_sha256: Onetape's code has changed\nit led to no other output\n" in out
