"""The state after the newest event, beside the tape: written by the code that decided it, for a later epoch.

The rule: two files in turn, each with its length and checksum, so that one of them is whole whenever the process ends.
What is in them is not its affair, and neither is a disk that takes no more: the tape tells that.
"""

import contextlib
import os
import zlib
from pathlib import Path

_NAMES = ("state.1", "state.2")
_HEAD_BYTES = 18  # crc32 and length in hex, each with a space


class StateFile:
    """Writes the two files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._descriptors = [os.open(folder / name, os.O_WRONLY | os.O_CREAT, 0o644) for name in _NAMES]
        self._turn = 0

    def write(self, state: bytes) -> None:
        """To the kernel, over the older of the two."""
        content = b"%08x %08x %b" % (zlib.crc32(state), len(state), state)
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptors[self._turn], content, 0)
            self._turn = 1 - self._turn

    def sync(self) -> None:
        """To the disk."""
        for descriptor in self._descriptors:
            with contextlib.suppress(OSError):
                os.fsync(descriptor)

    def close(self) -> None:
        """Idempotent."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()


def read_states(folder: Path) -> list[bytes]:
    """Every state there that is whole, in no order."""
    found = []
    for name in _NAMES:
        try:
            content = (folder / name).read_bytes()
            checksum, length = int(content[:8], 16), int(content[9:17], 16)
        except (OSError, ValueError):
            continue
        state = content[_HEAD_BYTES : _HEAD_BYTES + length]
        if len(state) == length and zlib.crc32(state) == checksum:
            found.append(state)
    return found
