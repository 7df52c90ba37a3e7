"""One kind of damage against one paper session, in a process of its own, and what is found afterwards.

The session is `python -m app --mode paper` with its own settings, output and signals; the exchange and the man in the
middle live on the same loop, behind real sockets. The parent starts processes and reads their verdicts.
"""

import asyncio
import gc
import json
import multiprocessing
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from random import Random
from typing import Any

from app.testnet.server import Testnet
from app.times import iso_ms
from tests.faults.middle import proof
from tests.faults.middle.kinds import Kind
from tests.faults.middle.patient_loop import PatientLoop, living_on
from tests.faults.middle.proof import START_MS, source
from tests.faults.middle.proxy import CLOSED_BEFORE, Middle

MINUTE_MS = 60_000
HEALED_AFTER, GOOD_SLICES = 3, 4  # slices after the damage, and those that are looked at then
CANDLES = CLOSED_BEFORE + 4 + HEALED_AFTER + GOOD_SLICES
_OVERTIME_S = 600.0  # of the exchange, after the session's end
_OBEYS_S = 120.0  # likewise, after a stop
_PROCESSOR_S = 30  # of one session; a few are needed
_EXIT_NEVER_ENDED = 99
_SELDOM_S = 30.0
_LOOK_S = 1.0
_UPDATE_MS = 2_000  # Binance shows a forming candle every two seconds
_PRELOADED = (
    "ccxt.pro", "app.cli.paper", "tests.faults.middle.damages", "tests.faults.middle.session",
    "tests.faults.middle.strategy",
)  # fmt: skip
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(list(_PRELOADED))


@dataclass
class Verdict:
    """What came of a kind: nothing wrong if there is no problem."""

    kind: str
    problems: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def run_kinds(
    kinds: Sequence[Kind], root: Path, at_once: int, told: Callable[[Verdict], None], strategy: str = proof.STRATEGY
) -> list[Verdict]:
    """Each in a process and a folder of its own, so many at a time; `told` hears of each as it ends."""
    verdicts: list[Verdict] = []
    left = list(enumerate(kinds))
    running: dict[int, tuple[Any, str, Path]] = {}
    while left or running:
        while left and len(running) < at_once:
            number, kind = left.pop(0)
            folder = root / f"{number:03}"
            folder.mkdir(parents=True)
            process = _PROCESSES.Process(target=run_session, args=(kind.name, folder, strategy))
            process.start()
            running[process.sentinel] = process, kind.name, folder
        for sentinel in wait(list(running)):
            process, name, folder = running.pop(int(sentinel))  # type: ignore[arg-type]
            process.join()
            verdicts.append(_verdict(name, folder, process.exitcode))
            told(verdicts[-1])
    return verdicts


def _verdict(name: str, folder: Path, status: int) -> Verdict:
    try:
        found = json.loads((folder / "verdict.json").read_text())
        return Verdict(name, found["problems"], found["facts"])
    except FileNotFoundError:
        pass
    if status == -signal.SIGXCPU:
        return Verdict(name, [f"alive: busy for {_PROCESSOR_S} s of the processor, and ended by force"])
    if status == _EXIT_NEVER_ENDED:
        return Verdict(name, [f"alive: neither --end nor SIGTERM ended it within {_OBEYS_S:.0f} s"])
    err = folder / "err"
    said = err.read_text(errors="replace")[-300:] if err.exists() else ""
    return Verdict(name, [f"harness: no verdict, status {status}: {said}"])


def run_session(name: str, folder: Path, strategy: str) -> None:
    """In a process of its own: the session through the damage, its proof, and the verdict as a file."""
    from tests.faults.middle.damages import KINDS

    resource.setrlimit(resource.RLIMIT_CPU, (_PROCESSOR_S, _PROCESSOR_S + 5))
    _send_output_to(folder)
    world = World(KINDS[name], folder, strategy)
    with living_on(world.loop):
        world.calm_down()
        status = world.run()
    gc.collect()  # what an interpreter complains of when it ends
    sys.stdout.flush()
    sys.stderr.flush()
    proof.prove(world.kind, world.seen(status), folder, strategy)


def _send_output_to(folder: Path) -> None:
    for number, name in ((1, "out"), (2, "err")):
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        os.dup2(descriptor, number)
        os.close(descriptor)


class World:
    """Exchange, man in the middle and session on one loop."""

    def __init__(self, kind: Kind, folder: Path, strategy: str) -> None:
        self.kind, self.folder, self.loop = kind, folder, PatientLoop()
        self._socket = socket.create_server(("127.0.0.1", 0))
        # asyncio does so for its own sockets: else small bytes wait in the kernel for a late ACK, and time runs away.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._middle: Middle | None = None
        self._stopped_s: tuple[float, float] | None = None  # of the exchange, and of the processor
        self._obeyed_s: tuple[float, float] | None = None
        end_ms = (START_MS // MINUTE_MS + CANDLES) * MINUTE_MS
        for file, content in proof.config(folder, strategy).items():
            name = {"live": "live.yaml"}.get(file, f"{file}.{'json' if file == 'risk' else 'yaml'}")
            (folder / name).write_text(json.dumps(content))
        self._words = [
            "--mode", "paper", "--config", str(folder / "live.yaml"), "--cache", str(folder / "cache"), "--out",
            str(folder / "live"), "--exchange-url", f"http://127.0.0.1:{self._socket.getsockname()[1]}", "--no-report",
        ]  # fmt: skip
        self._end_ms = None if kind.endless or kind.stop_s is not None else end_ms
        if self._end_ms is not None:
            self._words += ["--end", iso_ms(end_ms)]

    @staticmethod
    def calm_down() -> None:
        """What looks into folders and writes status files does so seldom; waits are drawn from one seed."""
        import app.session.control
        import app.session.view
        from app.exchange import retries
        from app.testnet import kline_streams, sockets

        retries._JITTER = Random(1)  # type: ignore[assignment]
        app.session.control._POLL_S, app.session.view._STATUS_S = _SELDOM_S, _SELDOM_S
        sockets._FAULTS_LOOK_S = _LOOK_S
        kline_streams._STEP_REAL_MS = _UPDATE_MS

    def run(self) -> int:
        """The session's exit status."""
        from app.cli.main import main

        around = self.loop.create_task(self._around())
        try:
            return main(self._words)
        except SystemExit as exit_:
            return int(exit_.code or 0)
        except BaseException:
            import traceback

            traceback.print_exc()
            return 1
        finally:
            if self._stopped_s is not None:
                self._obeyed_s = self.loop.time(), time.process_time()
            around.cancel()

    def seen(self, status: int) -> proof.Seen:
        """What was seen from outside."""
        middle = self._middle
        if middle is None:
            raise RuntimeError("the session ended before the exchange was there")
        stop = None
        if self._stopped_s is not None and self._obeyed_s is not None:
            stop = tuple(after - before for before, after in zip(self._stopped_s, self._obeyed_s, strict=True))
        return proof.Seen(
            status=status,
            end_ms=self._end_ms,
            ended_ms=middle.damage.ended_ms,
            damaged=middle.damage.done,
            stop_s=stop,
            requests=[asdict(one) for one in middle.requests],
            handshakes=[asdict(one) for one in middle.handshakes],
            problems=middle.problems,
        )

    async def _around(self) -> None:
        """The exchange and the man in the middle, until the session is over; a stop if there is to be one."""
        async with (
            Testnet(source(), start_ms=START_MS, weight_limit=None) as net,
            Middle(net, self.kind, self._socket) as middle,
        ):
            self._middle = middle
            over_s = (CANDLES * MINUTE_MS) / 1000.0 + _OVERTIME_S
            if await self._is_to_stop(middle, over_s):
                self._stopped_s = self.loop.time(), time.process_time()
            else:
                middle.problems.append("alive: it did not end with its --end")
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(_OBEYS_S)
            os._exit(_EXIT_NEVER_ENDED)

    async def _is_to_stop(self, middle: Middle, limit_s: float) -> bool:
        """Waits for the moment of the kind's own stop; False: there was none until the limit."""
        try:
            async with asyncio.timeout(limit_s):
                if self.kind.stop_s is not None:
                    await middle.damage.begun.wait()
                    await asyncio.sleep(self.kind.stop_s)
                elif self.kind.endless:
                    await middle.damage.ended.wait()
                    await asyncio.sleep((HEALED_AFTER + GOOD_SLICES + 1.5) * 60.0)
                else:
                    await asyncio.Event().wait()
        except TimeoutError:
            return False
        return True
