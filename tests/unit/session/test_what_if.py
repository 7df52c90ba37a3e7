"""A recorded session under other settings: the same settings give the session, others the run of those settings."""

import json
from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.cli.main import main
from app.errors import ConfigError
from app.models.events import Close, EndOfData, Kill, Resume
from app.proof.comparison import compare
from app.proof.differences import Cause
from app.proof.rebuild import source_of
from app.proof.reproduce import reproduce
from app.runs.reader import Run
from app.session.what_if import WhatIfRunner
from tests.live_sessions import NAME, Live, live, market

CLOSES = Close("enough", "AAA/X"), Close("of both", "BBB/X")
LOGS = ("signals.csv", "refused.jsonl")
OTHER = "strategy.params.seed=7"


@pytest.fixture
async def recorded(tmp_path: Path) -> Live:
    """The golden market, with an operator's kill, resume and closes in it."""
    made = live(tmp_path / "live")
    await made.run(*market()[:30], Kill("a look"), Resume("looked"), *market()[30:45], *CLOSES, *market()[45:])
    assert "operator" in made.trades
    return made


def files(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in (f"{NAME}.csv", "equity.parquet", *LOGS)]


async def test_the_same_settings_are_the_session_byte_for_byte(recorded: Live, tmp_path: Path) -> None:
    same = f"strategy.params.seed={recorded.plan.settings.strategies[0].params['seed']}"
    results = await WhatIfRunner(recorded.run_folder, [same], tmp_path / "what").run_async()
    assert files(tmp_path / "what") == files(recorded.run_folder)
    assert results["performance"] == recorded.results["performance"]


@pytest.mark.parametrize(
    "changed", [OTHER, "trading_mode.commission_rate=0.01", "trading_mode.safety.max_open_positions=1"]
)
async def test_other_settings_are_the_session_of_those_settings(recorded: Live, tmp_path: Path, changed: str) -> None:
    results = await WhatIfRunner(recorded.run_folder, [changed], tmp_path / "what").run_async()
    other = live(tmp_path / "other", changed)
    await other.run(*market()[:30], Kill("a look"), Resume("looked"), *market()[30:45], *CLOSES, *market()[45:])
    assert files(tmp_path / "what") == files(other.run_folder) != files(recorded.run_folder)
    note = f"what if: the tape of {recorded.run_folder} with {changed}; no session did this"
    assert results["note"] == note
    assert results["what_if"] == {"run": str(recorded.run_folder), "changed": [changed]}
    manifest = json.loads((tmp_path / "what/manifest.json").read_text())
    assert manifest["tape"]["what_if"] == [changed]


async def test_it_can_be_made_again_looked_into_and_compared(recorded: Live, tmp_path: Path) -> None:
    await WhatIfRunner(recorded.run_folder, [OTHER], tmp_path / "what").run_async()
    run = Run.open(tmp_path / "what")
    again = await reproduce(run, CandleCache(tmp_path / "cache"))
    assert again.is_same
    source = source_of(tmp_path / "what", [])
    assert source.settings.strategies[0].params["seed"] == 7
    assert list(source.events()) == [
        *market()[:30],
        Kill("a look"),
        Resume("looked"),
        *market()[30:45],
        *CLOSES,
        *market()[45:],
        EndOfData(),
        EndOfData(),
    ]
    told = compare(Run.open(recorded.run_folder), run, [])
    assert (told.cause, told.is_explained, told.is_same) == (Cause.CONFIG, True, False)
    assert "seed" in told.evidence


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ("live.symbols=[AAA/X]", "live.symbols cannot be otherwise in the tape of"),
        ("live.timeframe=5m", "live.timeframe cannot be otherwise"),
        ("live.feed.late_candles=9", "live.feed cannot be otherwise"),
        ("live.startup_candles=5000", "these settings ask for 5,000 warm-up candles, the tape of .* holds"),
        ("risk.nothing=1", "unknown key"),
    ],
)
async def test_what_the_events_cannot_serve_is_refused_and_nothing_is_written(
    recorded: Live, tmp_path: Path, changed: str, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        await WhatIfRunner(recorded.run_folder, [changed], tmp_path / "what").run_async()
    assert not (tmp_path / "what").exists()


def test_the_command_line(recorded: Live, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--mode", "backtest", "--tape", str(recorded.run_folder), "--no-report", "--out", str(tmp_path / "what")]
    assert main([*words, "--set", OTHER]) == 0
    assert capsys.readouterr().out.startswith(
        f"Onetape backtest: what if: the tape of {recorded.run_folder} with {OTHER}"
    )
