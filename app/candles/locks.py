"""One fetch at a time in one cache: a lock that a second process waits for, and says so.

The rule: the system lets go of it when its owner ends, however that happens, so a file left behind by a killed
process holds nobody up. It protects against wasted requests; files are safe without it (durable.py).
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

_POLL_S = 0.1


@contextlib.asynccontextmanager
async def waiting_lock(path: Path, tell: Callable[[str], None]) -> AsyncIterator[None]:
    """A lock on a file that holds its owner's process number; says once whom it waits for, and leaves nothing."""
    if sys.platform == "win32":
        yield
        return
    descriptor = await _lock_file(path, tell)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)
        with contextlib.suppress(OSError):  # not empty, mostly: then it was worth making
            path.parent.rmdir()


async def _lock_file(path: Path, tell: Callable[[str], None]) -> int:
    import fcntl

    told = False
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # its last owner has just removed the empty folder
            await asyncio.sleep(_POLL_S)
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            os.close(descriptor)
            if not told:
                tell(f"{path} is held by process {owner or '?'}; waiting for it")
                told = True
            await asyncio.sleep(_POLL_S)
            continue
        # Its last owner may have removed the file between our opening and our locking it.
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)
