"""A process of its own for every run of a check: fresh modules, its own environment, no state from before.

It ends with the check, whatever the strategy does. If it ends by itself, the error names the last line that it wrote.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.connection import Pipe
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Self

import msgspec

from app.errors import StrategyError
from app.models.market import Slice
from app.research.checks.past_cache import PastCache
from app.research.checks.request import Reply, Request

_PACKAGE = Path(__file__).resolve().parents[2]  # app/ itself

ANSWER_TIMEOUT_S = 60.0  # for one slice; a whole run may take as long as it likes
ENVIRONMENT: Mapping[str, str] = {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8"}


class StrategyProcess:
    """Serves one request; leaving the block ends it."""

    def __init__(
        self, request: Request, environment: Mapping[str, str] = ENVIRONMENT, past: PastCache | None = None
    ) -> None:
        self._request, self._past = request, past
        paths = [str(_PACKAGE.parent), os.environ.get("PYTHONPATH", "")]
        self._environment = {**os.environ, **environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        self._errors = TemporaryFile()  # noqa: SIM115 - closed with the process

    def __enter__(self) -> Self:
        self._connection, theirs = Pipe()
        self._process = subprocess.Popen(  # noqa: S603 - this Python, this project
            [sys.executable, "-m", "app.research.checks.inside", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),), env=self._environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._errors,
        )  # fmt: skip
        theirs.close()
        self._connection.send_bytes(msgspec.msgpack.encode(self._request))
        return self

    def __exit__(self, *_: Any) -> None:
        self._connection.close()
        self._process.kill()
        self._process.wait()
        self._errors.close()

    def step(self, slice_: Slice) -> Reply:
        """Hand out the next slice; what was answered to it. TimeoutError when nothing comes."""
        if self._past is not None:
            self._past.now_ms = slice_.close_time_ms
        try:
            self._connection.send_bytes(msgspec.msgpack.encode(slice_))
        except ConnectionError:
            raise self._ended() from None
        return self.reply(ANSWER_TIMEOUT_S)

    def reply(self, timeout_s: float | None = None) -> Reply:
        """The next reply; StrategyError if the process is gone. The past cache is brought up where it is wanted."""
        while True:
            try:
                if not self._connection.poll(timeout_s):
                    raise TimeoutError(f"nothing came for {timeout_s:g} s")
                reply = msgspec.msgpack.decode(self._connection.recv_bytes(), type=Reply)
            except (EOFError, ConnectionError):
                raise self._ended() from None
            if reply.wanted is None:
                return reply
            if self._past is not None:
                self._past.place(Path(reply.wanted))
            self._connection.send_bytes(b"brought up")

    def _ended(self) -> StrategyError:
        status = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return StrategyError(f"the strategy's process ended with status {status}: {said[-1] if said else 'no word'}")


def ask(request: Request, environment: Mapping[str, str] = ENVIRONMENT) -> Reply:
    """The one reply to a request that is no stepped run; StrategyError if the strategy raised."""
    with StrategyProcess(request, environment) as process:
        reply = process.reply()
    if reply.failure is not None:
        which = f"strategy {request.strategies[0]}" if len(request.strategies) == 1 else "a strategy"
        raise StrategyError(f"{which} fails at {reply.failed_at}: {reply.failure}")
    return reply
