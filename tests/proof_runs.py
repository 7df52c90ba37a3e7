"""Runs for the tests of compare, why and reproduce: replays of made-up markets, and sessions with a tape made by hand.

A session here is what a live one leaves: each event on the tape, handled by the real runtime, its digest behind it.
"""

import asyncio
import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from app.candles.cache import CandleCache
from app.cli.main import main
from app.feeds.replay import ReplayFeed
from app.models.events import EndOfData, Event
from app.models.market import Slice
from app.runs.manifest import code_sha256, sha256_json
from app.runs.run_folder import RunFolder, write_json
from app.session.backtest import ConfigBacktestRunner
from app.session.building import build_runtime
from app.session.journal import Journal
from app.session.period import Period
from app.session.plan import EventCoverage, RunPlan, versions
from app.session.recorded_runtime import RecordedRuntime
from app.settings.profile import Settings, load_settings
from app.strategies.loader import LoadedStrategies, check_settings
from app.times import iso_ms
from tests.candle_columns import MINUTE_MS
from tests.parity.market import Market, fill_cache, made_up
from tests.parity.variants import EASY

SYMBOLS = ["AAA/X", "BBB/X"]
START_MS = 1_743_361_200_000  # 2025-03-30T19:00Z
COUNT, WARMUP = 400, 60
END_MS = START_MS + COUNT * MINUTE_MS
CONFIG: dict[str, Any] = {
    "live": {
        "exchange": "test", "symbols": SYMBOLS, "timeframe": "1m", "startup_candles": WARMUP,
        "strategy": {"name": "ScalpingEMARSI", **EASY},
    },
    "risk": {},
    "trading_mode": {"safety": {"max_drawdown": None, "max_exposure": 0.5}},
}  # fmt: skip


def market(seed: int = 3) -> Market:
    """Two symbols, an hour of warm-up and 400 minutes."""
    return made_up(seed, SYMBOLS, START_MS - WARMUP * MINUTE_MS, COUNT + WARMUP)


def replay(
    folder: Path, name: str, candles: Market, *overrides: str, end_ms: int = END_MS, config: Any = CONFIG
) -> Path:
    """A backtest over these candles, in `folder/name` with the cache `folder/name_cache`."""
    cache = fill_cache(folder / f"{name}_cache", candles)
    ConfigBacktestRunner(
        config=config, start=START_MS, end=end_ms, cache=cache.root, out=folder / name, overrides=overrides
    ).run()
    return folder / name


def slices_of(folder: Path, candles: Market, warmup: int = WARMUP) -> list[Slice]:
    """What a feed would put, warm-up first."""
    cache: CandleCache = fill_cache(folder, candles)
    begin_ms = START_MS - warmup * MINUTE_MS
    feed = ReplayFeed(cache, SYMBOLS, "1m", warmup_start_ms=begin_ms, start_ms=START_MS, end_ms=END_MS)
    return [slice_ for burst in feed.bursts() for slice_ in burst]


def session(folder: Path, events: Sequence[Event], *overrides: str, finish: bool = True, config: Any = CONFIG) -> Path:
    """A run with a tape of these events; the end of the data follows. Without `finish` it broke off."""
    folder.mkdir(parents=True)
    asyncio.run(_record(folder, events, overrides, finish, config))
    return folder


async def _record(run: Path, events: Sequence[Event], overrides: Sequence[str], finish: bool, config: Any) -> None:
    settings = load_settings(config, overrides)
    strategies = check_settings(settings)
    plan = RunPlan(
        settings, strategies, Period(START_MS, END_MS, "made by hand"), WARMUP, START_MS - WARMUP * MINUTE_MS
    )
    folder = RunFolder(run, "paper_made_by_hand")
    recorder = plan.recorder(folder)
    recorded = RecordedRuntime(build_runtime(settings, strategies, recorder), recorder)
    coverage = EventCoverage(settings.live.symbols, settings.live.timeframe)
    recorded.observer = lambda event, fills, decisions: coverage.note(event)
    journal = Journal(run, _header(settings, strategies))
    last_ms = START_MS
    for event in [*events, *([EndOfData()] if finish else [])]:
        seq = journal.write(event)
        journal.done(seq, await recorded.handle(event))
        last_ms = event.close_time_ms if isinstance(event, Slice) else last_ms
        if recorded.runtime.ended:
            break
    journal.close()
    if not finish:
        recorder.close()
    else:
        recorder.finish()
        ended = RunPlan(settings, strategies, Period(START_MS, last_ms, ""), WARMUP, plan.warmup_start_ms)
        series = list(coverage.series.values())
        write_json(folder.manifest, ended.manifest(folder))
        write_json(folder.results, ended.results("finished", "", series, recorded.runtime, recorder, folder))


def _header(settings: Settings, strategies: LoadedStrategies) -> dict[str, Any]:
    dumped = settings.model_dump(mode="json")
    return {
        "settings": dumped, "settings_sha256": sha256_json(dumped), "strategy_sha256": strategies.source_sha256,
        "code_sha256": code_sha256(), "versions": dict(versions()), "start_ms": START_MS, "warmup": WARMUP,
        "warmup_start_ms": START_MS - WARMUP * MINUTE_MS, "trades": "paper_made_by_hand",
    }  # fmt: skip


def changed(candles: Market, symbol: str, minute: int, change: Callable[[tuple[Any, ...]], Any]) -> Market:
    """The market with one candle replaced by what `change` makes of its row; None removes it."""
    open_ms = START_MS + minute * MINUTE_MS
    rows = []
    for row in candles[symbol]:
        made = change(row) if row[0] == open_ms else row
        rows += [] if made is None else [made]
    assert rows != candles[symbol], "nothing was changed"
    return {**candles, symbol: rows}


def dearer(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The candle with another close and a high that holds it."""
    time_ms, first, high, low, last, volume = row
    return time_ms, first, max(high, last + 3.0), low, last + 3.0, volume


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a JSON file."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def said(capsys: pytest.CaptureFixture[str], *words: "str | Path") -> tuple[int, str]:
    """Status and standard output of a command that says nothing on standard error."""
    status = main([str(word) for word in words])
    out, err = capsys.readouterr()
    assert err == ""
    return status, out


def compared(capsys: pytest.CaptureFixture[str], a: Path, b: Path, *caches: Path) -> tuple[int, dict[str, Any]]:
    """Status and content of `compare --json`; the caches are those of `replay` unless named."""
    named = caches or tuple(path for run in (a, b) if (path := run.with_name(f"{run.name}_cache")).exists())
    words = [word for cache in named for word in ("--cache", cache)]
    status, out = said(capsys, "compare", a, b, "--json", *words)
    content: dict[str, Any] = json.loads(out)
    return status, content


def rows_of(path: Path) -> list[dict[str, str]]:
    """A CSV file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def first_entry(run: Path) -> dict[str, str]:
    """The first signal of the run that became an order."""
    return next(row for row in rows_of(run / "signals.csv") if row["outcome"] == "order")


def decided_minute(run: Path) -> int:
    """The minute whose candle led to it."""
    times = {iso_ms(START_MS + (n + 1) * MINUTE_MS): n for n in range(400)}
    return times[first_entry(run)["timestamp"]]


def edit_row(path: Path, number: int, change: Callable[[dict[str, str]], Any]) -> dict[str, str]:
    """Change one row of a CSV file; the row as it was."""
    rows = rows_of(path)
    before = dict(rows[number])
    change(rows[number])
    write_rows(path, list(rows[0]), rows)
    return before


def write_rows(path: Path, columns: Sequence[str], rows: Sequence[dict[str, str]]) -> None:
    """A CSV file."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def trades_of(run: Path) -> Path:
    """The trade log of a replay."""
    return next(run.glob("config_backtest_*.csv"))


def record_events(folder: Path, events: Sequence[Event], *overrides: str) -> Path:
    """A tape of these events, whatever comes after a stop, as a session leaves it that was started again."""
    folder.mkdir(parents=True)
    settings = load_settings(CONFIG, overrides)
    journal = Journal(folder, _header(settings, check_settings(settings)))
    for event in events:
        journal.done(journal.write(event), "0" * 16)
    journal.close()
    return folder
