"""A backtest is named for a session, kept, and renewed; what can promise nothing is refused, and nothing written."""

import json
from pathlib import Path

import pytest

from app.errors import ConfigError, ConflictError, DataError, OnetapeError
from app.runs.expectation_file import shown_expectation
from app.settings.alerts import AlertSettings
from app.times import DAY_MS
from app.web.expecting import keep_expectation, name_expectation, refresh_expectation
from tests.expected_runs import DAYS, backtest, broken_off, rewrite, write_rows
from tests.proof_runs import START_MS, market, replay


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """A session of two days, and its backtest."""
    return broken_off(tmp_path, [1.01, 1.0]), backtest(tmp_path)


def test_a_band_is_named_kept_and_renewed(runs: tuple[Path, Path]) -> None:
    run, expected = runs
    files = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    first = name_expectation(run, expected, days=30)
    assert (first["days"], first["outside"], first["trials"], first["trials_from"]) == (
        2, False, 1, "assumed: no study lies beside it",
    )  # fmt: skip
    assert first["backtest_days"] in (DAYS, DAYS + 1)
    assert len(first["mid"]) == 31
    write_rows(run, [1.01, 0.5])
    renewed = refresh_expectation(run)
    assert (renewed["outside"], renewed["left"], renewed["low"]) == (True, "2025-04-01", first["low"])
    assert json.loads((run / "expectation.json").read_text()) == renewed
    assert name_expectation(run, expected, days=30) == renewed
    left = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    assert left.keys() - files.keys() == {"expectation.json"}
    assert all(left[name] == files[name] for name in files if name != "equity.rows")


def test_a_promise_is_not_changed_after_the_fact(runs: tuple[Path, Path]) -> None:
    run, expected = runs
    first = name_expectation(run, expected, days=30)
    with pytest.raises(ConflictError, match=r"was measured against .*expected \(1 trials, 30 days\) already; remove"):
        name_expectation(run, expected, trials=50, days=30)
    assert json.loads((run / "expectation.json").read_text()) == first


def test_trials_of_the_study_it_is_the_best_of(runs: tuple[Path, Path], tmp_path: Path) -> None:
    run, expected = runs
    best = tmp_path / "study" / "best-7"
    best.parent.mkdir()
    expected.rename(best)
    (best.parent / "study.json").write_text('{"format": 1, "trials_distinct": 40}')
    found = name_expectation(run, best, days=30)
    assert (found["trials"], found["trials_from"]) == (40, "by study.json")
    (run / "expectation.json").unlink()
    assert name_expectation(run, best, trials=1, days=30)["mid"][30] > found["mid"][30]


def test_what_promises_nothing_is_refused(runs: tuple[Path, Path], tmp_path: Path) -> None:
    run, expected = runs

    def refused(kind: type[OnetapeError], words: str, session: Path = run, of: Path = expected) -> None:
        with pytest.raises(kind, match=words):
            name_expectation(session, of)
        assert not (session / "expectation.json").exists()

    with pytest.raises(ConfigError, match="no backtest was named"):
        refresh_expectation(run)
    refused(DataError, "is no run folder", of=tmp_path)
    refused(DataError, "is no folder of a session", session=tmp_path / "expected_cache")
    refused(DataError, "its run has not finished", of=run)
    rewrite(expected, [1.0, 1.1] * 20, START_MS - 50 * DAY_MS)
    refused(DataError, "a band needs 60 days of returns, these are 4")
    rewrite(expected, [1.0, 1.1] * 50, START_MS - 50 * DAY_MS)
    refused(ConfigError, "what is expected must have been known by then")
    rewrite(expected, [1.0, 1.1] * 50, START_MS - 101 * DAY_MS)
    path = expected / "manifest.json"
    manifest = path.read_text()
    for before, after, words in (
        ('"timeframe": "1m"', '"timeframe": "5m"', 'its live.strategy.timeframe is "5m", and .*live has "1m"'),
        ('"BBB/X"', '"CCC/X"', "live.symbols"),
        ('"name": "ScalpingEMARSI"', '"name": "Other"', 'strategy.name is "Other", and .*live has "ScalpingEMARSI"'),
        ('"risk_per_trade": 0.01', '"risk_per_trade": 0.02', "its risk.risk_per_trade is 0.02, and .*live has 0.01"),
        ('"commission_rate": 0.001', '"commission_rate": 0.0', "commission_rate is 0.0, and .*live has 0.001"),
    ):
        assert before in manifest
        path.write_text(manifest.replace(before, after))
        refused(ConfigError, words)


def test_another_starting_balance_is_no_other_promise(runs: tuple[Path, Path]) -> None:
    run, expected = runs
    path = expected / "manifest.json"
    manifest = path.read_text()
    assert '"starting_balance": 10000' in manifest
    path.write_text(manifest.replace('"starting_balance": 10000', '"starting_balance": 500'))
    assert not name_expectation(run, expected, days=30)["outside"]


def test_too_few_trades(runs: tuple[Path, Path], tmp_path: Path) -> None:
    run, _ = runs
    short = replay(tmp_path, "short", market())
    with pytest.raises(DataError, match="a band needs 30 closed trades, it has 11"):
        name_expectation(run, short)


def test_what_a_watch_and_a_page_ask(runs: tuple[Path, Path]) -> None:
    run, expected = runs
    assert keep_expectation(run, AlertSettings()) == {}
    assert shown_expectation(run) is None
    kept = keep_expectation(run, AlertSettings(expect=str(expected), expect_trials=3, expect_days=20))
    assert (kept["trials"], kept["expected_days"]) == (3, 20)
    assert keep_expectation(run, AlertSettings())["low"] == kept["low"]
    shown = shown_expectation(run)
    assert shown is not None
    assert shown["live"] == kept["live"]
    assert len(json.dumps(shown)) < 20_000
    before = (run / "expectation.json").read_bytes()
    write_rows(run, [1.01, 1.0, 0.5])
    later = shown_expectation(run)
    assert later is not None
    assert (later["outside"], len(later["live"])) == (True, 4)
    assert (run / "expectation.json").read_bytes() == before, "a page writes nothing"
