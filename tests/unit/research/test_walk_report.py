"""The report of a walk-forward: sums, words for what is undefined, and where it lies."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.research.walk_forward import Best, walk_windows
from app.research.walk_report import default_folder, walk_content, walk_lines, window_line
from app.research.windows import Window
from tests.walks import best_of, walk

Content = dict[str, Any]


def some(window: Window) -> Best:
    return Best(None, None, 4, {}) if window.number == 2 else best_of("strategy.params.ema_fast=8")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Content:
    folder = tmp_path_factory.mktemp("walks") / "walk"
    own = walk()
    return walk_content(own, walk_windows(own, some, folder), folder)


def test_the_sums(found: Content) -> None:
    returns = [block["out_of_sample"]["return_pct"] for block in found["windows"]]
    assert (found["windows_traded"], found["windows_halted"]) == (2, 0)
    assert found["windows_with_a_gain"] == sum(value > 0 for value in returns)
    assert found["unused_days"] == 4.0
    assert found["rule"] == {
        "in_sample_days": 20.0, "out_of_sample_days": 10.0, "embargo_days": 1.0, "anchored": False,
    }  # fmt: skip
    assert found["period"] == {"start": "2023-03-22T00:00:00.000Z", "end": "2023-04-21T00:00:00.000Z"}
    assert found["files"]["trades"] == "walk_forward_2023-03-22_2023-04-21.csv"
    json.dumps(found, allow_nan=False)


def test_the_table(found: Content) -> None:
    lines = "\n".join(walk_lines(found, Path("here"))).splitlines()
    assert lines[0].startswith(
        "Onetape walk-forward: 3 rolling windows, 20 days in sample, 10 out of it, embargo 1; grid"
    )
    head = lines.index(next(line for line in lines if line.startswith("window")))
    rows = lines[head + 1 : head + 4]
    assert rows[1].split()[:9] == ["2", "2023-04-01", "to", "2023-04-11", "not", "traded:", "no", "trial", "had"]
    for row, block in zip(rows, found["windows"], strict=True):
        assert f"{block['out_of_sample']['final_balance']:,.2f}" in row
    assert "ema_fast=8" in rows[0]
    assert f"Efficiency:         {found['efficiency']:.2f}" in lines
    assert (
        "Windows:            2 of 2 that traded gained, 1 did not trade" in lines or found["windows_with_a_gain"] != 2
    )
    assert "the last 4 days are shorter than an out-of-sample span: not traded" in lines
    assert any("a window that halted stays halted to its end" in line for line in lines)


def test_what_is_undefined_is_said(found: Content) -> None:
    changed = found | {"efficiency": None, "buy_and_hold": None, "unused_days": 0.0, "windows_halted": 1}
    halted = {**found["windows"][0], "efficiency": None}
    halted["out_of_sample"] = {**halted["out_of_sample"], "halted": True}
    changed["windows"] = [halted, found["windows"][1], {**found["windows"][1], "trials": 0}]
    text = "\n".join(walk_lines(changed, Path("here")))
    assert "Efficiency:         n/a" in text
    assert "Buy and hold:       n/a" in text
    assert "1 halted" in text
    assert "  halted\n" in text
    assert "not traded: nothing is left" in text
    assert "shorter than" not in text


def test_a_window_as_it_is_done(found: Content) -> None:
    first, second = found["windows"][:2]
    assert window_line(first).startswith(
        "window 1: 2023-03-22 to 2023-04-01: ema_fast=8; in sample +4.00 %, out of it "
    )
    assert "no best in sample, not traded; balance" in window_line(second)


def test_the_folder_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = walk()
    monkeypatch.chdir(tmp_path)
    name = "logs/walk_forward/walk_forward_2023-03-01_2023-04-25"
    assert default_folder(own) == Path(name)
    assert Path(name).is_dir(), "nobody else gets it"
    assert default_folder(own) == Path(f"{name}-2")
