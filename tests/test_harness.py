"""What the tests stand on: time that a busy machine does not take, warm interpreters, busy loops that end."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from app import times
from tests import warm_python
from tests.integration.processes import PATIENCE_S, PROJECT, until

NOWHERE = [sys.executable, "-m", "app", "status", "nowhere"]


async def test_time_stands_while_somebody_else_has_the_processor() -> None:
    before_s, real_s = times.monotonic_s(), time.monotonic()
    time.sleep(0.3)  # as long as another process may have it
    assert time.monotonic() - real_s >= 0.3
    assert times.monotonic_s() - before_s < 0.2
    async with asyncio.timeout(0.2):
        await asyncio.sleep(0)


async def test_waiting_and_working_count() -> None:
    before_s = times.monotonic_s()
    await asyncio.sleep(5.0)
    assert 5.0 <= times.monotonic_s() - before_s < 6.0
    before_s, used_s = times.monotonic_s(), time.thread_time()
    while time.thread_time() - used_s < 0.05:
        pass
    assert times.monotonic_s() - before_s >= 0.05


async def test_with_a_process_or_a_thread_to_wait_for_a_second_is_a_second() -> None:
    for _ in range(2):
        began_s = time.monotonic()
        await asyncio.sleep(20.0)
        assert time.monotonic() - began_s < 20.0, "nobody is waited for"
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
            began_s = time.monotonic()
            await asyncio.sleep(0.3)
            assert time.monotonic() - began_s >= 0.3
            process.communicate(b"\n")
        done = threading.Event()
        thread = threading.Thread(target=done.wait)
        thread.start()
        began_s = time.monotonic()
        await asyncio.sleep(0.3)
        assert time.monotonic() - began_s >= 0.3
        done.set()
        thread.join()


async def test_another_thread_has_real_time() -> None:
    read: list[float] = []

    def look() -> None:
        began_s = times.monotonic_s()
        time.sleep(0.05)
        read.append(times.monotonic_s() - began_s)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert read[0] >= 0.05


def test_a_warm_process_says_and_ends_as_a_cold_one(tmp_path: Path) -> None:
    cold, warm = (
        popen(NOWHERE, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for popen in (warm_python.ColdPopen, warm_python.WarmPopen)
    )
    assert cold.communicate(timeout=PATIENCE_S) == warm.communicate(timeout=PATIENCE_S)
    assert cold.returncode == warm.returncode == 2
    assert cold.pid != warm.pid


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_warm_process_is_ended_by_a_signal(number: signal.Signals, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "app", "testnet", "--port", "0", "--generate", "1", "--symbols", "BTC/USDT"]
    with warm_python.WarmPopen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None and process.stdout.readline().startswith("listening on ")
        assert process.poll() is None
        os.kill(process.pid, number)
        assert process.wait(PATIENCE_S) == (-signal.SIGKILL if number == signal.SIGKILL else 0)


def test_busy_loops_end_with_the_command_and_with_their_parent(tmp_path: Path) -> None:
    busy = [sys.executable, "-m", "tests.busy", sys.executable, "-c"]
    done = subprocess.run([*busy, "raise SystemExit(3)"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stdout.startswith(f"beside {os.cpu_count()} busy loops: ")
    pids = tmp_path / "pids"
    code = (
        "import os, pathlib, subprocess\n"
        "found = subprocess.run(['pgrep', '-P', str(os.getppid())], capture_output=True, text=True).stdout\n"
        f"pathlib.Path({str(pids)!r}).write_text(found)\n"
        "os.kill(os.getppid(), 9)\n"
    )
    assert subprocess.run([*busy, code], cwd=PROJECT, capture_output=True, check=False).returncode == -signal.SIGKILL
    until(lambda: pids.exists() and not any(Path(f"/proc/{pid}").exists() for pid in pids.read_text().split()))
