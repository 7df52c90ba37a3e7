"""One process at a time: a second one waits, a killed one holds nobody up, nothing is left."""

import asyncio
import fcntl
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.candles.locks import locked, read_owner, try_lock, waiting_lock, write_owner

PROJECT = Path(__file__).resolve().parents[3]
HOLDER = """
import asyncio, sys
from pathlib import Path
from app.candles.locks import waiting_lock

async def main():
    async with waiting_lock(Path(sys.argv[1]), lambda text: print(text, flush=True)):
        print("held", flush=True)
        sys.stdin.readline()

asyncio.run(main())
"""
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there one fetch at a time is the user's care")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a" / "cache" / ".fetching"


def holder(path: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def nobody(text: str) -> None:
    raise AssertionError(f"it waits: {text}")


async def hold(path: Path, said: list[str], entered: asyncio.Event | None = None, seconds: float = 0.0) -> None:
    async with waiting_lock(path, said.append):
        if entered is not None:
            entered.set()
        await asyncio.sleep(seconds)


async def test_alone_it_waits_for_nobody_and_leaves_nothing(path: Path) -> None:
    async with waiting_lock(path, nobody):
        assert path.read_text() == f"{os.getpid()}\n"
    assert not path.parent.exists(), "the folder was empty, so it goes, too"
    assert path.parent.parent.exists()


async def test_a_folder_with_something_in_it_stays(path: Path) -> None:
    async with waiting_lock(path, nobody):
        (path.parent / "candles").write_text("")
    assert [one.name for one in path.parent.iterdir()] == ["candles"]


async def test_it_is_let_go_by_an_error(path: Path) -> None:
    with pytest.raises(RuntimeError, match="in the middle"):
        async with waiting_lock(path, nobody):
            raise RuntimeError("in the middle")
    async with waiting_lock(path, nobody):
        pass
    assert not path.exists()


async def test_a_second_process_waits_and_says_once_for_whom(path: Path) -> None:
    said: list[str] = []
    with holder(path) as process:
        assert line(process) == "held"
        waiting = asyncio.create_task(hold(path, said))
        await asyncio.sleep(0.35)
        assert not waiting.done()
        process.communicate("\n")
    await asyncio.wait_for(waiting, 300.0)
    assert said == [f"{path} is held by process {process.pid}; waiting for it"]
    assert not path.parent.exists(), "neither of them left anything"


async def test_a_killed_process_holds_nobody_up(path: Path) -> None:
    with holder(path) as process:
        assert line(process) == "held"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert path.exists(), "it could not take its file away"
    async with waiting_lock(path, nobody):
        assert path.read_text() == f"{os.getpid()}\n"
    assert not path.exists()


async def test_a_killed_owner_frees_who_waits(path: Path) -> None:
    said: list[str] = []
    with holder(path) as process:
        assert line(process) == "held"
        waiting = asyncio.create_task(hold(path, said))
        while not said:
            await asyncio.sleep(0.01)
        process.kill()
        await asyncio.wait_for(waiting, 300.0)
    assert len(said) == 1


async def test_who_is_cancelled_while_waiting_leaves_the_owner_alone(path: Path) -> None:
    entered = asyncio.Event()
    owner = asyncio.create_task(hold(path, [], entered, 0.3))
    await entered.wait()
    waiting = asyncio.create_task(hold(path, []))
    await asyncio.sleep(0.15)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert path.read_text() == f"{os.getpid()}\n"
    await owner
    assert not path.exists()


async def test_never_two_at_once_however_many_wait(path: Path) -> None:
    inside, most, done = 0, 0, 0

    async def one() -> None:
        nonlocal inside, most, done
        async with waiting_lock(path, lambda text: None):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1
            done += 1

    await asyncio.gather(*(one() for _ in range(6)))
    assert (most, done) == (1, 6)
    assert not path.parent.exists()


async def test_an_owner_that_goes_between_opening_and_locking(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The last owner takes its file away, and a third makes another, before the lock on the old one is had.
    real_flock, times = fcntl.flock, 0

    def flock(descriptor: int, operation: int) -> None:
        nonlocal times
        times += 1
        if times == 1:
            path.unlink()
            path.write_text("")
        real_flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    async with waiting_lock(path, nobody):
        assert path.read_text() == f"{os.getpid()}\n", "the lock is on the file that is there"
    assert times == 2


async def test_an_owner_that_takes_its_folder_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_open, times = os.open, 0

    def opened(name: Path, flags: int, mode: int = 0o777) -> int:
        nonlocal times
        times += 1
        if times == 1:
            path.parent.rmdir()
        return real_open(name, flags, mode)

    monkeypatch.setattr(os, "open", opened)
    async with waiting_lock(path, nobody):
        assert path.exists()
    assert times == 2


async def test_a_folder_that_cannot_be_made_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        async with waiting_lock(tmp_path / "file" / "cache" / ".fetching", nobody):
            pass


def _append(folder: Path, word: str) -> None:
    for _ in range(50):
        with locked(folder):
            path = folder / "count"
            before = path.read_text()
            time.sleep(0.001)  # long enough for the other one to come in between, were there no lock
            path.write_text(before + word)


def test_a_locked_folder_keeps_a_second_process_waiting(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("")
    spawn = multiprocessing.get_context("spawn")
    target: Callable[[Path, str], None] = _append
    workers = [spawn.Process(target=target, args=(tmp_path, word)) for word in "ab"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted((tmp_path / "count").read_text()) == ["a"] * 50 + ["b"] * 50


def test_one_owner_or_several_who_look(tmp_path: Path) -> None:
    def opened() -> int:
        return os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT, 0o644)

    owner, other, third = opened(), opened(), opened()
    assert try_lock(owner)
    assert read_owner(other) == "?"
    write_owner(owner)
    assert (try_lock(other), try_lock(other, shared=True), read_owner(other)) == (False, False, str(os.getpid()))
    os.close(owner)
    assert (try_lock(other, shared=True), try_lock(third, shared=True), try_lock(third)) == (True, True, False)
    for descriptor in (other, third):
        os.close(descriptor)
