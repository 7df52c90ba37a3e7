"""`why` as a command: text and JSON say the same, and what has changed since the run is said first."""

import json
from pathlib import Path

import pytest

from app.times import iso_ms
from tests.candle_columns import MINUTE_MS
from tests.proof_runs import START_MS, edit, first_entry, market, replay, said

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return replay(tmp_path, "run", market())


def why(capsys: Capture, run: Path, symbol: str, time: str, *more: str) -> str:
    status, out = said(capsys, "why", run, symbol, time, "--cache", run.with_name("run_cache"), *more)
    assert status == 0
    return out


def test_text_and_json_hold_the_same(capsys: Capture, run: Path) -> None:
    entry = first_entry(run)
    words = entry["symbol"], entry["timestamp"]
    text, content = why(capsys, run, *words), json.loads(why(capsys, run, *words, "--json"))
    assert text.startswith(f"{run}: {entry['symbol']}, strategy ScalpingEMARSI\n\nCandle\n")
    for title, lines in content["sections"].items():
        assert f"\n\n{title}\n" in text
        for label, value in lines:
            assert f"  {label.ljust(30)}{value}\n" in text
    assert content["sizing"]["quantity"] == float(entry["quantity"])
    assert content["notes"] == []


def test_numbers_that_do_not_exist_are_null(capsys: Capture, run: Path) -> None:
    content = json.loads(why(capsys, run, "AAA/X", iso_ms(START_MS - 57 * MINUTE_MS), "--json"))
    assert content["indicators"]["rsi"] is None
    assert [one["value"] for one in content["conditions"] if one["name"] == "LONG: RSI"] == [None]


@pytest.mark.parametrize(
    ("key", "what"), [("code_sha256", "the code of Onetape"), ("strategy_sha256", "the strategy's file")]
)
def test_what_has_changed_is_said(capsys: Capture, run: Path, key: str, what: str) -> None:
    edit(run / "manifest.json", lambda content: content.update({key: "0"}))
    lines = why(capsys, run, "AAA/X", iso_ms(START_MS + 200 * MINUTE_MS)).splitlines()
    assert lines[1] == f"note: {what} has changed since the run: this is what it would do now"
