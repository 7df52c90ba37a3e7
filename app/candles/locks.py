"""Locks between processes: on a folder, or on a file that names its owner.

The system opens a lock when its owner ends, however that happens, so a file that a killed process left holds nobody
up. Windows has no such lock: there one process at a time is the user's care.
"""

import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

_POLL_S = 0.1


def try_lock(descriptor: int, *, shared: bool = False, wait: bool = False) -> bool:
    """Locks an open file or folder until it is closed; false if another has it, and with `wait` never false."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def write_owner(descriptor: int) -> None:
    """This process's number into the locked file, for those who find it locked."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def read_owner(descriptor: int) -> str:
    """The number of the process that has the file locked; `?` while it has not written it."""
    return os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "?"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps a second process that locks the same folder waiting."""
    if sys.platform == "win32":  # which does not open folders either
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try_lock(descriptor, wait=True)
        yield
    finally:
        os.close(descriptor)


@contextlib.asynccontextmanager
async def waiting_lock(path: Path, tell: Callable[[str], None]) -> AsyncIterator[None]:
    """A lock on a file that names its owner; says once whom it waits for, and leaves no file."""
    if sys.platform == "win32":
        yield
        return
    descriptor = await _lock_file(path, tell)
    try:
        write_owner(descriptor)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)
        with contextlib.suppress(OSError):  # not empty, mostly: then it was worth making
            path.parent.rmdir()


async def _lock_file(path: Path, tell: Callable[[str], None]) -> int:
    import asyncio

    told = False
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The folder may be gone again: its last owner has just removed it, empty.
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            if try_lock(descriptor):
                # Its last owner may have removed the file between our opening and our locking it.
                with contextlib.suppress(FileNotFoundError):
                    if path.stat().st_ino == os.fstat(descriptor).st_ino:
                        return descriptor
                os.close(descriptor)
                continue
            if not told:
                tell(f"{path} is held by process {read_owner(descriptor)}; waiting for it")
                told = True
            os.close(descriptor)
        await asyncio.sleep(_POLL_S)
