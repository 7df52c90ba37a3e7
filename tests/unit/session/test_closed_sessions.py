"""A session with an operator's close on its tape: each counts once, over a stop and over SIGKILL at the command."""

import json
from pathlib import Path

import pytest

from app.errors import UnavailableError
from app.models.events import Close, Event, Stop
from app.session.closing import send_close
from app.session.tape_replay import TapeRunner
from app.session.view import SessionView
from tests.live_sessions import market
from tests.scripted_paper import Feed, no_sockets, stop_after, taped, trade, trades_of


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    no_sockets(monkeypatch)


async def test_a_close_given_while_nothing_ran_closes_one_position_and_the_tape_replays_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after(monkeypatch, 45)
    await trade(tmp_path / "run", "on_stop=keep")
    (held,) = json.loads((tmp_path / "run/status.json").read_text())["positions"]
    assert held["closing"] is None
    other = {"AAA/X": "BBB/X", "BBB/X": "AAA/X"}[held["symbol"]]
    send_close(tmp_path / "run", held["symbol"], None, "overnight")
    send_close(tmp_path / "run", other, None, "and this")
    stop_after(monkeypatch, None)
    told: list[str] = []
    closings: list[str | None] = []

    def look(view: SessionView, event: Event, *_: object) -> None:
        if isinstance(event, Close):
            closings.extend(one["closing"] for one in view.status()["positions"])

    await trade(tmp_path / "run", "on_stop=keep", tell=told.append, on_event=look)
    closes = [Close("overnight", held["symbol"]), Close("and this", other)]
    assert taped(tmp_path / "run")[45:49] == [Stop("SIGTERM"), *closes, market()[45]]
    assert closings == ["operator"] * 2
    assert told == [f"close {other}: nothing of it is open, so nothing was closed (and this)"]
    assert trades_of(tmp_path / "run").count("operator") == 1
    assert not list((tmp_path / "run/commands").iterdir())
    await TapeRunner(tmp_path / "run", tmp_path / "tape").run_async()
    assert trades_of(tmp_path / "tape") == trades_of(tmp_path / "run")


@pytest.mark.parametrize("fill", ["next_open", "close"])
@pytest.mark.parametrize("decided", [False, True], ids=["not decided on", "its file not removed"])
async def test_a_session_killed_at_a_close_continues_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decided: bool, fill: str
) -> None:
    """SIGKILL between the command's event and its digest, or between its digest and the removal of its file."""
    words = ("on_stop=keep", f"fill={fill}")
    stop_after(monkeypatch, 45)
    await trade(tmp_path / "first", *words)
    symbol = json.loads((tmp_path / "first/status.json").read_text())["positions"][0]["symbol"]
    close = Close("enough", symbol)
    stop_after(monkeypatch, None)
    monkeypatch.setattr(Feed, "market", [*market()[:45], close, *market()[45:]])
    await trade(tmp_path / "whole", *words)
    assert trades_of(tmp_path / "whole").count("operator") == 1
    with monkeypatch.context() as only:
        only.setattr(Feed, "stop_after", 46)
        only.setattr(Feed, "breaks", True)
        with pytest.raises(UnavailableError):
            await trade(tmp_path / "run", *words)
    tape = tmp_path / "run/tape/000001.jsonl"
    *lines, event, digest = tape.read_bytes().splitlines(keepends=True)
    assert b'"type":"close"' in event and b'"done"' in digest
    tape.write_bytes(b"".join([*lines, event, *([digest] if decided else [])]))
    send_close(tmp_path / "run", symbol, None, "enough")
    monkeypatch.setattr(Feed, "begin_at", 46)
    await trade(tmp_path / "run", *words)
    assert taped(tmp_path / "run")[:-1] == [*market()[:45], close, close, *market()[45:]], "the second changes nothing"
    assert trades_of(tmp_path / "run") == trades_of(tmp_path / "whole")
    for name in ("equity.parquet", "signals.csv", "refused.jsonl"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    monkeypatch.setattr(Feed, "market", ())
    await TapeRunner(tmp_path / "run", tmp_path / "tape").run_async()
    assert trades_of(tmp_path / "tape") == trades_of(tmp_path / "whole")
