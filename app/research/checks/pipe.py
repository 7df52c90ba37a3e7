"""Messages between a check and the process that it runs a strategy in: whole ones, over two file descriptors.

The rule: a message arrives whole or not at all; what waits is not read before it is asked for.
"""

import os
import select
from math import inf

_LENGTH_BYTES = 4
_READ_BYTES = 1 << 16


class Pipe:
    """One end: `receive` reads from one descriptor, `send` writes to the other."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._read_fd, self._write_fd = read_fd, write_fd
        self._buffer = bytearray()

    def send(self, content: bytes) -> None:
        """A whole message; BrokenPipeError if nobody reads any more."""
        left = memoryview(len(content).to_bytes(_LENGTH_BYTES, "little") + content)
        while left:
            left = left[os.write(self._write_fd, left) :]

    def receive(self, timeout_s: float = inf) -> bytes | None:
        """The next message; None when the other end is gone, TimeoutError when nothing comes for so long."""
        head = self._take(_LENGTH_BYTES, timeout_s)
        if head is None:
            return None
        return self._take(int.from_bytes(head, "little"), timeout_s)

    def close(self) -> None:
        """Both descriptors."""
        os.close(self._read_fd)
        os.close(self._write_fd)

    def _take(self, count: int, timeout_s: float) -> bytes | None:
        buffer = self._buffer
        while len(buffer) < count:
            if timeout_s != inf and not select.select([self._read_fd], [], [], timeout_s)[0]:
                raise TimeoutError(f"nothing came for {timeout_s:g} s")
            more = os.read(self._read_fd, _READ_BYTES)
            if not more:
                return None
            buffer += more
        taken = bytes(buffer[:count])
        del buffer[:count]
        return taken
