"""A process of its own for every run of a check: fresh modules, its own environment, and nobody's state from before.

The rule: it ends with the check, whatever the strategy does; a process that ends by itself or does not answer is told
in one line with the last that it said.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from math import inf
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

import msgspec

import app
from app.errors import StrategyError
from app.models.market import Slice
from app.research.checks.past_cache import PastCache
from app.research.checks.pipe import Pipe
from app.research.checks.request import Reply, Request

ANSWER_TIMEOUT_S = 60.0  # for one slice; a whole run may take as long as it likes
WORLD: Mapping[str, str] = {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8"}


class StrategyProcess:
    """Serves one request; leaving the block ends it."""

    def __init__(self, request: Request, world: Mapping[str, str] = WORLD, past: PastCache | None = None) -> None:
        self._request = request
        self._past = past
        self._world = world
        self._errors = TemporaryFile()  # noqa: SIM115 - closed with the process

    def __enter__(self) -> Self:
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        paths = [str(Path(app.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, **self._world, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
        self._process = subprocess.Popen(  # noqa: S603 - this Python, this project
            [sys.executable, "-m", "app.research.checks.inside", str(theirs_in), str(theirs_out)],
            pass_fds=(theirs_in, theirs_out), env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._errors,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._pipe = Pipe(ours_in, ours_out)
        self._pipe.send(msgspec.msgpack.encode(self._request))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.kill()
        self._process.wait()
        self._errors.close()

    def step(self, slice_: Slice) -> Reply:
        """Hand out the next slice; what was answered to it. TimeoutError when nothing comes."""
        if self._past is not None:
            self._past.now_ms = slice_.close_time_ms
        try:
            self._pipe.send(msgspec.msgpack.encode(slice_))
        except BrokenPipeError:
            raise self._ended() from None
        return self.reply(ANSWER_TIMEOUT_S)

    def reply(self, timeout_s: float = inf) -> Reply:
        """The next reply; StrategyError if the process is gone. The past cache is brought up where it is wanted."""
        while True:
            content = self._pipe.receive(timeout_s)
            if content is None:
                raise self._ended()
            reply = msgspec.msgpack.decode(content, type=Reply)
            if reply.wanted is None:
                return reply
            if self._past is not None:
                self._past.place(Path(reply.wanted))
            self._pipe.send(b"brought up")

    def _ended(self) -> StrategyError:
        status = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return StrategyError(f"the strategy's process ended with status {status}: {said[-1] if said else 'no word'}")


def ask(request: Request, world: Mapping[str, str] = WORLD) -> Reply:
    """The one reply to a request that is no stepped run; StrategyError if the strategy raised."""
    with StrategyProcess(request, world) as process:
        reply = process.reply()
    if reply.failure is not None:
        name = request.settings["live"]["strategy"]["name"]
        raise StrategyError(f"strategy {name} fails at {reply.failed_at}: {reply.failure}")
    return reply
