"""`indicators` as a command: text and JSON say the same."""

import json
from pathlib import Path

import pytest

from tests.proof_runs import market, replay, said

Capture = pytest.CaptureFixture[str]


def test_text_and_json_hold_the_same(capsys: Capture, tmp_path: Path) -> None:
    run = replay(tmp_path, "run", market())
    words = ("indicators", run, "AAA/X", "--cache", tmp_path / "run_cache", "--candles", "3")
    (status, text), (again, content) = said(capsys, *words), said(capsys, *words, "--json")
    assert (status, again) == (0, 0)
    lines = text.splitlines()
    assert lines[:2] == [
        "main on AAA/X, after the candle that opened at",
        lines[1],
    ]
    assert lines[1].split() == ["UTC", "ema_fast", "ema_slow", "rsi", "atr", "volume_sma"]
    [told] = json.loads(content)["lines"]
    assert len(lines) == 5
    for line, *values in zip(lines[2:], *(told["values"][name] for name in lines[1].split()[1:]), strict=True):
        assert line.split()[2:] == [f"{value:,.8g}" for value in values]


def test_before_an_indicator_exists_there_is_a_dash(capsys: Capture, tmp_path: Path) -> None:
    run = replay(tmp_path, "run", market())
    words = ("indicators", run, "AAA/X", "--cache", tmp_path / "run_cache", "--candles", "1000")
    _, text = said(capsys, *words)
    assert text.splitlines()[2].split()[2:] == ["-"] * 5
    _, content = said(capsys, *words, "--json")
    assert json.loads(content)["lines"][0]["values"]["rsi"][0] is None
