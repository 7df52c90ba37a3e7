"""A session that fails does nothing more: files and status have the last digest's state, the next start continues."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.feeds.tape import read_tape
from app.models.events import Event
from app.models.market import Slice
from app.session.state_file import read_states
from app.times import iso_ms
from tests import made
from tests.golden.make_tape import START_MS, SYMBOLS
from tests.live_sessions import market
from tests.made import MINUTE_MS
from tests.parity import seeded_strategy
from tests.scripted_paper import Feed, no_sockets, trade, trades_of


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    no_sockets(monkeypatch)


async def test_a_strategy_that_fails_leaves_what_the_last_digest_says_and_the_next_start_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails for the second symbol of a slice that opened a position: of that event nothing is in any file."""
    whole, run = tmp_path / "whole", tmp_path / "run"
    await trade(whole)
    number, open_ms = next((n, _open_of(s)) for n, s in enumerate(market()) if _opens_a_position(s, whole))
    before = trades_of(whole).split(iso_ms(open_ms))[0]
    assert "OPEN" in before
    decide = seeded_strategy.toss

    def toss(seed: int, symbol: str, open_time_ms: int, close: float) -> Any:
        if (symbol, open_time_ms) == (SYMBOLS[1], open_ms):
            raise ZeroDivisionError("a bug")
        return decide(seed, symbol, open_time_ms, close)

    monkeypatch.setattr(seeded_strategy, "toss", toss)
    told: list[str] = []
    with pytest.raises(ZeroDivisionError):
        await trade(run, on_session=lambda view, _: setattr(view, "on_failed", lambda _, why: told.append(why)))
    status, records = json.loads((run / "status.json").read_text()), list(read_tape(run).records)
    assert [record.event for record in records] == market()[: number + 1]
    assert [record.seq for record in records if record.digest is None] == [number + 1]
    assert trades_of(run) == before
    assert (status["ended"], status["why"]) == ("failed", "ZeroDivisionError")
    assert told == ["ZeroDivisionError"]
    state = max((json.loads(state) for state in read_states(run / "tape")), key=lambda state: state["seq"])
    assert (state["seq"], state["digest"]) == (number, records[-2].digest)
    held = [(one["symbol"], one["quantity"], one["entry_price"]) for one in state["books"]["positions"]]
    assert [(one["symbol"], one["quantity"], one["entry"]) for one in status["positions"]] == held
    assert status["balance"] == state["books"]["balance"]
    assert sum(status["funnel"]["signals"].values()) == sum(state["books"]["funnel"]["signals"].values())
    assert {path.name for path in run.iterdir()} >= {"equity.rows", "status.json", "tape"}
    assert not (run / "results.json").exists()

    monkeypatch.setattr(seeded_strategy, "toss", decide)
    await trade(run)
    assert trades_of(run) == trades_of(whole)
    assert (run / "equity.parquet").read_bytes() == (whole / "equity.parquet").read_bytes()


def _open_of(event: Event) -> int:
    return event.candles[0].open_time_ms if isinstance(event, Slice) else 0


def _opens_a_position(event: Event, run: Path) -> bool:
    if type(event) is not Slice or len(event.candles) < 2 or event.warmup:
        return False
    opened = f"{iso_ms(_open_of(event))},{SYMBOLS[0]},"
    return any(row.startswith(opened) and ",OPEN," in row for row in trades_of(run).splitlines()[2:])


async def test_a_session_that_fails_with_its_first_slice_has_no_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def toss(_: int, symbol: str, *__: object) -> Any:
        if symbol == SYMBOLS[1]:
            raise ZeroDivisionError("a bug")
        return {"action": "LONG", "stop": 1.0}

    monkeypatch.setattr(seeded_strategy, "toss", toss)
    candles = [made.candle(symbol=name, at=START_MS // MINUTE_MS) for name in SYMBOLS]
    monkeypatch.setattr(Feed, "market", [made.slice_of(*candles)])
    with pytest.raises(ZeroDivisionError):
        await trade(tmp_path / "run", "fill=close")
    status = json.loads((tmp_path / "run/status.json").read_text())
    assert (status["ended"], status["positions"], status["equity"]) == ("failed", [], 10_000.0)
    assert trades_of(tmp_path / "run").count("\n") == 1
