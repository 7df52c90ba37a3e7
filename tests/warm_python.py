"""Processes of `python -m app ...` without the half second that starting an interpreter and its imports costs.

An interpreter that has imported everything waits, and forks for each process that a test starts: a real process with
its own pipes, folder, environment and signals, which runs the module as `python -m` does. What is started in any other
way (`-c`, another program, `preexec_fn`, a fourth set of PYTHON* variables), and everything under `pytest --cold`, is
started anew.
"""

import contextlib
import fcntl
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakSet

PROJECT = Path(__file__).resolve().parents[1]
_CHECKS = "app.research.checks.inside"
# What may be started warm, and what is imported for it beforehand. A check's process imports the rest for itself: that
# it can, though it may read no other file, is for its tests to see.
_IMPORTS = {
    _CHECKS: (_CHECKS,),
    "app": (
        "app.cli.main", "app.session.backtest", "app.session.paper", "app.testnet.server", "app.proof.comparison",
        "aiohttp.web", "ccxt.pro",
        "rich.console", "structlog",
    ),
}  # fmt: skip
_LIKE = {"tests.live_sessions": "app"}
_SERVERS_MAX = 3  # of a kind
_MESSAGE_MAX = 1 << 18
_FIRST_FREE = 256  # descriptors from here on are ours while a child sorts out its own
ColdPopen = subprocess.Popen  # as the library has it


class WarmPopen(subprocess.Popen):  # type: ignore[type-arg]
    """A Popen whose process is forked by a warm interpreter where it can be."""

    is_cold = False
    _link: socket.socket | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _started_here.add(self)

    def _execute_child(  # the library's own, the same since Python 3.11
        self, args: Any, executable: Any, preexec_fn: Any, close_fds: Any, pass_fds: Any, cwd: Any, env: Any, *rest: Any
    ) -> None:
        _, _, shell, *pipes = rest
        p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, _, *ids, session, group = pipes
        environment = dict(os.environ if env is None else env)
        is_plain = (
            preexec_fn is executable is None and not shell and close_fds and group == -1 and set(ids) <= {None, -1}
        )
        server = _server_for(args, environment) if is_plain and not self.is_cold else None
        if server is None:
            super()._execute_child(args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *rest)  # type: ignore[misc]
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        standard = [place if end == -1 else end for place, end in enumerate((p2cread, c2pwrite, errwrite))]
        order = {
            "module": args[2],
            "arguments": [os.fspath(one) for one in args[3:]],
            "cwd": str(Path(cwd or ".").resolve()),
            "environment": environment,
            "pass_fds": list(pass_fds),
            "session": session,
        }
        with theirs:
            socket.send_fds(server, [json.dumps(order).encode()], [theirs.fileno(), *standard, *pass_fds])
        told = ours.recv(64)
        assert told, "the warm interpreter is gone: standard error says why"
        self.pid = json.loads(told)
        self._link = ours
        self._child_created = True
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)  # type: ignore[attr-defined]

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        if self._link is None:
            return super()._try_wait(wait_flags)  # type: ignore[misc,no-any-return]
        try:
            told = self._link.recv(64, socket.MSG_DONTWAIT if wait_flags & os.WNOHANG else 0)
        except BlockingIOError:
            return 0, 0
        self._link.close()
        return self.pid, json.loads(told) if told else signal.SIGKILL

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        if self._link is None:
            return super()._internal_poll(*_, **__)  # type: ignore[misc,no-any-return]
        if self.returncode is None and self._waitpid_lock.acquire(False):  # type: ignore[attr-defined]
            try:
                pid, status = self._try_wait(os.WNOHANG)
                if pid:
                    self._handle_exitstatus(status)  # type: ignore[attr-defined]
            finally:
                self._waitpid_lock.release()  # type: ignore[attr-defined]
        return self.returncode


_servers: "dict[tuple[str, ...], tuple[socket.socket, subprocess.Popen[bytes]]]" = {}
_lock = threading.Lock()


_started_here: "WeakSet[WarmPopen]" = WeakSet()


def install(*, cold: bool) -> None:
    """Every `subprocess.Popen` of this process is a warm one, or known at least."""
    subprocess.Popen = WarmPopen  # type: ignore[misc]
    WarmPopen.is_cold = cold


def is_any_running() -> bool:
    """Whether a process that was started here has not been waited for to its end."""
    return any(process.returncode is None for process in list(_started_here))


def remove() -> None:
    """The warm interpreters end, and processes are started as ever."""
    subprocess.Popen = ColdPopen  # type: ignore[misc]
    for link, server in _servers.values():
        link.close()
        server.wait()
    _servers.clear()


def _server_for(args: Any, environment: Mapping[str, str]) -> socket.socket | None:
    """The warm interpreter that can stand for this one; None if none can."""
    if not isinstance(args, Sequence) or isinstance(args, str | bytes):
        return None
    if len(args) < 3 or args[0] != sys.executable or args[1] != "-m" or _LIKE.get(args[2], args[2]) not in _IMPORTS:
        return None
    kind = str(_LIKE.get(args[2], args[2]))
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    own = {name: value for name, value in environment.items() if name in names or name.startswith("PYTHON")}
    own.pop("PYTHONPATH", None)
    key = (kind, *(f"{name}={own[name]}" for name in sorted(own)))
    with _lock:
        if key not in _servers:
            if sum(one[0] == kind for one in _servers) == _SERVERS_MAX:
                return None
            _servers[key] = _started(kind, own)
        return _servers[key][0]


def _started(kind: str, own: Mapping[str, str]) -> "tuple[socket.socket, subprocess.Popen[bytes]]":
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
    with theirs:
        server = ColdPopen(
            [sys.executable, "-m", "tests.warm_python", str(theirs.fileno()), kind],
            cwd=PROJECT, env={**kept, **own}, pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    return ours, server


def _serve(link: socket.socket) -> dict[str, Any]:
    """Forks for each order; returns in the child that runs it, with the order."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever watches a child for us ends by itself
    while True:
        message, descriptors, _, _ = socket.recv_fds(link, _MESSAGE_MAX, 64)
        if not message:
            os._exit(0)  # the tests are over
        if os.fork() == 0:
            order: dict[str, Any] = json.loads(message)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            link.close()
            _watch_child(socket.socket(fileno=descriptors[0]), descriptors[1:], order)
            return order
        for descriptor in descriptors:
            os.close(descriptor)


def _watch_child(link: socket.socket, descriptors: list[int], order: dict[str, Any]) -> None:
    """Forks once more and tells how the child ended; returns in the child."""
    child = os.fork()
    if child:
        for descriptor in descriptors:
            os.close(descriptor)
        link.send(str(child).encode())
        _, status = os.waitpid(child, 0)
        with contextlib.suppress(OSError):
            link.send(str(status).encode())
        os._exit(0)
    link.close()
    if order["session"]:
        os.setsid()
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, _FIRST_FREE) for descriptor in descriptors]
    places = [0, 1, 2, *order["pass_fds"]]
    os.closerange(3, _FIRST_FREE)
    for descriptor, place in zip(high, places, strict=True):
        os.dup2(descriptor, place, inheritable=True)
    os.closerange(_FIRST_FREE, max(high) + 1)


def _become(order: dict[str, Any], base_path: list[str]) -> None:
    """This process is the one that was asked for, up to the first line of its module."""
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    os.chdir(order["cwd"])
    more = order["environment"].get("PYTHONPATH", "")
    sys.path[:] = [order["cwd"], *(path for path in more.split(os.pathsep) if path), *base_path]
    sys.argv[:] = [order["module"], *order["arguments"]]
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()  # every interpreter begins with another state, as that of random does


if __name__ == "__main__":
    for name in _IMPORTS[sys.argv[2]]:
        importlib.import_module(name)
    gc.freeze()
    asked = _serve(socket.socket(fileno=int(sys.argv[1])))
    _become(asked, sys.path[1:])
    runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)
