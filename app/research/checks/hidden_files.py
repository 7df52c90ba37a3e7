"""Hides the future from a strategy that looks for it outside of the runtime: in files, the cache or the network.

In this process the candle cache is the past cache. Any other file does not exist unless it is code, a part of Python,
allowed by the user or the strategy's own parameter file; nothing connects and no program is started. What is opened is
noted. Files that compiled code opens by itself are not seen here; confinement.py refuses those.
"""

import builtins
import io
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.research.checks.request import Access

_PACKAGE = Path(__file__).resolve().parents[2]  # app/ itself

_CODE = (".py", ".pyc", ".so", ".pyd", ".pth")
_SYSTEM = ("/dev", "/proc", "/sys", "/etc", "/usr", "/lib", "/lib64")
_NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg")
_PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty")
_OF_OS = ("open", "stat", "listdir", "scandir")
_NOTED_MAX = 100


@dataclass(frozen=True)
class _Placed:
    """A function of a path, called with its place in the past; an object, so that no class makes a method of it."""

    original: Callable[..., Any]
    place: Callable[[Any], Any]

    def __call__(self, *args: Any, **options: Any) -> Any:
        if args:
            return self.original(self.place(args[0]), *args[1:], **options)
        named = next((name for name in ("path", "file") if name in options), None)
        if named is not None:
            return self.original(**{**options, named: self.place(options[named])})
        return self.original(self.place("."), **options)


class HiddenFiles:
    """Active from `install` on, in the whole process; `accesses` says what was opened or asked for, in order."""

    def __init__(
        self,
        cache_root: Path,
        bring_up: Callable[[Path], Path],
        own_folder: Path,
        allowed: Sequence[Path],
        parameters: Sequence[str] = (),
    ) -> None:
        self.accesses: list[Access] = []
        self.active = self.is_confined = False
        self._parameters = frozenset(parameters)
        self.now_ms: int | None = None  # None until the strategies exist: there is no candle to name
        self._roots = {str(cache_root.absolute()), str(cache_root.resolve())}
        self._bring_up = bring_up
        self._place_lock = threading.RLock()
        python = (sys.prefix, sys.base_prefix, sys.exec_prefix, *(one for one in sys.path if "-packages" in one))
        shown = (*python, *_SYSTEM, str(own_folder), str(_PACKAGE), *map(str, allowed))
        self.shown = tuple(sorted({os.path.realpath(one) for one in shown}))
        self._written: set[str] = set()

    def install(self) -> None:
        """From here on; the hook stays in the process, so this is for one that is made for the purpose."""
        sys.addaudithook(self._heard)
        for module, name in ((builtins, "open"), (io, "open"), *((os, one) for one in _OF_OS)):
            setattr(module, name, _Placed(getattr(module, name), self._place))
        self.active = True

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """For Onetape's own reading of the real cache."""
        before, self.active = self.active, False
        try:
            yield
        finally:
            self.active = before

    def _place(self, path: Any) -> Any:
        if not self.active or not isinstance(path, (str, bytes, os.PathLike)):
            return path
        absolute = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - what a Path does would come back here
        for root in self._roots:
            if absolute == root or absolute.startswith(root + os.sep):
                self._note(f"the candle cache {os.fsdecode(path)}")
                with self._place_lock, self.lifted():
                    return str(self._bring_up(Path(os.path.relpath(absolute, root))))
        return path

    def _heard(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.active:
            return
        if event == "open":
            self._opened(*args)
        elif event == "sqlite3.connect":
            self._opened(args[0], "r", 0)
        elif event in _NETWORK:
            address = args[1] if event in ("socket.connect", "socket.sendto", "socket.sendmsg") else args[:2]
            self._note(f"the network ({address})")
            raise PermissionError(f"no connection in a check: {address}")
        elif event in _PROGRAMS:
            self._note(f"another program ({event})")
            raise PermissionError(f"no other program in a check: {event}")

    def _opened(self, path: Any, mode: str | None, flags: int) -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return
        name = os.fsdecode(path)
        with self.lifted():
            real = os.path.realpath(name)
            is_file = os.path.isfile(real)  # noqa: PTH113
        if mode is None:
            reads, writes = flags & os.O_ACCMODE != os.O_WRONLY, flags & os.O_ACCMODE != os.O_RDONLY
        else:
            reads, writes = "r" in mode or "+" in mode, any(one in mode for one in "wax+")
        if writes and not is_file:
            self._written.add(real)  # made in this process: what is in it was known
        if not (reads and is_file) or real in self._written or real.endswith(_CODE):
            return
        if any(real == one or real.startswith(one + os.sep) for one in self.shown):
            return
        self._note(name, is_hidden=real not in self._parameters)
        if real not in self._parameters:
            raise FileNotFoundError(2, f"hidden by the check, it may know the future; if not: --allow {name}", name)

    def _note(self, what: str, *, is_hidden: bool = True) -> None:
        if len(self.accesses) < _NOTED_MAX and all(one.what != what for one in self.accesses):
            self.accesses.append(Access(what, self.now_ms, is_hidden))
