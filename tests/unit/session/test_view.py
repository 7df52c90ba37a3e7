"""What can be said of a session: the status, its last files, and that a continued one says what a whole one says."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from app.errors import OutputError
from app.feeds.tape import read_tape
from app.models.events import EndOfData, Event, MarkedSlice, Stop
from app.models.market import Slice
from app.models.orders import MAIN, Line
from tests.live_sessions import OPEN_AFTER, Live, link, live, market


async def handled(run: Path, *events: Event, overrides: tuple[str, ...] = ()) -> Live:
    made = live(run, *overrides)
    for event in events:
        await made.recorded.handle(event)
    return made


async def test_a_status_says_where_the_session_stands(tmp_path: Path) -> None:
    made = await handled(tmp_path, *market())
    status, account = made.view.status(), made.recorded.runtime.account
    assert (status["exchange"], status["symbols"], status["timeframe"]) == ("test", ["AAA/X", "BBB/X"], "1m")
    assert status["last_slice_ms"] == account.time_ms
    assert (status["equity"], status["balance"]) == (account.equity(), account.balance)
    assert (status["halted"], [one["why"] for one in status["halts"]]) == (False, ["golden"])
    assert status["link"] is None
    assert status["feed"] == {"late_slices": 2, "late_candles": 1, "revised_candles": 1, "stale_symbols": 3}
    for one in status["positions"]:
        unrealised = account.positions[Line(MAIN, one["symbol"])].unrealised(account.marks[one["symbol"]])
        assert (one["unrealised"], one["mark"]) == (unrealised, account.marks[one["symbol"]])
    assert json.loads(json.dumps(status)) == status
    made.view.note_link(link(late=("AAA/X",)))
    assert (made.view.status()["link"]["connected"], made.view.status()["link"]["late"]) == (True, ("AAA/X",))
    made.close()


async def test_it_knows_the_last_candle_of_each_symbol_and_who_is_stale(tmp_path: Path) -> None:
    made, last = live(tmp_path), dict[str, Any]()
    for event in market():
        await made.recorded.handle(event)
        for candle in event.candles if isinstance(event, Slice) else ():
            last[candle.symbol] = candle.open_time_ms
        if isinstance(event, Slice) and not event.warmup:
            assert made.view.stale == (event.stale if isinstance(event, MarkedSlice) else ())
    assert {symbol: candle.open_time_ms for symbol, candle in made.view.last_candles.items()} == last == made.view.seen
    made.close()


async def test_a_continued_session_says_what_a_whole_one_says(tmp_path: Path) -> None:
    whole = live(tmp_path / "whole")
    await whole.run(*market())
    again = live(tmp_path / "again")
    await again.recorded.replay(read_tape(tmp_path / "whole"))
    assert again.view.status() == whole.view.status()
    assert again.view.last_fills == whole.view.last_fills != []
    assert again.view.coverage == whole.view.coverage
    assert len(again.view.last_fills) <= 10
    again.close()


async def test_who_listens_hears_each_event_once(tmp_path: Path) -> None:
    made, heard, slow = live(tmp_path), list[Event](), list[float]()
    made.view.note_slow(EndOfData(), 1.0)  # nobody listens
    made.view.on_event = lambda view, event, fills, decisions: heard.append(event)
    made.view.on_slow = lambda event, took_s: slow.append(took_s)
    for event in market():
        await made.recorded.handle(event)
    made.view.note_slow(EndOfData(), 61.0)
    assert (heard, slow) == (market(), [61.0])
    made.close()


async def test_the_last_files_of_a_stop_and_of_one_that_keeps_its_positions(tmp_path: Path) -> None:
    made = await handled(tmp_path / "stopped", *market(), Stop("SIGTERM"))
    results = made.view.finish("stopped")
    assert json.loads((tmp_path / "stopped/results.json").read_text()) == results
    assert results["status"] == "stopped"
    assert json.loads((tmp_path / "stopped/status.json").read_text())["ended"] == "stopped"
    kept = await handled(tmp_path / "kept", *market()[:OPEN_AFTER], Stop("SIGTERM"), overrides=("on_stop=keep",))
    assert kept.view.finish("kept")["status"] == "kept"
    assert not (tmp_path / "kept/results.json").exists()
    assert (tmp_path / "kept/manifest.json").exists()
    assert json.loads((tmp_path / "kept/status.json").read_text())["ended"] == "kept"
    for one in (made, kept):
        one.close()


@pytest.mark.parametrize(
    ("error", "why"),
    [(OutputError("the disk is full"), "the disk is full"), (ZeroDivisionError("x"), "ZeroDivisionError")],
)
async def test_a_fault_is_in_the_last_status(tmp_path: Path, error: Exception, why: str) -> None:
    made = await handled(tmp_path, *market()[:9])
    made.view.fail(error)
    status = json.loads((tmp_path / "status.json").read_text())
    assert (status["ended"], status["why"]) == ("failed", why)
    made.close()


async def test_the_status_file_is_kept_until_cancelled(tmp_path: Path) -> None:
    made = live(tmp_path)
    keeping = asyncio.create_task(made.view.keep_status(None))
    while not (tmp_path / "status.json").exists():
        await asyncio.sleep(0)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert json.loads((tmp_path / "status.json").read_text())["last_slice_ms"] is None
    made.close()
