"""The sessions that a page shows: found where they lie, named once each, and one that cannot be read holds up none."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from app.web import sessions
from app.web.followed import FollowedSession
from app.web.sessions import ShownSession, ShownSessions


def a_run(folder: Path) -> Path:
    (folder / "tape").mkdir(parents=True)
    return folder


def test_they_are_found_and_named(tmp_path: Path) -> None:
    for place in ("paper/a", "paper/b c<", "live/a"):
        a_run(tmp_path / place)
    (tmp_path / "paper/no_session").mkdir()
    places = [tmp_path / "paper", tmp_path / "live", tmp_path / "nowhere"]
    assert sorted(ShownSessions([], places).all()) == ["a", "a-2", "b_c_"]
    given = [tmp_path / "live/a", tmp_path / "paper/a"]
    named = ShownSessions(given).all()
    assert [(name, shown.session.folder) for name, shown in named.items()] == [("a", given[0]), ("a-2", given[1])]


async def test_one_look_serves_all_who_ask_within_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    monkeypatch.setattr(FollowedSession, "refresh", lambda _: looks.append(threading.get_ident()))
    shown = ShownSession(a_run(tmp_path / "a"), "a")
    contents = await asyncio.gather(*(shown.content() for _ in range(20)))
    assert len(looks) == 1
    assert looks[0] != threading.get_ident(), "on its own thread"
    assert all(content is contents[0] for content in contents)
    shown.close()


async def test_what_cannot_be_read_is_shown_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> None:
        raise RuntimeError("odd")

    monkeypatch.setattr(FollowedSession, "refresh", fail)
    shown = ShownSession(a_run(tmp_path / "a"), "a")
    assert (await shown.content())["state"] == [["alarm", "its files cannot be read: RuntimeError: odd"]]
    shown.close()


async def test_what_is_slow_to_read_is_shown_as_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, go_on = ShownSession(a_run(tmp_path / "a"), "a"), threading.Event()
    before = await shown.content()
    monkeypatch.setattr(sessions, "_FRESH_S", -1.0)
    monkeypatch.setattr(sessions, "_PATIENCE_S", 0.05)
    monkeypatch.setattr(FollowedSession, "refresh", lambda _: go_on.wait(300))
    slow = await shown.content()
    assert slow["state"] == [["alarm", "its files are slow to read: what is shown is old"], *before["state"]]
    assert slow["status"] == before["status"]
    go_on.set()
    monkeypatch.setattr(sessions, "_PATIENCE_S", 300.0)
    assert (await shown.content())["state"] == before["state"]
    shown.close()


async def test_one_that_hangs_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    refresh = FollowedSession.refresh

    def look(session: FollowedSession) -> None:
        if session.name == "slow":
            go_on.wait(300)
        refresh(session)

    monkeypatch.setattr(FollowedSession, "refresh", look)
    slow, quick = ShownSession(a_run(tmp_path / "s"), "slow"), ShownSession(a_run(tmp_path / "q"), "quick")
    asking = asyncio.create_task(slow.content())
    assert (await quick.content())["name"] == "quick"
    assert not asking.done()
    go_on.set()
    assert (await asking)["name"] == "slow"
    slow.close()
    quick.close()
