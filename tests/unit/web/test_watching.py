"""Looks at real folders of sessions: what their files say is told, by one process at a time."""

import os
import shutil
from pathlib import Path

import pytest

from app import times
from app.errors import OutputError
from app.models.events import Kill
from app.runs.run_folder import owned
from app.session.control import write_status
from app.settings.alerts import AlertSettings
from app.web.alert_sender import AlertSender
from app.web.watching import WatchedSession, ping_of, watch
from tests.expected_runs import backtest, broken_off, midnights, write_rows
from tests.live_sessions import OPEN_AFTER, live, market
from tests.proof_runs import START_MS
from tests.receivers import receiving

WANTED = AlertSettings(heartbeat_s=5, fills=True)


@pytest.fixture
async def run(tmp_path: Path) -> Path:
    """A session that broke off, halted, with an open position."""
    made = live(tmp_path / "run")
    await made.run(*market()[:OPEN_AFTER], Kill("a look"))
    made.folder.results.unlink()
    write_status(made.run_folder, made.view.status())
    return made.run_folder


def told(session: WatchedSession) -> list[str]:
    return [one.text for one in session.queue.file.waiting]


def test_what_the_files_say_is_told_once_whoever_watches(run: Path) -> None:
    with owned(run):
        first = WatchedSession(run, WANTED)
        assert first.look(0.0)
        assert not first.look(1.0)
        assert told(first) == ["HALTED: a look"]
        with pytest.raises(OutputError, match="is watched by another process already"):
            WatchedSession(run, WANTED)
        first.close()
        again = WatchedSession(run, WANTED)
        assert not again.look(0.0)
        assert told(again) == ["HALTED: a look"], "it still waits"
    assert not again.look(100.0), "its status is not old yet"
    (run / "status.json").touch()
    old_s = times.now_ms() / 1000.0 - 60.0
    os.utime(run / "status.json", (old_s, old_s))
    assert not again.look(101.0, is_awake=False), "after a sleep of this machine"
    assert again.look(102.0)
    assert told(again)[-1].startswith("the session is not running any more")
    assert not again.is_finished
    again.queue.file.waiting.clear()
    assert again.has_told_its_end
    again.close()


def test_fills_since_the_watch_began_are_told(run: Path) -> None:
    with owned(run):
        session = WatchedSession(run, WANTED)
        session.look(0.0)
        [path] = [one for one in run.glob("*.csv") if one.name != "signals.csv"]
        rows = path.read_text().splitlines(keepends=True)
        path.write_text("".join([*rows, rows[-1]]))
        session.look(1.0)
        session.close()
    assert told(session)[-1].endswith(rows[-1].split(",")[12] + ")")


def test_a_watch_looks_sends_and_pings_until_it_is_told_to_end(run: Path) -> None:
    with receiving() as receiver, owned(run):
        session, looks = WatchedSession(run, AlertSettings(halted=False)), iter(range(3))
        said: list[str] = []
        sender = AlertSender([lambda title, body: True], said.append)
        ping = ping_of(f"http://127.0.0.1:{receiver.port}/ping", said.append)
        watch([session], sender, lambda: next(looks, None) is not None, lambda _: None, ping, 1e-9)
        receiver.wait_for(1)
        assert receiver.got[0] == "GET /ping"
        sender.close(300)
        session.close()
    assert said == []


def test_a_heartbeat_address_that_is_none_is_told_and_not_named(capfd: pytest.CaptureFixture[str]) -> None:
    for address in ("http://127.0.0.1:80/top secret", "http://127.0.0.1:topsecret/"):
        said: list[str] = []
        ping_of(address, said.append)()
        while not said:
            pass
        assert said == ["the heartbeat address does not answer (InvalidURL)"]
    assert "secret" not in "".join(capfd.readouterr())


def test_one_that_ended_in_good_order_keeps_no_other_from_its_pings(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "tape").mkdir(parents=True)
    write_status(other, {"ended": "stopped"})
    pings: list[int] = []

    def look(*folders: Path) -> int:
        looks, pinged = iter(range(3)), len(pings)
        sessions = [WatchedSession(one, AlertSettings(halted=False)) for one in folders]
        sender = AlertSender([lambda title, body: True], lambda _: None)
        watch(sessions, sender, lambda: next(looks, None) is not None, lambda _: None, lambda: pings.append(1), 1e-9)
        sender.close(300)
        for session in sessions:
            session.close()
        return len(pings) - pinged

    with owned(run):
        assert look(run, other) == 3
        os.utime(run / "status.json", (0, times.now_ms() / 1000.0 - 40.0))
        assert look(run) == 0, "it hangs, though it is not told of yet"
    assert look(other) == 0, "nothing is expected any more"


def test_the_end_is_told_before_the_watch_ends(tmp_path: Path) -> None:
    run, looked = tmp_path / "run", list[bool]()
    run.mkdir()
    write_status(run, {"ended": "finished"})
    (run / "results.json").write_text("{}")
    session = WatchedSession(run, WANTED)
    while not (session.is_finished or session.has_told_its_end or looked):
        looked.append(session.look(0.0))
    assert told(session) == ["the session has ended: finished"]
    session.queue.file.waiting.clear()
    assert session.is_finished
    session.close()


def test_a_folder_that_goes_away_ends_no_watch(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    session = WatchedSession(run, WANTED)
    shutil.rmtree(run)
    assert not session.look(0.0)
    session.close()


def test_a_session_that_is_started_again_is_another_owner_whatever_its_number(run: Path) -> None:
    session = WatchedSession(run, AlertSettings(halted=False))
    for _ in range(2):
        with owned(run):
            session.look(0.0)
    session.close()
    assert told(session) == ["the session was started again and goes on"]


def test_a_heartbeat_address_that_does_does_not_answer_is_told_once_and_not_named() -> None:
    with receiving() as receiver:
        port = receiver.port
    said: list[str] = []
    ping = ping_of(f"http://127.0.0.1:{port}/topsecret", said.append)
    for _ in range(3):
        ping()
        while not said:
            pass
    assert said == ["the heartbeat address does not answer (URLError)"]


def test_a_session_that_leaves_its_band_is_told_of_once_and_when_it_is_back(tmp_path: Path) -> None:
    run = broken_off(tmp_path, [1.01, 1.0])
    wanted = AlertSettings(heartbeat_s=None, disk_free_mib=None, expect=str(backtest(tmp_path)), expect_days=20)

    def written(*growth: float) -> None:
        write_rows(run, growth)
        last_ms = midnights(START_MS, len(growth))[-1]
        write_status(run, {"link": None, "halted": False, "last_slice_ms": last_ms + 60_000})

    written(1.01, 1.0)
    session = WatchedSession(run, wanted)
    assert not session.look(0.0)
    assert (run / "expectation.json").exists()
    write_rows(run, [1.01, 0.4])
    assert not session.look(1.0), "it is looked at once a day"
    written(1.01, 0.4, 0.4)
    assert session.look(2.0)
    assert not session.look(3.0)
    written(1.01, 0.4, 0.4, 1.0)
    assert session.look(4.0)
    left, back = told(session)
    assert left.startswith("equity has left its expected band on 2025-04-01; day 3 of 20: -60.00 %")
    assert "is inside its expected band again" in back
    session.close()
    (run / "expectation.json").write_text("no JSON")
    again = WatchedSession(run, wanted)
    assert again.look(0.0)
    assert "its expectation cannot be judged: " in told(again)[-1]
    again.close()
