"""The shortfall in text and JSON: the same numbers, and the exit status."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.live_twins import Venue, live, paper
from tests.proof_runs import compared, edit, said

Capture = pytest.CaptureFixture[str]


def test_text_and_json_say_the_same(tmp_path: Path, capsys: Capture) -> None:
    own, other = live(tmp_path, "live", Venue(worse=0.001, parts=2)), paper(tmp_path, "paper")
    status, content = compared(capsys, own, other)
    assert (status, content["explained"], content["class"]) == (0, True, "real orders")
    told = content["shortfall"]
    assert told["difference"] == pytest.approx(sum(told["parts"].values()), abs=1e-9)
    assert told["fills_live"] == 2 * told["fills_paper"]
    assert told["latency_ms"] == {"p50": 200.0, "p99": 200.0, "max": 200.0}
    assert [one["difference"] for one in told["trades"]] == pytest.approx(
        [one["live"]["pnl"] - one["paper"]["pnl"] for one in told["trades"]]
    )
    _, text = said(capsys, "compare", own, other)
    assert "Real orders (A) against paper (B), in quote currency" in text
    assert f"  slippage                {told['parts']['slippage']:+14,.6f}   " in text
    assert "  residual                             0\n" in text
    assert "  decision to fill        p50 200 ms, p99 200 ms\n" in text
    assert "Explained          yes" in text


def test_a_residual_is_exit_status_1(tmp_path: Path, capsys: Capture) -> None:
    own, other = live(tmp_path, "live", Venue()), paper(tmp_path, "paper")

    def lose(content: dict[str, Any]) -> None:
        content["performance"]["final_balance"] -= 0.01

    edit(own / "results.json", lose)
    status, text = said(capsys, "compare", own, other)
    assert status == 1
    assert "  residual                     -0.010000\n" in text
    assert "Explained          NO: something has no cause in what went in or in what the exchange did" in text
    status, content = compared(capsys, own, other)
    assert (status, content["explained"]) == (1, False)
    assert json.dumps(content["shortfall"]["residual"])
