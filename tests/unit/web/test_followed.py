"""A session as its page shows it: what status, tape and logs say, and what an operator must know first."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.models.events import Close, Event, Kill, LateCandle, Resume
from app.models.market import Candle, Slice
from app.runs.run_folder import owned
from app.session.control import write_status
from app.times import iso_ms
from app.web import followed
from app.web.alert_sender import AlertQueue
from app.web.alerts import Alert
from app.web.followed import FollowedSession
from tests.live_sessions import OPEN_AFTER, Live, live, market


@pytest.fixture
async def made(tmp_path: Path) -> Live:
    """A session that broke off with an open position, after an operator's kill and resume."""
    made = live(tmp_path / "run")
    closes = Close("enough", "AAA/X"), Close("of it", "BBB/X", "slow")
    await made.run(Kill("a look"), Resume("looked"), *closes, *market()[:OPEN_AFTER])
    made.folder.results.unlink()
    write_status(made.run_folder, made.view.status())
    return made


def seen(run: Path) -> FollowedSession:
    session = FollowedSession(run, "mine")
    session.refresh()
    return session


async def test_it_says_what_the_files_say(made: Live) -> None:
    session = seen(made.run_folder)
    content = session.content()
    assert content["status"] == json.loads((made.run_folder / "status.json").read_text())
    assert (content["name"], content["mode"], content["running"]) == ("mine", "paper", False)
    assert content["limits"].keys() == {"max_drawdown", "max_daily_loss"}
    slices = [one for one in market()[:OPEN_AFTER] if isinstance(one, Slice)]
    candle = [one for slice_ in slices for one in slice_.candles if one.symbol == "AAA/X"][-1]
    found = session.candles("AAA/X", None, 3)["candles"]
    assert found[-1] == [candle.open_time_ms, candle.open, candle.high, candle.low, candle.close, candle.volume]
    assert session.candles("AAA/X", found[-1][0], 1)["candles"] == [found[-2]]
    assert session.candles("XRP/USDT", None, 9)["candles"] == []
    assert [one["text"] for one in session.log(400) if one["kind"] in ("kill", "resume")][:2] == ["a look", "looked"]
    closes = [one["text"] for one in session.log(400) if one["kind"] == "close"]
    assert closes == ["AAA/X: enough", "slow BBB/X: of it"]
    assert json.dumps(content, allow_nan=False)
    assert len(json.dumps(content)) < 200_000


async def test_what_became_of_alerts_is_told(made: Live) -> None:
    assert seen(made.run_folder).content()["alerts"] is None
    queue = AlertQueue(made.run_folder / "alerts.json", "a session")
    queue.serve(1)
    queue.add(lambda: [Alert(number, "halted", "HALTED") for number in (1, 2, 3)])
    queue.done(0, 1, sent=True)
    queue.done(0, 2, sent=False)
    assert seen(made.run_folder).content()["alerts"] == {"sent": 1, "failed": 1, "waiting": 1}
    for damaged in ("half", "[]", "{}"):
        (made.run_folder / "alerts.json").write_text(damaged)
        (made.run_folder / "expectation.json").write_text(damaged)
        session = seen(made.run_folder)
        assert (session.content()["alerts"], session.expectation()) == (None, None)


async def test_trades_are_those_of_the_log_and_why_is_the_commands(tmp_path: Path) -> None:
    made = live(tmp_path / "run")
    await made.run(*market())
    session = seen(tmp_path / "run")
    found = session.trades(None, 1_000)
    assert len(found["trades"]) == made.results["performance"]["total_trades"]
    assert [one["trade_id"] for one in found["trades"]] == sorted(
        (one["trade_id"] for one in found["trades"]), reverse=True
    )
    page = session.trades(found["trades"][0]["trade_id"], 1)
    assert page["trades"] == found["trades"][1:2]
    assert session.why_words(10**6) is None


def candle(minute: int, close: float = 1.0) -> Candle:
    return Candle("AAA/X", "1m", minute * 60_000, 1.0, 1.0, 1.0, close, 1.0)


def one(minute: int, *, warmup: bool = False) -> Slice:
    return Slice((minute + 1) * 60_000, (candle(minute),), warmup)


async def test_candles_are_in_order_and_once_whatever_came_late_or_again(tmp_path: Path) -> None:
    made = live(tmp_path / "run")
    again = [one(minute, warmup=True) for minute in (1, 2, 4)]  # the warm-up that a new epoch begins with
    events: list[Event] = [one(1), one(2), one(4), LateCandle(candle(3)), one(5), LateCandle(candle(0)), *again, one(6)]
    for event in events:
        made.journal.done(made.journal.write(event), "0" * 16)
    made.close()
    rows = seen(tmp_path / "run").candles("AAA/X", None, 99)["candles"]
    assert [row[0] // 60_000 for row in rows] == [0, 1, 2, 3, 4, 5, 6]


async def test_no_more_candles_are_kept_than_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followed, "CANDLES", 3)
    made = live(tmp_path / "run")
    for minute in range(9):
        made.journal.done(made.journal.write(one(minute)), "0" * 16)
    made.close()
    rows = seen(tmp_path / "run").candles("AAA/X", None, 99)["candles"]
    assert [row[0] // 60_000 for row in rows] == [6, 7, 8]


async def test_logs_that_a_restart_writes_anew_are_shown_once(made: Live) -> None:
    session = seen(made.run_folder)
    before = session.content()["refused"], session.log(400), session.trades(None, 99)
    assert before[0] and before[2]["trades"]
    for path in (made.folder.signals, made.folder.trades):
        text = path.read_text()
        path.write_text(text.splitlines(keepends=True)[0])
        session.refresh()
        path.write_text(text)
    session.refresh()
    assert (session.content()["refused"], session.log(400), session.trades(None, 99)) == before


def test_what_an_operator_must_know_comes_first(tmp_path: Path) -> None:
    def state(**status: Any) -> list[str]:
        write_status(tmp_path, {"last_slice_ms": 0, **status})
        return [words for _, words in map(tuple, seen(tmp_path).content()["state"])]

    assert state() == ["not running: it broke off"]
    assert state(ended="failed", why="the disk is full") == ["ended: failed: the disk is full"]
    real = {
        "open": [{"client_id": "t-1-2-e", "symbol": "A", "unknown": True}],
        "stops": {"A": {"place": "nowhere", "bare_s": 3.0}}, "differences": ["A: 1 here, 2 there"],
    }  # fmt: skip
    link = {"connected": False, "late": ["A"], "last_frame_ms": 5}
    with owned(tmp_path):
        assert state(link={**link, "connected": True, "late": []}) == []
        assert state(real_orders=real, halted=True, halts=[{"why": "max_drawdown"}], closing=True, link=link) == [
            "UNKNOWN order t-1-2-e on A",
            "A: its stop is not on the exchange (nowhere, 3 s)",
            "DIFFERS: A: 1 here, 2 there",
            "HALTED: max_drawdown",
            "CLOSING: not everything is closed yet",
            "feed DOWN: it is dialled again",
            "late: A",
        ]


def test_an_empty_folder_is_shown_as_one(tmp_path: Path) -> None:
    content = seen(tmp_path).content()
    assert (content["status"], content["age_s"], content["day"]) == ({}, None, None)


async def test_no_key_is_in_its_settings(made: Live) -> None:
    settings = seen(made.run_folder).settings()
    assert settings["settings"]["live"]["symbols"]
    assert "tag" not in settings
    assert iso_ms(settings["start_ms"])
