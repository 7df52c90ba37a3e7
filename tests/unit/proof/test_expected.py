"""Which of candles, fills and code made a session leave its band: the other run of a comparison answers."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.proof.compare_report import comparison_json, render_comparison
from app.proof.comparison import Comparison, compare
from app.proof.expected import expectation_json
from app.runs.reader import Run
from app.times import DAY_MS
from app.web.expecting import name_expectation
from tests.expected_runs import backtest, rewrite
from tests.proof_runs import START_MS, changed, dearer, market, replay, session, slices_of

FELL = [1.0, 0.4, 0.4]


def compared(a: Path, b: Path, growth_a: list[float], growth_b: list[float]) -> Comparison:
    """Of runs that differ as they do, with the equity of months made up afterwards."""
    found = compare(Run.open(a), Run.open(b), [CandleCache(one.with_name(f"{one.name}_cache")) for one in (a, b)])
    rewrite(a, growth_a, START_MS)
    rewrite(b, growth_b, START_MS)
    return replace(found, a=Run.open(a), b=Run.open(b))


def live_with_band(tmp_path: Path) -> Path:
    run = session(tmp_path / "live", slices_of(tmp_path / "live_cache", market()))
    name_expectation(run, backtest(tmp_path), days=20)
    return run


@pytest.mark.parametrize(
    ("growth", "other", "cause", "words"),
    [
        (
            FELL,
            FELL,
            "edge",
            "; B is outside there, too: neither candles nor fills nor code, but the edge itself, or luck",
        ),
        (FELL, [1.0, 1.0, 1.0], "candles", "; B stays inside: the cause is candles"),
        (FELL, [1.0, 9.0, 9.0], "candles", "; B stays inside: the cause is candles"),
        ([1.0, 0.4, 1.0], [1.0, 1.0, 1.0], None, "(90 %)"),
    ],
)
def test_candles_or_the_edge(tmp_path: Path, growth: list[float], other: list[float], cause: str, words: str) -> None:
    run = live_with_band(tmp_path)
    dear = replay(tmp_path, "b", changed(market(), "AAA/X", 200, dearer))
    found = compared(run, dear, growth, other)
    answer = expectation_json(found)
    assert answer is not None
    assert (answer["cause"], answer["outside"]) == (cause, cause is not None)
    assert answer["said"].endswith(words)
    assert render_comparison(found).splitlines()[-1] == f"Expectation        {answer['said']}"
    assert comparison_json(found)["expectation"] == answer


def test_settings_whichever_comes_first(tmp_path: Path) -> None:
    run = live_with_band(tmp_path)
    other = replay(tmp_path, "b", market(), "commission_rate=0.01")
    found = expectation_json(compared(other, run, [1.0, 1.0, 1.0], FELL))
    assert found is not None
    assert found["cause"] == "settings"
    assert found["said"].endswith("; A stays inside: the cause is settings")


def test_nothing_differs_and_yet_it_left(tmp_path: Path) -> None:
    run = live_with_band(tmp_path)
    found = expectation_json(compared(run, replay(tmp_path, "b", market()), FELL, [1.0, 1.0, 1.0]))
    assert found is not None
    assert found["cause"] == "unexplained"


def test_a_run_of_another_period_cannot_tell(tmp_path: Path) -> None:
    run = live_with_band(tmp_path)
    found = compared(run, replay(tmp_path, "b", market()), FELL, [1.0, 1.0, 1.0])
    rewrite(found.b.folder, [1.0] * 5, START_MS - 9 * DAY_MS)
    answer = expectation_json(replace(found, b=Run.open(found.b.folder)))
    assert answer is not None
    assert answer["cause"] is None
    assert "a backtest of its own period says: --start 2025-03-30T19:00" in answer["said"]


def test_runs_without_an_expectation(tmp_path: Path) -> None:
    found = compared(replay(tmp_path, "a", market()), replay(tmp_path, "b", market()), FELL, FELL)
    assert expectation_json(found) is None
    assert "Expectation" not in render_comparison(found)
