"""docs/compare.md shows what the commands print: its examples are run, and every line of theirs is in the page."""

import re
from pathlib import Path

import pytest

from app.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/compare.md").read_text()


def printed(capsys: pytest.CaptureFixture[str], command: str) -> str:
    assert main(command.replace("\\\n", " ").split()[3:]) in (0, 1)
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_the_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("config", "data"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^python -m app (?:.*\\\n)?.*$", PAGE, re.MULTILINE)
    outputs = [printed(capsys, command) for command in commands]
    assert len(outputs) == 5
    for output in outputs[2:4]:  # compare and why
        assert f"```\n{output}```\n" in PAGE
    assert "reproduced, every byte" in outputs[4]
