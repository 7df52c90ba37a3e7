"""`new`: the file it writes is a strategy that runs at once, and it overwrites nothing."""

from pathlib import Path

import pytest

from app.cli.new import write_template
from app.errors import OutputError
from app.strategies.loader import load_strategy


@pytest.mark.parametrize(
    ("name", "class_name"),
    [("my_strategy.py", "MyStrategy"), ("breakout-2.py", "Breakout2"), ("x.py", "X"), ("deep/er/mean.py", "Mean")],
)
def test_the_template_is_a_strategy_of_that_name(tmp_path: Path, name: str, class_name: str) -> None:
    write_template(tmp_path / name)
    loaded = load_strategy(str(tmp_path / name))
    assert loaded.cls.__name__ == class_name
    assert loaded().warmup_candles == 30
    assert load_strategy(str(tmp_path / name), {"fast": 5, "slow": 40})().warmup_candles == 40


def test_what_exists_stays(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("mine")
    with pytest.raises(OutputError, match=r"mine.py exists; choose another name"):
        write_template(path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mine", "a strategy file ends in .py"),
        ("2fast.py", "2fast is no name for a class"),
        ("a b.py", "is no name for a class"),
        ("file/x.py", "cannot write .*: File exists"),
    ],
)
def test_what_cannot_be_written_is_said(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=message):
        write_template(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
