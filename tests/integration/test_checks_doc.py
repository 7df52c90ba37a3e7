"""docs/checks.md tells what the commands really print, for the strategy that stands in it."""

import re
from pathlib import Path

import pytest

from app.cli.main import main
from tests.integration.processes import PROJECT

TEXT = (PROJECT / "docs/checks.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```\n\$ python -m app (.*?)\n(.*?)```", TEXT, re.DOTALL)


def test_there_are_four_of_them() -> None:
    assert [command.split()[:2] for command, _ in COMMANDS] == [
        ["lookahead", "peeking.py"], ["lookahead", "ScalpingEMARSI"], ["warmup", "ScalpingEMARSI"],
        ["determinism", "ScalpingEMARSI"],
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(4))
def test_what_is_printed_is_what_is_told(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert code is not None
    (tmp_path / "peeking.py").write_text(code[1], encoding="utf-8")
    for name in ("config", "data"):
        (tmp_path / name).symlink_to(PROJECT / name)
    monkeypatch.chdir(tmp_path)
    command, told = COMMANDS[number]
    status = main(command.split())
    out = capfd.readouterr().out
    if "no Landlock" in out:
        pytest.skip("this kernel has none: compiled code cannot be kept from a file")
    assert status == (1 if number == 0 else 0)
    assert all(part.strip("\n") in out for part in told.split("...\n")), out
