"""Commands, status and lock of a run folder: no command lost, none twice, one session a folder, all told in words."""

import asyncio
import fcntl
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.errors import ConfigError, DataError, OutputError
from app.feeds.base import EventQueue
from app.models.events import Close, Kill, Resume, Stop
from app.models.orders import Line
from app.runs import run_folder
from app.runs.run_folder import is_owned, owned
from app.session.control import CommandWatch, read_status, send_command, write_status
from app.trading.account import Account
from tests.integration.processes import PROJECT


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a session."""
    (tmp_path / "run" / "tape").mkdir(parents=True)
    return tmp_path / "run"


def watch_of(run: Path, told: list[str] | None = None) -> CommandWatch:
    return CommandWatch(run, run / "KILL_SWITCH", None if told is None else told.append)


def left(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "commands").iterdir())


def test_commands_come_in_the_order_in_which_they_were_given_each_once(run: Path) -> None:
    for number in range(12):
        send_command(run, "kill" if number % 2 else "resume", f"  number {number} ")
    watch = watch_of(run)
    commands = watch.waiting()
    assert commands == [(Kill if number % 2 else Resume)(f"number {number}") for number in range(12)]
    assert watch.waiting() == []


def test_a_file_stays_until_its_command_was_handled(run: Path) -> None:
    send_command(run, "kill", "a")
    send_command(run, "kill", "a")  # equal, but another one
    watch = watch_of(run)
    first, second = watch.waiting()
    assert left(run) == ["000001.json", "000002.json"]
    assert watch_of(run).waiting() == [first, second], "a process that died between gives them to the next"
    watch.handled(second)
    assert left(run) == ["000001.json"]
    watch.handled(Kill("a"))  # equal to it, and not it
    assert left(run) == ["000001.json"]
    watch.handled(first)
    assert left(run) == []


def test_shells_that_give_commands_at_once_lose_none(run: Path) -> None:
    with ThreadPoolExecutor(8) as shells:
        list(shells.map(lambda number: send_command(run, "kill", str(number)), range(40)))
    commands = watch_of(run).waiting()
    assert sorted(int(command.why) for command in commands) == list(range(40))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "3",
        '{"command": "kill"}',
        '{"command": "sell", "why": "x"}',
        "\x00\xff",
        '{"command": "close", "why": "x"}',
        '{"command": "close", "why": "x", "symbol": 3}',
        '{"command": ["kill"]}',
        '{"command": "kill", "why": null}',
    ],
)
def test_a_command_that_cannot_be_read_is_set_aside_and_told(run: Path, content: str) -> None:
    send_command(run, "kill", "before")
    (run / "commands" / "000002.json").write_text(content, encoding="latin-1")
    send_command(run, "resume", "after")
    told: list[str] = []
    watch = watch_of(run, told)
    assert watch.waiting() == [Kill("before"), Resume("after")]
    assert left(run) == ["000001.json", "000002.json.unreadable", "000003.json"]
    aside = run / "commands" / "000002.json.unreadable"
    assert told == [f"a command that cannot be read was not obeyed; it is {aside} now: give it again"]
    assert (watch.waiting(), len(told)) == ([], 1)


def test_a_close_is_read_with_what_it_names(run: Path) -> None:
    send_command(run, "close", "x", symbol="A/B")
    assert send_command(run, "close", "y", symbol="A/B", strategy="slow").startswith("close slow A/B: takes effect")
    assert watch_of(run).waiting() == [Close("x", "A/B"), Close("y", "A/B", "slow")]


def test_a_close_of_what_is_not_open_is_told(run: Path) -> None:
    told: list[str] = []
    watch, account = watch_of(run, told), Account(1_000.0, {})
    account.positions[Line("slow", "A/B")] = account.pending[Line("fast", "C/D")] = None  # type: ignore[assignment]
    for event in (Kill("x"), Close("x", "A/B"), Close("x", "A/B", "slow"), Close("x", "C/D")):
        watch.comes(event, account)
    assert told == []
    watch.comes(Close("too late", "B/A"), account)
    watch.comes(Close("too late", "A/B", "fast"), account)
    assert told == [
        f"close {what}: nothing of it is open, so nothing was closed (too late)" for what in ("B/A", "fast A/B")
    ]


def test_a_command_that_cannot_be_removed_is_obeyed_once_and_told(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    send_command(run, "kill", "a")
    told: list[str] = []
    watch = watch_of(run, told)
    (command,) = watch.waiting()

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    watch.handled(command)
    assert told == [
        f"{run}/commands/000001.json was obeyed, but cannot be removed (Permission denied): remove it by hand"
    ]
    assert watch.waiting() == []


def test_the_kill_switch_file_kills_once_and_again_after_a_resume(run: Path) -> None:
    watch = watch_of(run)
    assert watch.waiting() == []
    (run / "KILL_SWITCH").touch()
    kill = Kill(f"kill-switch file {run}/KILL_SWITCH")
    assert (watch.waiting(), watch.waiting()) == ([kill], [])
    watch.handled(kill)
    assert watch.waiting() == []
    watch.handled(Resume("too early"))
    assert (watch.waiting(), watch.waiting()) == ([kill], []), "nothing resumes while it lies there"
    (run / "KILL_SWITCH").unlink()
    watch.handled(Resume("now"))
    assert watch.waiting() == []
    (run / "KILL_SWITCH").touch()
    assert watch.waiting() == [kill]


async def test_a_watch_puts_what_comes_into_the_queue(run: Path) -> None:
    queue: EventQueue = asyncio.Queue()
    stops: asyncio.Queue[Stop] = asyncio.Queue()
    watching = asyncio.create_task(watch_of(run).watch(queue, stops))
    await asyncio.sleep(0)
    send_command(run, "kill", "a")
    send_command(run, "stop", "b")
    assert await asyncio.wait_for(queue.get(), 5) == (Kill("a"),)
    assert await asyncio.wait_for(stops.get(), 5) == Stop("b"), "it goes the way of Ctrl-C"
    assert queue.empty()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


def test_what_is_no_session_is_refused_in_words(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere is no folder; name the run folder of a session"):
        send_command(tmp_path / "nowhere", "kill", "x")
    with pytest.raises(ConfigError, match="is no folder of a session: it holds no tape"):
        send_command(tmp_path, "kill", "x")
    for why in ("", "  "):
        with pytest.raises(ConfigError, match="resume needs --why: say why, it is written on the tape"):
            send_command(run, "resume", why)
    (run / "results.json").write_text("{}")
    with pytest.raises(ConfigError, match="holds a finished run: nobody will hear a kill"):
        send_command(run, "kill", "x")
    assert not (run / "commands").exists()


def test_a_folder_that_cannot_be_written_is_told(run: Path) -> None:
    (run / "commands").write_text("a file")
    with pytest.raises(OutputError, match="commands cannot be written"):
        send_command(run, "kill", "x")
    with pytest.raises(OutputError, match=r"cannot write .*nowhere.*: No such file"), owned(run / "nowhere"):
        pass


def test_a_lock_names_its_owner_and_goes_with_the_block(run: Path) -> None:
    with owned(run):
        assert is_owned(run)
        with (
            pytest.raises(OutputError, match=f"belongs to a run that is going on, process {os.getpid()}; stop it"),
            owned(run),
        ):
            pass
        assert is_owned(run), "the one who was refused has not let go of it"
    assert not is_owned(run)


def test_a_lock_is_freed_by_sigkill(run: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from app.runs.run_folder import owned\n"
        "with owned(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(run)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"
        with pytest.raises(OutputError, match=f"process {owner.pid};"), owned(run):
            pass
        owner.kill()
    assert not is_owned(run)
    with owned(run):
        assert (run / ".session").read_text() == f"{os.getpid()}\n"


def test_who_only_looks_changes_nothing_and_holds_nobody_up(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_folder, "_LOCK_TRIES", 10_000)  # a busy machine may keep who looks from going
    assert not is_owned(run)
    assert not is_owned(run / "nowhere")
    assert [path.name for path in run.iterdir()] == ["tape"]
    (run / ".session").write_text("1\n")  # of a session that was killed
    assert not is_owned(run)
    looking = os.open(run / ".session", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)  # a status at the very moment at which a session starts
    threading.Timer(0.05, os.close, (looking,)).start()
    with owned(run):
        assert is_owned(run)


def test_a_status_is_read_as_it_was_written(run: Path) -> None:
    with pytest.raises(DataError, match="holds no status of a session; name a run folder"):
        read_status(run)
    with pytest.raises(DataError, match="nowhere is no folder; name a run folder"):
        read_status(run / "nowhere")
    write_status(run, {"equity": 0.1 + 0.2})
    assert read_status(run) == {"equity": 0.1 + 0.2}
    (run / "status.json").write_text("{")
    with pytest.raises(DataError, match=r"status.json cannot be read: "):
        read_status(run)
    write_status(run / "nowhere", {})  # a full disk is not worth a session
