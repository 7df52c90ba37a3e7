"""Refused entries followed while a session runs: in whatever steps a page looks, it comes to what the report says."""

import random
from collections import defaultdict
from pathlib import Path

import pytest

from app.feeds.tape import candles_of
from app.models.events import Kill
from app.models.market import Candle
from app.report.refused_run import refused_totals
from app.runs.candle_source import candles_of as run_candles
from app.runs.refused_log import refused_entries
from app.runs.run_on_disk import read_run
from app.times import parse_time_ms
from app.web.followed import FollowedSession
from app.web.refusals import FollowedRefusals
from app.web.tails import RowTail
from tests.live_sessions import Live, live, market


@pytest.fixture
async def made(tmp_path: Path) -> Live:
    """Killed early, so that nearly every entry is refused."""
    made = live(tmp_path / "run")
    await made.run(*market()[:30], Kill("a look"), *market()[30:])
    return made


async def test_a_page_that_comes_late_says_what_the_report_says(made: Live) -> None:
    run = read_run(made.run_folder)
    wanted = [vars(one) for one in refused_totals(run.folder, run.settings, run_candles(run, []).by_symbol)]
    assert [(one["limit"], one["filled"]) for one in wanted] == [("halted", 4), ("late", 1), ("stale", 1)]
    session = FollowedSession(made.run_folder, "mine")
    session.refresh()
    assert session.content()["limits_cost"] == wanted


@pytest.mark.parametrize("seed", range(8))
async def test_in_whatever_steps_it_looks(made: Live, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    (tmp_path / "copy").mkdir()
    entries, (head, *rows) = (
        (made.run_folder / name).read_bytes().splitlines(keepends=True) for name in ("refused.jsonl", "signals.csv")
    )
    signals, refusals = RowTail(tmp_path / "copy/signals.csv"), FollowedRefusals(tmp_path / "copy")
    (tmp_path / "copy/signals.csv").write_bytes(head)
    held: dict[str, list[Candle]] = defaultdict(list)
    settings = read_run(made.run_folder).settings

    def known_by(time_ms: int) -> None:
        """The files as far as decisions up to a time; sometimes a line is half-written."""
        known = [row for row in rows if parse_time_ms(row.split(b",")[0].decode()) <= time_ms]
        (tmp_path / "copy/signals.csv").write_bytes(b"".join([head, *known]))
        lines = [line for line in entries if next(iter(refused_entries([line]))).time_ms <= time_ms]
        torn = entries[len(lines)][:20] if len(lines) < len(entries) and rng.random() < 0.5 else b""
        (tmp_path / "copy/refused.jsonl").write_bytes(b"".join(lines) + torn)

    last_ms = 0
    for event in market():
        for candle in candles_of(event):
            held[candle.symbol].append(candle)
            refusals.on_candle(candle)
            last_ms = max(last_ms, candle.close_time_ms)
        if rng.random() < 0.4:
            known_by(last_ms)
            refusals.on_signals(signals.read()[1])
            refusals.read(settings, held)
    known_by(10**15)
    refusals.on_signals(signals.read()[1])
    refusals.read(settings, held)
    run = read_run(made.run_folder)
    wanted = refused_totals(run.folder, run.settings, run_candles(run, []).by_symbol)
    found = refusals.totals()
    assert [(one["limit"], one["entries"], one["filled"]) for one in found] == [
        (one.limit, one.entries, one.filled) for one in wanted
    ]


def test_nothing_is_there_yet(tmp_path: Path) -> None:
    refusals = FollowedRefusals(tmp_path)
    refusals.read({}, {})
    refusals.on_candle(Candle("A", "1m", 0, 1.0, 1.0, 1.0, 1.0, 1.0))
    assert refusals.totals() == []
