"""What an operator sees of several strategies: whose position, whose order, whose fill; moved stops and legs left."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.cli.operator import status_lines
from app.cli.paper import event_lines
from app.log import make_log
from app.models.orders import Decision, Fill
from app.report.live_screen import Shown, fill_words, screen
from app.report.output_thread import OutputThread
from app.report.session_log import SessionLog
from app.session.view import SessionView
from tests.live_sessions import link, live
from tests.portfolio import portfolio
from tests.properties.test_portfolio_state import WARMUP, events


@pytest.fixture
async def view(tmp_path: Path) -> SessionView:
    """A portfolio where two lines of one symbol hold something, a stop was moved and a leg is left."""
    made = live(tmp_path, config=portfolio(WARMUP))
    made.view.note_link(link())
    for event in events(1):
        await made.recorded.handle(event)
        status = made.view.status()
        held = [*status["positions"], *status["orders"]]
        symbols = [one["symbol"] for one in held]
        moved = [one for one in status["positions"] if one["moved_by"]]
        legs = [one for one in status["positions"] if one["legs"]]
        if moved and legs and status["orders"] and symbols.count("AAA/X") > 1:
            made.close()
            return made.view
    raise AssertionError("there is no such moment")


def test_the_status_names_the_strategy_of_all_that_is_held(view: SessionView) -> None:
    account, status = view.recorded.runtime.account, json.loads(json.dumps(view.status()))
    assert [(one["strategy"], one["symbol"]) for one in status["positions"]] == [
        tuple(line) for line in account.positions
    ]  # fmt: skip
    assert status["pending"] == [f"{line.strategy} {line.symbol}" for line in account.pending]
    for told, one in zip(status["positions"], account.positions.values(), strict=True):
        assert told["moved_by"] == one.moved_by
        assert told["legs"] == [[leg.price, leg.quantity] for leg in one.legs]
        assert (told["first_quantity"], told["best"]) == (one.first_quantity, one.held.best)
    for told, order in zip(status["orders"], account.pending.values(), strict=True):
        assert (told["strategy"], told["limit"], told["rests"]) == (order.strategy, order.limit, order.rests)


def test_status_says_it_in_words(view: SessionView) -> None:
    status: dict[str, Any] = {**view.status(), "running": True, "age_s": 0.1}
    said = list(status_lines(status))
    for one in status["positions"]:
        (line,) = [text for text in said if text.startswith(f"position    {one['strategy']} {one['symbol']} ")]
        assert (f" (moved by {one['moved_by']})" in line) is (one["moved_by"] is not None)
        assert (f", {len(one['legs'])} legs left" in line.replace("1 leg left", "1 legs left")) is bool(one["legs"])
    for one in status["orders"]:
        (line,) = [text for text in said if text.startswith(f"pending     {one['strategy']} {one['symbol']} ")]
        assert ("at the limit" in line) is (one["limit"] is not None)


def test_a_status_of_an_older_session_is_still_read(view: SessionView) -> None:
    status: dict[str, Any] = {**view.status(), "running": False, "age_s": 0.1, "pending": ["AAA/X"]}
    del status["orders"]
    keys = ("symbol", "side", "quantity", "entry", "mark", "stop", "target", "unrealised")
    status["positions"] = [{key: one[key] for key in keys} for one in status["positions"]]
    said = list(status_lines(status))
    assert "pending     AAA/X" in said
    assert any(line.startswith(f"position    {status['positions'][0]['symbol']} ") for line in said)


def test_the_screen_has_a_row_for_each_line_that_holds_something(view: SessionView) -> None:
    status = view.status()
    said = ["".join(text for text, _ in line).rstrip() for line in screen(Shown(status=status), 160, 40)]
    head = next(n for n, line in enumerate(said) if line.startswith("symbol"))
    assert said[head].split()[:3] == ["symbol", "strategy", "candle"]
    rows = said[head + 1 : said.index("", head)]
    for one in status["positions"]:
        (row,) = [line for line in rows if f"{one['side']} {one['quantity']:g}" in line and one["strategy"] in line]
        assert ("moved" in row) is (one["moved_by"] is not None)
    pending = [line for line in rows if "limit" in line or "order pending" in line]
    assert len(pending) == len(status["orders"])
    assert sum(line.startswith("AAA/X") for line in rows) == 1, "a symbol is told once"


def test_fills_and_decisions_name_their_strategy(view: SessionView) -> None:
    fills: list[Fill] = []
    decisions: list[Decision] = []
    fills += [one for one in view.last_fills if one.strategy == "trend"]
    assert fill_words(fills[0]).startswith(f"trend {fills[0].symbol} ")
    decisions.append(Decision(0, "AAA/X", "LONG", "cooldown", None, "", "dip"))  # type: ignore[arg-type]
    said = event_lines(events(1)[20], fills[:1], decisions)
    assert said == [fill_words(fills[0]), "dip AAA/X LONG -> cooldown"]


def test_the_log_names_the_strategy(view: SessionView, tmp_path: Path) -> None:
    output = OutputThread()
    log = SessionLog(make_log(as_json=True, file=tmp_path / "log", on_terminal=False), output)
    decision = Decision(0, "AAA/X", "LONG", "cooldown", None, "", "dip")  # type: ignore[arg-type]
    log.happened(view, events(1)[20], view.last_fills[:1], [decision])
    log.failed(view, "a test")
    output.close()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    order, fill, ended = (
        next(one for one in lines if one["event"] == name) for name in ("order", "fill", "session_ended")
    )
    assert (order["strategy"], fill["strategy"]) == ("dip", view.last_fills[0].strategy)
    account = view.recorded.runtime.account
    assert ended["positions"] == [f"{line.strategy} {line.symbol}" for line in account.positions]
    assert ended["pending"] == [f"{line.strategy} {line.symbol}" for line in account.pending]
