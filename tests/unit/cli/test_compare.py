"""`compare` as a command: its words and its exit status."""

from pathlib import Path

import pytest

from app.cli.main import main
from tests.proof_runs import edit_row, market, replay, said, trades_of


def test_the_exit_status_is_the_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = replay(tmp_path, "a", market()), replay(tmp_path, "b", market())
    cache = tmp_path / "a_cache"
    assert said(capsys, "compare", a, b, "--cache", cache)[0] == 0
    other = replay(tmp_path, "c", market(), "reward_risk_ratio=3")
    status, out = said(capsys, "compare", a, other, "--cache", cache)
    assert (status, "Explained          yes" in out) == (0, True)
    edit_row(trades_of(b), 2, lambda row: row.update(price="1.0"))
    status, out = said(capsys, "compare", a, b, "--cache", cache)
    assert (status, "Explained          NO" in out) == (1, True)
    assert main(["compare", str(a), str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
