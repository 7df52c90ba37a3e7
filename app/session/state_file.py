"""The state after the newest event, beside the tape: written by the code that decided it, for a later epoch.

Two files in turn, each with its checksum, length and number, so that one of them is whole whenever the
process ends. A disk that takes no more is no fault here: the tape tells that.
"""

import contextlib
import os
import re
import zlib
from pathlib import Path

_NAMES = ("state.1", "state.2")
# crc32 of all that follows the length, the state's length, and its number; an older Onetape gave it none.
_HEAD = re.compile(rb"([0-9a-f]{8}) ([0-9a-f]{8}) ([0-9a-f]{16} )?")


class StateFile:
    """Writes the two files of a folder; what is there already counts, so that the newer one stays."""

    def __init__(self, folder: Path) -> None:
        numbers = [_read(folder / name)[0] for name in _NAMES]
        self._descriptors = [os.open(folder / name, os.O_WRONLY | os.O_CREAT, 0o644) for name in _NAMES]
        self._turn = numbers.index(min(numbers))
        self._number = max(numbers)

    def write(self, state: bytes) -> None:
        """To the kernel, over the older of the two."""
        numbered = b"%016x %b" % (self._number + 1, state)
        content = b"%08x %08x %b" % (zlib.crc32(numbered), len(state), numbered)
        with contextlib.suppress(OSError):
            if os.pwrite(self._descriptors[self._turn], content, 0) == len(content):  # a disk may fill up in the middle
                self._turn = 1 - self._turn
                self._number += 1

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
    return [state for _, state in (_read(folder / name) for name in _NAMES) if state is not None]


def _read(path: Path) -> tuple[int, bytes | None]:
    """Number and state; -1 and None of what is not whole."""
    try:
        content = path.read_bytes()
    except OSError:
        return -1, None
    head = _HEAD.match(content)
    if head is None:
        return -1, None
    number, length = head[3] or b"", int(head[2], 16)
    state = content[head.end() : head.end() + length]
    if len(state) < length or zlib.crc32(number + state) != int(head[1], 16):
        return -1, None
    return int(number or b"0", 16), state
