"""What if over sessions with real orders: the exchange's fills as far as the settings decide the same, then paper."""

import asyncio
import json
from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.cli.main import main
from app.feeds.tape import read_tape
from app.models.events import Execution
from app.proof.comparison import compare
from app.proof.differences import Cause
from app.proof.reproduce import reproduce
from app.runs.reader import FillRow, Run
from app.session.what_if import WhatIfRunner
from app.times import iso_ms, parse_time_ms
from tests.live_twins import START_MS, Twin, Venue, slices

SAME = "trading_mode.safety.max_open_positions=9"  # two are open at most
LATER = "trading_mode.protections=[{kind: cooldown, candles: 12}]"
COSTS = ("trading_mode.slippage_rate=0.002", "trading_mode.commission_rate=0.003")


@pytest.fixture
async def session(tmp_path: Path) -> Path:
    return await Twin(tmp_path / "live", slices(), Venue()).trade()


async def asked(session: Path, *changed: str) -> tuple[Path, list[str]]:
    said: list[str] = []
    out = session.parent / f"what-{len(list(session.parent.iterdir()))}"
    await WhatIfRunner(session, changed, out, tell=said.append).run_async()
    return out, said


def fills(run: Path) -> list[FillRow]:
    return list(Run.open(run).fills())


def log(run: Path) -> list[str]:
    return (run / "live_test.csv").read_text().splitlines()


async def test_settings_that_decide_the_same_are_the_session_byte_for_byte(session: Path) -> None:
    out, said = await asked(session, SAME, *COSTS)
    for name in ("live_test.csv", "signals.csv", "equity.parquet"):
        assert (out / name).read_bytes() == (session / name).read_bytes()
    assert said == ["these settings decide what the session decided: all fills are the exchange's own"]
    results = json.loads((out / "results.json").read_text())
    assert results["what_if"]["paper_from"] is None
    assert results["performance"] == json.loads((session / "results.json").read_text())["performance"]


async def test_from_where_decisions_part_fills_are_on_paper_and_it_says_from_where(session: Path) -> None:
    out, said = await asked(session, LATER, *COSTS)
    results, manifest = (json.loads((out / name).read_text()) for name in ("results.json", "manifest.json"))
    from_ms = parse_time_ms(results["what_if"]["paper_from"])
    until_seq = manifest["tape"]["real_fills"]["until_seq"]
    assert said == [
        f"fills are the exchange's up to event {until_seq}; from the slice that closes at {iso_ms(from_ms)} on, where "
        "decisions part from the session's, they are on paper"
    ]
    own, what = log(session), log(out)
    assert from_ms > START_MS
    before = [row for row in own[1:] if parse_time_ms(row.split(",")[0]) < from_ms]
    assert before == what[1 : len(before) + 1], "what is before that is what happened"
    assert len(before) > 3
    taken = [one for one in read_tape(session).records if isinstance(one.event, Execution) and one.seq <= until_seq]
    assert sum(bool(one.event.fill_id) for one in taken) == len(before)  # type: ignore[union-attr]
    opens = {(one.symbol, one.open_time_ms): one.open for slice_ in slices() for one in slice_.candles}
    later = [one for one in fills(out)[len(before) :] if one.row["action"] == "OPEN"]
    assert len(later) > 2
    for one in later:
        time_ms = parse_time_ms(one.row["timestamp"])
        price, quantity, commission = (float(one.row[name]) for name in ("price", "quantity", "commission"))
        assert price == pytest.approx(1.002 * opens[one.row["symbol"], time_ms])
        assert commission == pytest.approx(0.003 * price * quantity)


async def test_it_can_be_made_again_compared_and_asked_why(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = await asked(session, LATER, *COSTS)
    run = Run.open(out)
    assert (await reproduce(run, CandleCache(session.parent / "cache"))).is_same
    found = compare(Run.open(session), run, [])
    assert (found.cause, found.is_explained, found.is_same) == (Cause.CONFIG, True, False)
    entries = [one for one in run.signals() if one.row["order_id"] and one.row["action"] == "LONG"]
    for entry in (entries[0], entries[-1]):  # filled at the exchange, filled on paper
        words = ["why", str(out), entry.row["symbol"], entry.row["timestamp"]]
        assert await asyncio.to_thread(main, words) == 0
        fill = next(one for one in fills(out) if one.row["order_id"] == entry.row["order_id"])
        assert f"{float(fill.row['price']):,.8g}" in capsys.readouterr().out


async def test_another_size_parts_with_the_first_entry(session: Path) -> None:
    out, _ = await asked(session, "risk.max_position_pct=0.05")
    first = next(one for one in Run.open(session).signals() if one.row["order_id"])
    assert json.loads((out / "results.json").read_text())["what_if"]["paper_from"] == first.row["timestamp"]
    assert len(log(out)) > 10


async def test_a_session_that_goes_on_is_followed_to_its_last_event(tmp_path: Path) -> None:
    session = await Twin(tmp_path / "live", slices(count=42), Venue()).trade(end=False)
    out, _ = await asked(session, SAME)
    assert log(out) == log(session), "nothing is closed that the exchange did not close"
    assert "session_end" not in json.loads((out / "results.json").read_text())["funnel"]["cancelled"]
    out, _ = await asked(session, LATER)
    assert ",end_of_data," in log(out)[-1]
