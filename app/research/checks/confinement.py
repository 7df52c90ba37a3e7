"""Keeps this process, compiled code included, from reading files and making connections: with Linux's Landlock.

Once confined, nobody in this process can read a file outside of the given places or make a TCP connection (kernels
before 6.7: files only), for good. It needs no privilege. Where the kernel has no Landlock, nothing changes.
"""

import ctypes
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same numbers on every architecture
_READ_FILE = 1 << 2
_CONNECT_TCP = 1 << 1
_VERSION_FLAG = 1
_NETWORK_VERSION = 4
_PATH_BENEATH = 1
_NO_NEW_PRIVILEGES = 38
_FOLDERS_MAX = 5_000
_CODE = (".py", ".pyc", ".so", ".pth")


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64), ("handled_access_net", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def confine(readable: Sequence[str]) -> bool:
    """From here on only what lies in these files and folders can be read; False where that cannot be had."""
    if sys.platform != "linux":
        return False
    kernel = ctypes.CDLL(None, use_errno=True)
    knows_network = kernel.syscall(_CREATE, None, ctypes.c_size_t(0), _VERSION_FLAG) >= _NETWORK_VERSION
    ruleset = _Ruleset(_READ_FILE, _CONNECT_TCP if knows_network else 0)
    size = ctypes.c_size_t(ctypes.sizeof(ruleset) if knows_network else ctypes.sizeof(ctypes.c_uint64))
    ruleset_fd = kernel.syscall(_CREATE, ctypes.byref(ruleset), size, 0)
    if ruleset_fd < 0:
        return False
    try:
        for place in readable:
            with suppress(OSError):  # it is not there
                fd = os.open(place, os.O_PATH | os.O_CLOEXEC)
                rule = _PathBeneath(_READ_FILE, fd)
                kernel.syscall(_ADD, ruleset_fd, _PATH_BENEATH, ctypes.byref(rule), 0)
                os.close(fd)
        done: list[int] = [kernel.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0), kernel.syscall(_RESTRICT, ruleset_fd, 0)]
        return done == [0, 0]
    finally:
        os.close(ruleset_fd)


def code_below(folders: Sequence[Path]) -> list[str] | None:
    """The Python code in these folders, file by file and no data beside it; None if there are too many."""
    found: list[str] = []
    left = _FOLDERS_MAX
    for folder in folders:
        for path, below, files in os.walk(folder):
            below[:] = sorted(name for name in below if not name.startswith(".") and name != "node_modules")
            left -= 1
            if left < 0:
                return None
            found += [f"{path}/{name}" for name in sorted(files) if name.endswith(_CODE)]
    return found
